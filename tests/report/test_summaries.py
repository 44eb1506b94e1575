"""Summaries of merged tables on the page, of tables as the metrics write them and a CSV file keeps them."""

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ihdm.config.reading import read_config
from ihdm.measures import merged_tables, reported
from ihdm.measures import paths as paths_metric
from ihdm.measures.cumulative_sums import cumulative_sum_rows
from ihdm.measures.data_spectrum import power_law_rows
from ihdm.measures.forward import forward_rows
from ihdm.measures.generation import generation_rows
from ihdm.measures.hierarchy import hierarchy_rows
from ihdm.measures.input_gradients import input_gradient_rows
from ihdm.measures.interpolation import interpolation_rows
from ihdm.measures.texts import estimate_text, interval_text
from ihdm.metrics.asymptotics import toy_rows

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
BANDS = [f"band {number}" for number in range(1, 7)]
MEASURED = {"num_levels": 8, "level": 4, "n": 3, "value": 1.0, "standard_error": 0.1, "low": 0.8, "high": 1.2}


def images(*shape):
    return RNG.random((*shape, 8, 8, 1))


def kept(rows, experiments=("a", "b")):
    """The merged table of experiments that all have these rows."""
    table = pd.concat([pd.DataFrame(rows).assign(experiment=name) for name in experiments], ignore_index=True)
    return pd.read_csv(StringIO(table.to_csv(index=False)))


def gradients():
    pixels = np.array([[4, 4]] * 9)
    both = {name: RNG.normal(size=(2, 9, 3, 8, 8)) for name in ("residual", "clean")}
    return input_gradient_rows(np.array([6, 1]), pixels, both)


@pytest.mark.parametrize(
    ("section", "rows", "shape", "columns"),
    [
        ("interpolation", lambda: interpolation_rows({"pixels": RNG.random((3, 4, 5))}, 0), (2, 6), ["path"]),
        ("hierarchy", lambda: hierarchy_rows(np.array([6, 2]), images(3, 4)), (4, 6), ["distance", "other starts"]),
        (
            "generation", lambda: generation_rows(np.array([6, 3, 0]), images(2, 4), images(4), 20, 0), (2, 9),
            ["band 1", "band 6", "order"],
        ),
        ("cumulative_sums", lambda: cumulative_sum_rows(np.array([6, 3, 0]), images(2, 4)), (4, 8), ["band 6"]),
        ("input_gradients", gradients, (8, 9), ["within 1 pixel", "mean distance"]),
    ],
    ids=["interpolation", "hierarchy", "generation", "cumulative_sums", "input_gradients"],
)  # fmt: skip
def test_tables_of_probes_are_shown_by_experiment(section, rows, shape, columns):
    shown = reported()[section].summarize(kept(rows()))
    assert shown.shape == shape
    assert set(columns) < set(shown.columns)
    assert sorted(set(shown["experiment"])) == ["a", "b"]
    assert not shown.isna().any(axis=None)
    assert "nan" not in shown.to_string()


def test_gaussian_data_are_listed_once_and_networks_by_band():
    rows = [
        *toy_rows(),
        {"part": "network_loss", **MEASURED},
        *({"part": "network_langevin", "delta_ratio": 1.0, "band": str(band), **MEASURED} for band in range(6)),
    ]
    shown = reported()["asymptotics"].summarize(kept(rows))
    assert len(shown) == 7 + 4 + 2 * 2
    assert (shown["experiment"] == "–").sum() == 11
    assert shown["live"].tolist()[7:11] == ["0.500", "0.781", "1.000", "1.280"]
    network = shown[shown["part"] == "Langevin, network"].iloc[0]
    assert network["band 1"] == network["band 6"] == "1.00 ± 0.20"
    assert network["ratio"] == "–"
    assert "nan" not in shown.to_string()


def test_rows_keep_the_order_of_the_table():
    """Also where a K came earlier, in the toy."""
    rows = [*toy_rows(), *({"part": "network_losses", **MEASURED, "num_levels": levels} for levels in (5, 10, 20, 40))]
    shown = reported()["asymptotics"].summarize(pd.DataFrame(rows).assign(experiment="digits"))
    assert shown["K"].tolist()[-4:] == [5, 10, 20, 40]


def test_networks_without_gaussian_data_are_listed_by_band():
    """A file whose only bands are numbers has them as such."""
    rows = [{"part": "network_loss"}, {"part": "network_langevin", "delta_ratio": 1.0, "band": "0"}]
    rows = [row | MEASURED for row in rows]
    assert reported()["asymptotics"].summarize(kept(rows))["band 1"].tolist() == ["–", "1.00 ± 0.20"] * 2


def test_paths_have_a_row_for_each_level(monkeypatch):
    monkeypatch.setattr(paths_metric, "ROW_EVERY", 50)
    shown = reported()["paths"].summarize(pd.DataFrame(paths_metric.path_rows()))
    assert shown["level"].tolist() == [50, 100]
    assert shown.columns.tolist()[1:3] == ["merged, σ = 0.005", "branched, σ = 0.005"]
    assert shown["merged, σ = 0.02"].tolist() == ["0.000", "2.000"]


