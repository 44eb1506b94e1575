"""What a finished quick run must show. Not part of `make test`: run it after `make quick`.

Whether a claim holds is read from the ledger, so that no rule is stated twice. Other tests are of what is no claim.

pytest tests/acceptance/quick.py
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ihdm.claims import CLAIMS
from ihdm.claims.claim import deciding, measured
from ihdm.metrics.memorization import nearest_distances

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results/quick"
CONFIG = ROOT / "workflow/config/quick.yaml"


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"metrics/{name}.csv")


def distance(experiment: str, images: str, ratio: float) -> pd.Series:
    """The distance that may rank sets of so many images."""
    return deciding(table("distance").query("experiment == @experiment and set == @images and delta_ratio == @ratio"))


REPRODUCED = (
    *(name for name, claim in CLAIMS.items() if claim.kind == "mathematical check"),
    *("best_delta_of_samples_above_sigma", "start_fixes_colour", "early_splits_change_more", "gradients_are_laplacian"),
    "markov_bound_is_tighter",
)
"""Claims that hold for everything that the quick run checks them on. The others depend on the training."""


@pytest.mark.parametrize("claim", REPRODUCED)
def test_these_claims_are_reproduced(claim):
    ledger = pd.read_csv(RESULTS / "report/claims.csv")
    verdicts = ledger.loc[ledger["id"] == claim, "verdict"]
    assert {*verdicts} - {"not run"} == {"reproduced"}  # the brief experiments are measured less


def test_copies_are_ruled_out_for_digits_and_not_found_for_photos():
    """Which photos count as near is known from seven photographs only, so their verdict may be open."""
    ledger = pd.read_csv(RESULTS / "report/claims.csv").query("id == 'samples_are_no_copies'")
    verdicts = ledger.set_index("experiment")["verdict"]
    assert verdicts["digits"] == verdicts["digits_brief"] == "reproduced"
    assert verdicts["photos"] in ("reproduced", "inconclusive")


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_networks_beat_predicting_nothing_at_most_levels(experiment):
    levels = table("levels").query("experiment == @experiment")
    assert (levels["loss"] < levels["baseline"]).mean() > 0.5


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_noise_while_sampling_brings_samples_closer(experiment):
    """The distance at δ/σ = 1.25 lies below that at 0, and below that of the blurred starts, with intervals apart."""
    best = distance(experiment, "samples", 1.25)
    assert best["high"] < distance(experiment, "samples", 0)["low"]
    assert best["high"] < distance(experiment, "starts", 1.25)["low"]


def test_detail_of_photos_grows_with_noise():
    """The highest band rises with δ."""
    rows = table("spectrum").query("experiment == 'photos' and set == 'samples' and band == 'highest'")
    assert rows.sort_values("delta_ratio")["value"].is_monotonic_increasing


def test_every_row_has_equal_n():
    distances = table("distance")
    assert distances["n"].nunique() == 1
    for _, rows in distances.groupby("dataset"):
        assert {"train", "test", "samples", "starts"} == set(rows["set"])


@pytest.mark.parametrize("dataset", ["digits", "photos"])
def test_real_images_are_the_floor(dataset):
    """No samples are closer to the training images than as many training images are, with intervals apart."""
    rows = table("distance").query("dataset == @dataset")
    floor = deciding(rows[rows["set"] == "train"])
    samples = rows[(rows["set"] == "samples") & (rows["metric"] == floor["metric"])]
    assert np.isfinite(floor[["value", "low", "high"]].astype(float)).all()
    assert floor["low"] < samples["high"].min()


def test_every_distance_names_its_extractor_and_none_is_called_fid():
    distances = table("distance")
    assert distances["extractor_sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert not distances["metric"].isin(("fid", "kid")).any()
    assert {"precision", "recall", "density", "coverage"} <= set(distances["metric"])


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_curves_have_their_minimum_in_its_interval(experiment):
    rows = table("minimum").query("experiment == @experiment").set_index("metric")
    assert {"frechet_distance", "bits_per_dim"} <= set(rows.index)
    assert (rows["low"] <= rows["delta_ratio"]).all()
    assert (rows["delta_ratio"] <= rows["high"]).all()
    assert (rows["low"] < rows["high"]).all()


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_the_best_delta_of_the_bound_is_that_of_its_levels(experiment):
    """But for the prior's part, the best δ² is the mean of those of the levels, δ² = σ² + E‖error‖²/N."""
    row = table("minimum").query("experiment == @experiment and metric == 'bits_per_dim'").iloc[0]
    assert row["verdict"] == "inside"
    of_levels = table("levels").query("experiment == @experiment")["best_delta_ratio"]
    assert row["delta_ratio"] == pytest.approx(of_levels.pow(2).mean() ** 0.5, abs=0.05)


