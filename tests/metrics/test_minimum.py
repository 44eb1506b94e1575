import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.metrics.minimum import distance_minimum, likelihood_minimum, minimum_row

RATIOS = np.array([0.5, 1.0, 1.25, 1.5, 2.0])


def table(values: list[float], error: float) -> pd.DataFrame:
    return pd.DataFrame(
        {"set": "samples", "metric": "frechet_distance", "extractor": "dct64", "n": 100, "delta_ratio": RATIOS,
         "value": values, "standard_error": error}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "error", "verdict", "low", "high"),
    [
        ([5, 3, 1, 3, 5], 0.1, "inside", 1.25, 1.25),
        ([5, 3, 1, 1.05, 5], 0.1, "inside", 1.25, 1.5),
        ([5, 4, 3, 2, 1], 0.1, "edge", 2, 2),
        ([3.0, 3.01, 3.0, 3.02, 3.01], 0.5, "flat", 0.5, 2),
    ],
)
def test_verdicts(values, error, verdict, low, high):
    (row,) = distance_minimum(table(values, error), seed=0)
    assert (row["verdict"], row["low"], row["high"]) == (verdict, low, high)
    assert row["low"] <= row["delta_ratio"] <= row["high"] or verdict == "flat"


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 200 noisy parabolas with their minimum at 1.25, at least 90 % of the intervals hold it."""
    rng = np.random.default_rng(0)
    truth = (RATIOS - 1.25) ** 2
    hits = 0
    for seed in range(200):
        (row,) = distance_minimum(table(list(truth + 0.05 * rng.standard_normal(5)), 0.05), seed)
        hits += row["low"] <= 1.25 <= row["high"]
    assert hits >= 180


def test_images_are_resampled_together():
    """Images differ far more than the curve bends; as each keeps its offset, the minimum is certain all the same."""
    offsets = 100 * np.random.default_rng(0).standard_normal(50)
    bits = (RATIOS[:, None] - 1.25) ** 2 + offsets
    row = likelihood_minimum(RATIOS, bits, 200, seed=0)
    assert (row["delta_ratio"], row["low"], row["high"], row["verdict"]) == (1.25, 1.25, 1.25, "inside")


def test_two_values_have_no_minimum_to_speak_of():
    with pytest.raises(UserError, match="three δ/σ or more, not 2"):
        minimum_row(RATIOS[:2], np.zeros(2), np.zeros((5, 2)))
