import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ihdm.config.reading import parse_config, read_config
from ihdm.errors import UserError
from ihdm.figures.style import save_figure, set_style
from ihdm.figures.sweep_curves import draw
from ihdm.measures.departures import departure_table
from ihdm.measures.likelihood import likelihood_settings
from ihdm.measures.sweep import COLUMNS, swept_experiments, tidy_table
from ihdm.metrics.tables import swept_parameters
from ihdm.runs import Run

ROOT = Path(__file__).parents[2]
NUM_TRAIN = {"digits": 1297, "photos": 5000}


@pytest.fixture
def config():
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    values["experiments"] = {name: values["experiments"][name] for name in ("digits", "photos")}
    values["figures"] = values["studies"] = values["restoration"] = {}
    values["diagnostics"] = []
    values["sweeps"] = {"sigma": {"digits": [0.02]}, "delta_ratio": {"digits": [0, 1]}} | {
        "num_levels": {"digits": [20, 40]},
        "num_train": {"digits": [100]},
        "seed": {"photos": [1]},
        "rounding": {"digits": ["truncate", "nearest"]},
    }
    return parse_config(values)


def tables(experiments: list[str]) -> dict[str, pd.DataFrame]:
    rows = [
        {"dataset": "photos" if experiment.startswith("photos") else "digits", "experiment": experiment,
         "delta_ratio": ratio, "set": "samples", "metric": metric, "extractor": "dct64", "extractor_sha256": "0",
         "reference": "training", "n": 50, "value": float(number), "standard_error": 0.1, "degrees": 49.0,
         "error_parts": "0.06 0.08" if experiment == "digits" else "0.08 0.06"}
        for number, experiment in enumerate(experiments, start=1)
        for ratio in (1.0, 1.25)
        for metric in ("frechet_distance", "kernel_distance")
    ]  # fmt: skip
    real = {**rows[0], "experiment": None, "delta_ratio": None, "set": "train"}
    likelihood = [
        {"experiment": row["experiment"], "joint": joint, "variance": "one", "delta_ratio": row["delta_ratio"], "n": 20,
         "bits_per_dim": 3.0, "standard_error": 0.2, "degrees": 19.0, "error_parts": ""}
        for row in rows[::2]
        for joint in ("independent", "markov")  # the second of which belongs to no sweep
    ]  # fmt: skip
    spectrum = [{**row, "metric": "relative_power", "band": "low"} for row in rows[::2]]
    for row in spectrum:
        del row["extractor"], row["extractor_sha256"]
    return {
        "distance": pd.DataFrame([*rows, real, {**real, "set": "test", "value": np.nan}]),
        "likelihood": pd.DataFrame(likelihood),
        "spectrum": pd.DataFrame(spectrum),
    }


@pytest.fixture
def experiments(config):
    return swept_experiments(Run(config)).experiments


@pytest.fixture
def tidy(experiments):
    return tidy_table(tables(list(experiments)), experiments, NUM_TRAIN)


def test_one_row_for_each_measure_with_what_was_swept(experiments, tidy):
    assert list(experiments) == [
        "digits", "digits-sigma0.02", "digits-num_levels20", "digits-num_train100", "digits-rounding_truncate",
        "photos", "photos-seed1",
    ]  # fmt: skip
    table = tidy
    assert tuple(table.columns) == COLUMNS
    keys = ["experiment", "delta_ratio", "set", "metric", "extractor"]
    assert not table.duplicated(keys).any()
    assert len(table) == 7 * 2 * 4 + 1
    swept = table[table["experiment"] == "digits-num_train100"]
    assert set(swept["num_train"]) == {100}
    assert set(table[table["experiment"] == "photos"]["num_train"]) == {5000}
    assert set(swept["base"]) == {"digits"}
    assert set(table["metric"]) == {"frechet_distance", "kernel_distance", "bits_per_dim", "relative_power_low"}
    bits = table[(table["metric"] == "bits_per_dim") & (table["experiment"] == "photos")]
    assert set(bits["dataset"]) == {"photos"}
    assert (bits["value"] == 3.0).all()
    real = table[table["set"] == "train"]
    assert real["sigma"].isna().all()
    assert set(table[table["metric"] != "bits_per_dim"]["reference"]) == {"training"}
    assert table[table["metric"] == "bits_per_dim"]["reference"].isna().all()  # measured from none


