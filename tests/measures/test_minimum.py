import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.measures import minimum
from ihdm.measures.minimum import distance_minimum, fine_ratios, likelihood_minimum, minimum_row
from ihdm.metrics.estimates import parts_text

RATIOS = np.array([0.5, 1.0, 1.25, 1.5, 2.0])


def table(values: list[float], error: float, ratios: list[float] | np.ndarray = RATIOS) -> pd.DataFrame:
    """Distances whose errors are independent."""
    parts = [parts_text(row) for row in error * np.eye(len(ratios))]
    return pd.DataFrame(
        {"set": "samples", "metric": "frechet_distance", "extractor": "dct64", "n": 100, "delta_ratio": ratios,
         "value": values, "error_parts": parts}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "error", "verdict", "low", "high"),
    [
        ([5, 3, 1, 3, 5], 0.1, "inside", 1.0, 1.5),
        ([5, 3, 1, 1.05, 5], 0.1, "inside", 1.0, 2),
        ([5, 4, 1, 3, 5], 0.1, "inside", 1.0, 1.5),
        ([5, 1, 3, 4, 5], 0.1, "inside", 0.5, 1.25),  # reaches the first ratio, but no curve is lowest there
        ([5, 4, 3, 2, 1], 0.1, "edge", 1.5, 2),
        ([5, 4, 3, 1, 1.02], 0.1, "edge", 1.25, 2),  # lowest inside, but the last may be lower
        ([1, 2, 3, 4, 5], 0.1, "edge", 0.5, 1.0),
        ([3.0, 3.01, 3.0, 3.02, 3.01], 0.5, "flat", 0.5, 2),
    ],
)
def test_verdicts(values, error, verdict, low, high):
    (row,) = distance_minimum(table(values, error), seed=0)
    assert (row["verdict"], row["low"], row["high"]) == (verdict, low, high)
    assert row["low"] <= row["delta_ratio"] <= row["high"]


@pytest.mark.parametrize("ratios", [[0.5, 1.0, 1.25, 1.5, 2.0], [0.0, 1.0, 1.25, 2.0]])
@pytest.mark.parametrize(("truth", "error"), [(1.05, 0.05), (1.6, 0.005)])
def test_the_interval_holds_the_truth_as_often_as_it_says(ratios, truth, error, monkeypatch):
    """Of 200 noisy parabolas, with the minimum on and off the values tried, 95 % of the intervals hold it, less 2 %."""
    monkeypatch.setattr(minimum, "NUM_CURVES", 1000)
    rng = np.random.default_rng(0)
    curve = (np.array(ratios) - truth) ** 2
    hits = 0
    for seed in range(200):
        values = curve + error * rng.standard_normal(len(ratios))
        frame = table(list(values), error, ratios)
        (row,) = distance_minimum(frame, seed)
        hits += row["low"] <= truth <= row["high"]
    assert hits >= 186


def test_fine_ratios_are_always_enough():
    np.testing.assert_allclose(fine_ratios([2.0, 1.0, 1.25]), np.arange(100, 201) / 100)
    for low, high in ((1.0, 1.015), (1.25, 1.2500001), (0.1, 0.333)):
        found = fine_ratios([low, high])
        assert (found[0], found[-1]) == (low, high)
        assert len(found) >= 21
        assert 0 < np.diff(found).max() <= 0.01 + 1e-9
    with pytest.raises(UserError, match=r"a range of δ/σ, not 1\.25 alone; sweep more"):
        fine_ratios([1.25])


def test_an_error_that_all_values_share_leaves_the_minimum_certain():
    frame = table([5, 3, 1, 1.05, 5], 0.1).assign(error_parts="0.06 -0.08")
    (row,) = distance_minimum(frame, seed=0)
    assert (row["delta_ratio"], row["low"], row["high"], row["verdict"]) == (1.25, 1.0, 1.5, "inside")


def test_images_are_resampled_together():
    """Images differ far more than the curve bends; as each keeps its offset, the minimum is certain all the same."""
    offsets = 100 * np.random.default_rng(0).standard_normal(50)
    bits = (RATIOS[:, None] - 1.25) ** 2 + offsets
    row = likelihood_minimum(RATIOS, bits, 200, seed=0)
    assert (row["delta_ratio"], row["low"], row["high"], row["verdict"]) == (1.25, 1.0, 1.5, "inside")


def test_two_values_have_no_minimum_to_speak_of():
    with pytest.raises(UserError, match="three δ/σ or more, not 2"):
        minimum_row(RATIOS[:2], np.zeros(2), np.zeros((5, 2)))