def test_levels_in_turn_and_controls_save_network_evaluations():
    for _, rows in table("likelihood_cost").groupby("experiment"):
        fewer = rows.set_index("design")["times_fewer"]
        assert fewer["levels by variance, control variates"] > fewer["every level"] > 1


@pytest.mark.parametrize("experiment", ["digits", "digits_brief-sigma0.02", "digits_brief-levels_as_released"])
def test_no_network_repeats_its_training_digits(experiment):
    """By the rule of the claim, in any features; nor are samples closer on average than held-out digits."""
    decision = CLAIMS["samples_are_no_copies"].decision
    for _, rows in table("memorisation").query("experiment == @experiment").groupby("extractor"):
        rows = rows.set_index(["metric", "set"])
        assert decision.decide([measured(rows.loc[("share_near", "samples")])]).outcome == "reproduced"
        assert rows.loc[("nearest_distance", "samples"), "high"] > rows.loc[("nearest_distance", "test"), "low"]


def test_no_network_repeats_its_training_photos():
    """Held-out crops come from other regions and are no measure of what is near, so samples are their own.

    Nineteen of twenty differ from every training crop by more than a quarter of their own contrast; copies would by
    hardly anything.
    """
    samples, train = (
        np.load(RESULTS / name).astype(np.float64)
        for name in ("samples/photos/delta1.25/samples.npy", "data/photos/train.npy")
    )
    nearest = nearest_distances(samples.reshape(len(samples), -1), train.reshape(len(train), -1), 10_000)
    contrast = np.linalg.norm((samples - samples.mean(axis=(1, 2), keepdims=True)).reshape(len(samples), -1), axis=1)
    assert np.quantile(nearest / contrast, 0.05) > 0.25


def test_every_departure_is_measured():
    assert set(table("departures")["setting"]) == {"levels", "prior_noise", "rounding"}


def test_one_tidy_table_holds_everything():
    rows = table("sweep")
    keys = ["dataset", "experiment", "delta_ratio", "set", "metric", "extractor"]
    assert not rows.duplicated(keys).any()
    assert len(rows) == len(pd.read_parquet(RESULTS / "metrics/sweep.parquet"))
    assert set(rows.query("base == 'digits_brief'")["sigma"]) == {0.01, 0.02}


def test_the_report_is_there():
    assert "Validation loss by level" in (RESULTS / "report/index.html").read_text()
    assert (RESULTS / "report/report.html").stat().st_size > 1_000_000  # with every figure in it


@pytest.mark.parametrize(("experiment", "quarter"), [("digits", 10), ("photos", 12)])
def test_with_a_quarter_of_the_evaluations_the_markov_sampler_is_better_than_the_papers(experiment, quarter):
    """With as few evaluations, at the default δ, and intervals apart."""
    rows = table("evaluations").query("experiment == @experiment and evaluations == @quarter")
    markov, paper = (deciding(rows[rows["sampler"] == sampler]) for sampler in ("markov", "paper"))
    assert markov["high"] < paper["low"]


def test_baselines_are_trained_sampled_and_measured():
    for name in ("levels", "distance", "memorisation", "likelihood", "disentanglement", "spectrum"):
        experiments = set(table(name)["experiment"].dropna())
        assert {"digits_diffusion", "photos_diffusion", "digits_blurring"} <= experiments, name