def test_tables_are_those_of_what_is_probed_and_of_networks_with_the_limit():
    config = read_config(ROOT / "workflow/config/smoke.yaml")
    baselines = [name for name, variant in config.variants.items() if not variant.experiment.has_paper_bound]
    config = config.model_copy(update={"diagnostics": ("digits", baselines[0])})
    tables = merged_tables(config)
    for name in ("interpolation", "hierarchy", "generation", "cumulative_sums", "input_gradients"):
        assert tables[name] == [f"metrics/{name}/digits.csv", f"metrics/{name}/{baselines[0]}.csv"]
    assert tables["asymptotics"] == ["metrics/asymptotics/digits.csv"]
    assert tables["paths"] == ["metrics/paths/toy.csv"]
    nothing = merged_tables(config.model_copy(update={"diagnostics": ()}))
    assert not {"interpolation", "asymptotics", "paths"} & nothing.keys()


def of_data_sets(rows):
    """The merged table of two data sets."""
    return kept(rows).rename(columns={"experiment": "dataset"})


def test_spectra_and_what_becomes_of_them_are_shown_by_data_set():
    stored = RNG.integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    laws = reported()["data_spectrum"].summarize(of_data_sets(power_law_rows(stored, 20, 0)))
    assert laws["dataset"].tolist() == ["a", "b"]
    assert laws["frequencies"].tolist() == ["0.39 … 3.12"] * 2
    shown = reported()["forward"].summarize(of_data_sets(forward_rows(stored, 20, 0)))
    assert shown.columns.tolist() == ["dataset", "quantity", "process", "strength", "n", "all", *BANDS]
    assert len(shown) == 2 * (1 + 3 + 2 + 2)
    assert not shown.isna().any(axis=None)
    assert "nan" not in shown.to_string()


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (0.30123, 0.0456, "0.301 ± 0.046"),
        (148.2, 8.4, "148.2 ± 8.4"),
        (10770.4, 243, "10770 ± 243"),
        (1, 0, "1.000 ± 0.000"),
    ],
)
def test_digits_follow_the_error(value, half_width, text):
    assert estimate_text(value, half_width) == text


def test_distances_stand_in_one_row_for_each_set():
    rows = [
        {"dataset": "d", "set": images, "metric": metric, "extractor": "dct64", "note": None, "n": 5, "value": 1.0,
         "low": 0.5, "high": 1.5, "experiment": experiment, "delta_ratio": ratio}
        for images, experiment, ratio in (("train", None, None), ("samples", "e", 1.25))
        for metric in ("frechet_distance", "kernel_distance")
    ]  # fmt: skip
    table = reported()["distance"].summarize(pd.DataFrame(rows))
    assert table["set"].tolist() == ["real, training", "samples"]
    assert table["δ/σ"].tolist() == ["–", "1.25"]
    assert table["Fréchet distance"].tolist() == ["1.00 ± 0.50", "1.00 ± 0.50"]


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.5, 0.4, 0.6, "0.50 ± 0.10"),
        (0.98, 0.93, 1.0, "0.980 (0.930 … 1.000)"),
        (0.5, float("nan"), float("nan"), "0.500"),
        (float("nan"), 0.0, 1.0, "–"),
    ],
)
def test_an_interval_that_is_cut_is_written_out(value, low, high, text):
    assert interval_text(value, low, high) == text


def test_one_draw_of_noise_leaves_a_dash():
    """Its error cannot be told; no text says nan."""
    row = {
        "experiment": "e", "joint": "independent", "variance": "one", "delta_ratio": 1.25, "n": 5, "bits_per_dim": 3.0,
        "standard_error": 0.1, "monte_carlo_error": float("nan"), "nats_best_levels": 10.0,
    }  # fmt: skip
    row |= dict.fromkeys(("nats", "prior_nats", "transition_nats", "reconstruction_nats"), 10.0)
    row |= dict.fromkeys(("nats_error", "prior_nats_error", "transition_nats_error", "reconstruction_nats_error"), 1.0)
    table = reported()["likelihood"].summarize(pd.DataFrame([row]))
    assert table["± by noise alone"].tolist() == ["–"]
    assert "nan" not in table.to_string()


def test_no_data_set_is_named_in_a_fixed_sentence():
    for section in reported().values():
        assert not {"digits", "photos", "crops"} & set(section.explanation.lower().replace(".", "").split())


def test_one_draw_gives_no_cost():
    config = read_config(ROOT / "workflow/config/quick.yaml")
    assert "likelihood_cost" in merged_tables(config)
    evaluation = config.evaluation.model_copy(update={"likelihood_draws": 1})
    assert "likelihood_cost" not in merged_tables(config.model_copy(update={"evaluation": evaluation}))
