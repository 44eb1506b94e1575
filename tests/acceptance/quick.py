"""What a finished quick run must show. Not part of `make test`: run it after `make quick`.

pytest tests/acceptance/quick.py
"""

from pathlib import Path

import pandas as pd
import pytest

RESULTS = Path(__file__).parents[2] / "results/quick"


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"metrics/{name}.csv")


def distance(experiment: str, images: str, ratio: float) -> pd.Series:
    rows = table("distance").query("experiment == @experiment and set == @images and delta_ratio == @ratio")
    return rows[rows["metric"] == "frechet_distance"].iloc[0]


@pytest.mark.parametrize("experiment", ["digits", "digits-sigma0.02", "photos"])
def test_networks_beat_predicting_nothing_at_most_levels(experiment):
    levels = table("levels").query("experiment == @experiment")
    assert (levels["loss"] < levels["baseline"]).mean() > 0.5


@pytest.mark.parametrize("experiment", ["digits", "digits-sigma0.02", "photos"])
def test_noise_while_sampling_brings_samples_closer(experiment):
    """The distance at δ/σ = 1.25 lies below that at 0, and below that of the blurred starts, with intervals apart."""
    best = distance(experiment, "samples", 1.25)
    assert best["high"] < distance(experiment, "samples", 0)["low"]
    assert best["high"] < distance(experiment, "starts", 1.25)["low"]


def test_detail_of_photos_grows_with_noise():
    """The highest band rises with δ, from far below real images to above them."""
    rows = table("spectrum").query("experiment == 'photos' and set == 'samples' and band == 'highest'")
    power = rows.sort_values("delta_ratio")["value"]
    assert power.is_monotonic_increasing
    assert power.iloc[0] < 0.1
    assert power.iloc[-1] > 1


def test_the_start_decides_the_mean_colour_of_photos():
    rows = table("disentanglement").query("experiment == 'photos' and quantity == 'mean colour'")
    assert rows["start"].item() > 0.9


def test_every_row_has_equal_n_and_a_floor():
    distances = table("distance")
    assert distances["n"].nunique() == 1
    for _, rows in distances.groupby("dataset"):
        assert {"train", "test", "samples", "starts"} == set(rows["set"])


def test_every_distance_names_its_extractor_and_none_is_called_fid():
    distances = table("distance")
    assert distances["extractor_sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert not distances["metric"].isin(("fid", "kid")).any()
    assert {"precision", "recall", "density", "coverage"} <= set(distances["metric"])


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_curves_have_a_minimum_with_its_interval_or_are_called_flat(experiment):
    rows = table("minimum").query("experiment == @experiment").set_index("metric")
    assert {"frechet_distance", "bits_per_dim"} <= set(rows.index)
    assert (rows["low"] <= rows["high"]).all()
    assert rows["verdict"].isin(("inside", "edge", "flat")).all()


def test_levels_in_turn_and_controls_save_network_evaluations():
    for _, rows in table("likelihood_cost").groupby("experiment"):
        fewer = rows.set_index("design")["times_fewer"]
        assert fewer["levels by variance, control variates"] > fewer["every level"] > 1


def test_no_network_repeats_its_training_images():
    rows = table("memorisation").query("metric == 'nearest_distance' and extractor == 'pixels' and set == 'samples'")
    assert (rows["value"] > 0).all()


def test_every_departure_is_measured():
    assert set(table("departures")["setting"]) == {"levels", "prior_noise", "rounding"}


def test_one_tidy_table_holds_everything():
    rows = table("sweep")
    keys = ["dataset", "experiment", "delta_ratio", "set", "metric", "extractor"]
    assert not rows.duplicated(keys).any()
    assert len(rows) == len(pd.read_parquet(RESULTS / "metrics/sweep.parquet"))
    assert set(rows.query("base == 'digits'")["sigma"]) == {0.01, 0.02}


def test_the_report_is_there():
    assert "Does the network deblur?" in (RESULTS / "report/summary.html").read_text()
    assert (RESULTS / "report/report.html").stat().st_size > 1_000_000  # with every figure in it