def test_every_figure_and_printed_table_is_there():
    figures = yaml.safe_load(CONFIG.read_text())["figures"]
    for name in figures:
        assert (RESULTS / f"figures/{name}.pdf").stat().st_size > 5_000, name
    assert (RESULTS / "figures/trajectories.webp").stat().st_size > 5_000
    for name in ("distances", "hyperparameters", "likelihood", "sweeps", "evaluations", "departures"):
        for ending in ("csv", "md", "tex"):
            assert (RESULTS / f"tables/{name}.{ending}").stat().st_size > 200, name


def test_at_least_twelve_claims_are_decided():
    claims = pd.read_csv(RESULTS / "report/claims.csv")
    decided = claims[claims["verdict"].isin(("reproduced", "not reproduced"))]
    assert decided["id"].nunique() >= 12


@pytest.mark.parametrize("dataset", ["digits", "photos"])
def test_interpolations_of_baselines_are_compared(dataset):
    """At least thirty pairs, for heat, DDPM and DDIM, and all of them nearer to a way than unrelated images are."""
    rows = table("interpolation").query("space == 'pixels' and quantity == 'path_ratio'").set_index("experiment")
    names = [dataset, f"{dataset}_diffusion", f"{dataset}_diffusion-sampler_ddim50"]
    assert (rows.loc[names, "n"] >= 30).all()
    assert (rows.loc[names, "high"] < rows.loc[names, "null"]).all()


def test_quality_is_measured_against_the_number_of_training_images():
    rows = table("sweep").query("set == 'samples'")
    for base in ("digits_brief", "digits_diffusion_brief"):
        family = rows[(rows["base"] == base) & (rows["swept"].isna() | (rows["swept"] == "num_train"))]
        assert family["num_train"].nunique() >= 4


def test_more_blur_gives_starts_less_influence():
    rows = table("disentanglement").query("quantity == 'structure'").set_index("experiment")["start"]
    names = ["digits_brief-blur_sigma_max1", "digits_brief-blur_sigma_max2", "digits_brief"]
    assert rows[names].is_monotonic_decreasing


@pytest.mark.parametrize("experiment", ["digits", "photos"])
def test_networks_are_written_so_that_others_can_load_them(experiment):
    """Complete by themselves, with our measures on the card, and samples as they come from the workflow."""
    from ihdm import IHDMPipeline

    folder = RESULTS / f"portable/{experiment}"
    pipeline = IHDMPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(64, generator=torch.Generator().manual_seed(0), output_type="np").images
    train = np.load(RESULTS / f"data/{experiment}/train.npy") / 255
    assert images.mean() == pytest.approx(train.mean(), abs=0.08)
    assert images.std() == pytest.approx(train.std(), rel=0.25)
    card = (folder / "README.md").read_text()
    rows = table("distance").query("experiment == @experiment and set == 'samples' and delta_ratio == 1.25")
    value = rows.loc[rows["metric"] == "frechet_distance", "value"].item()
    assert f"| Fréchet distance | {value:.4g} |" in card
    assert "bits per dimension" in card


def test_restoration_by_the_digits_networks_beats_every_method_without_one():
    """Deblurring and super-resolution, in PSNR of the mean, with intervals apart; of heat and of diffusion."""
    rows = table("restoration").query("metric == 'psnr' and experiment in ('digits', 'digits_diffusion')")
    for (_, problem), part in rows.groupby(["experiment", "problem"]):
        if problem in ("deblurring", "super_resolution"):
            ours = part.query("method == 'posterior' and result == 'mean'").iloc[0]
            others = part[~part["method"].isin(("posterior", "start", "map", "one_shot"))]
            assert ours["low"] > others["high"].max(), problem


def test_restored_pictures_agree_with_what_was_measured():
    """Within a few times the noise, where the truth is at once."""
    rows = table("restoration").query("metric == 'consistency'")
    truth = rows.query("result == 'truth'")["value"]
    assert truth.to_numpy() == pytest.approx(np.ones(len(truth)), abs=0.1)
    assert (rows.query("method == 'posterior' and result == 'mean'")["value"] < 3).all()
