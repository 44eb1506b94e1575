from pathlib import Path

import pandas as pd
import pytest

from ihdm.config.reading import read_config
from ihdm.measures import merged_tables, reported
from ihdm.measures.texts import estimate_text, interval_text

ROOT = Path(__file__).parents[2]


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
