import pandas as pd
import pytest

from ihdm.report.summary import SECTIONS, estimate_text, summary_page


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


def test_page_shows_what_it_is_given():
    levels = pd.DataFrame(
        {"experiment": ["a<b", "a<b", "c"], "level": [1, 2, 1], "loss": [1.0, 3.0, 2.0], "baseline": [2.0, 2.0, 1.0]}
    )
    page = summary_page({"levels": levels}, "Title")
    assert "a&lt;b" in page
    assert "0.500" in page
    assert "1.500" in page
    assert SECTIONS["levels"][0] in page
    assert SECTIONS["distance"][0] not in page


def test_distances_stand_in_one_row_for_each_set():
    rows = [
        {"dataset": "d", "set": images, "metric": metric, "extractor": "dct64", "note": None, "n": 5, "value": 1.0,
         "low": 0.5, "high": 1.5, "experiment": experiment, "delta_ratio": ratio}
        for images, experiment, ratio in (("train", None, None), ("samples", "e", 1.25))
        for metric in ("frechet_distance", "kernel_distance")
    ]  # fmt: skip
    table = SECTIONS["distance"][2](pd.DataFrame(rows))
    assert table["set"].tolist() == ["real, training", "samples"]
    assert table["δ/σ"].tolist() == ["–", "1.25"]
    assert table["Fréchet distance"].tolist() == ["1.00 ± 0.50", "1.00 ± 0.50"]