def test_every_measure_keeps_its_own_number_of_images(experiments):
    parts = tables(list(experiments))
    parts["memorisation"] = parts["distance"].head(4).assign(metric="share_near", n=20)
    numbers = tidy_table(parts, experiments, NUM_TRAIN).groupby("metric")["n"].unique().map(list)
    assert numbers["share_near"] == [20]
    assert numbers["frechet_distance"] == numbers["kernel_distance"] == [50]


def test_a_parameter_is_varied_alone(tidy):
    found = swept_parameters(tidy, "digits")
    assert set(found) == {"sigma", "num_levels", "num_train"}
    assert set(found["num_levels"]["experiment"]) == {"digits", "digits-num_levels20"}
    assert set(found["num_levels"]["num_levels"]) == {20, 40}
    assert set(swept_parameters(tidy, "photos")) == {"seed"}


def test_csv_and_parquet_hold_the_same(config, experiments, tmp_path, ihdm):
    paths = []
    for dataset, count in NUM_TRAIN.items():
        np.save(tmp_path / f"{dataset}.npy", np.zeros((count, 1, 1, 1), dtype=np.uint8))
        paths += ["--input", f"train:{dataset}={tmp_path / dataset}.npy"]
    for kind, table in tables(list(experiments)).items():
        table.to_csv(tmp_path / f"{kind}.csv", index=False)
        paths += [f"--{kind}", tmp_path / f"{kind}.csv"]
    settings = swept_experiments(Run(config)).model_dump_json()
    ihdm("metrics", "sweep", "--settings", settings, *paths, "--output", f"sweep={tmp_path / 'sweep.csv'}",
        "--output", f"parquet={tmp_path / 'sweep.parquet'}")  # fmt: skip
    csv, parquet = pd.read_csv(tmp_path / "sweep.csv"), pd.read_parquet(tmp_path / "sweep.parquet")
    assert parquet["num_train"].dtype == "Int64"
    for column in COLUMNS:
        assert csv[column].isna().equals(parquet[column].isna()), column
    np.testing.assert_array_equal(csv["value"], parquet["value"])
    outputs = json.loads((tmp_path / "sweep.meta.json").read_text())["outputs"]
    assert {Path(name).name for name in outputs} == {"sweep.csv", "sweep.parquet"}


def test_figure_has_a_column_for_each_parameter(tidy, tmp_path):
    path = tmp_path / "sweep.csv"
    tidy.to_csv(path, index=False)
    set_style()
    figure = draw({"sweep": {"digits": {"": path}}})
    assert len(figure.axes) == 6
    assert [axes.get_xlabel() for axes in figure.axes[3:]] == [r"$\sigma$", "$K$", "training images"]
    lines = figure.axes[1].get_legend_handles_labels()[1]
    assert lines == [r"$\delta/\sigma=1$", r"$\delta/\sigma=1.25$"]
    upper, lower = ([line.get_color() for line in figure.axes[i].get_lines()[::3]] for i in (0, 3))
    assert upper == lower  # one color for one δ
    save_figure(figure, tmp_path / "sweep_curves.png")
    assert (tmp_path / "sweep_curves.pdf").exists()


def test_nothing_swept_is_named(experiments, tmp_path):
    path = tmp_path / "sweep.csv"
    tidy_table(tables(["digits"]), {"digits": experiments["digits"]}, NUM_TRAIN).to_csv(path, index=False)
    with pytest.raises(UserError, match="no parameter of 'digits' is swept"):
        draw({"sweep": {"digits": {"": path}}})


def test_fewer_training_images_are_another_experiment(config):
    assert config.variants["digits-num_train100"].experiment.num_train == 100
    assert config.sampling("digits-num_train100").num_train == 100
    assert likelihood_settings(Run(config, "digits-num_train100")).num_train == 100
    assert config.variants["digits"].experiment.num_train is None


def test_departures_share_the_network_and_nothing_else_changes():
    config = read_config(ROOT / "workflow/config/quick.yaml")
    departures = {name: variant for name, variant in config.variants.items() if variant.is_departure}
    assert set(departures) == {"digits_brief-levels_as_released", "digits-prior_noise_none", "digits-rounding_truncate"}
    assert departures["digits-prior_noise_none"].model == departures["digits-rounding_truncate"].model == "digits"
    assert departures["digits_brief-levels_as_released"].is_trained
    assert departures["digits_brief-levels_as_released"].experiment.training.levels == "as_released"
    assert config.sampling("digits-prior_noise_none").prior_noise == "none"
    assert config.sampling("digits-rounding_truncate").rounding == "truncate"
    assert (
        config.sampling("digits_brief").model_dump() == config.sampling("digits_brief-levels_as_released").model_dump()
    )
    assert all(variant.delta_ratios == (1.25,) for variant in departures.values())


def test_departures_are_differences(tidy):
    found = departure_table(tidy)
    assert set(found["setting"]) == {"rounding"}
    assert set(found["metric"]) == {"frechet_distance", "kernel_distance", "bits_per_dim"}
    row = found[(found["metric"] == "frechet_distance") & (found["delta_ratio"] == 1.25)].iloc[0]
    assert (row["described"], row["variant"]) == ("nearest", "truncate")
    assert (row["reference"], row["n"]) == ("training", 50)
    assert row["difference"] == row["value_variant"] - row["value_described"] == 4
    assert row["standard_error"] == pytest.approx(0.02 * np.sqrt(2))  # of pairs
    bits = found[found["metric"] == "bits_per_dim"].iloc[0]
    assert bits["standard_error"] == pytest.approx(0.2 * np.sqrt(2))  # as if independent, without parts


def test_departures_compare_with_one_reference_alone(tidy):
    tidy.loc[(tidy["experiment"] == "digits") & (tidy["metric"] == "frechet_distance"), "reference"] = "as_released"
    assert set(departure_table(tidy)["metric"]) == {"kernel_distance", "bits_per_dim"}


def test_what_the_released_code_does_not_do_is_no_departure():
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    values["sweeps"] |= {
        "levels": {"digits": ["stratified", "uniform"]}, "prior_noise": {"digits": ["sigma"]},
        "rounding": {"digits": []},
    }  # fmt: skip
    variants = parse_config(values).variants
    assert {"digits-levels_stratified", "digits-prior_noise_sigma"} < set(variants)
    assert not any(variant.is_departure for variant in variants.values())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_shards", 501, "num_shards needs num_samples of 501 or more, not 400"),
        ("num_neighbors", 500, "num_neighbors needs num_samples of 501 or more, not 400"),
        ("extra_draws", 1, None),
        ("num_compared", [5, 400], "num_neighbors needs num_compared of 6 or more, not 5"),
        ("num_compared", [100, 501], "num_compared of 501 needs num_samples of 501 or more, not 400"),
        ("num_compared", [400, 100], "num_compared must ascend, not be [400, 100]"),
    ],
)
def test_mistakes_in_the_evaluation_are_named(key, value, message):
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    values["evaluation"] |= {"num_samples": 400, key: value}
    if message is None:
        parse_config(values)
        values["evaluation"]["likelihood_draws"] = 1
        message = "extra_draws need likelihood_draws of 2 or more"
    with pytest.raises(UserError) as caught:
        parse_config(values)
    assert message in str(caught.value)
