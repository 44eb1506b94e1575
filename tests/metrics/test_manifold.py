import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from ihdm.metrics import neighbours
from ihdm.metrics.distance import extrapolate
from ihdm.metrics.estimates import NORMAL_95, NOT_NEGATIVE, SHARE, Estimate, student_95
from ihdm.metrics.manifold import manifold_measures
from ihdm.metrics.memorization import memorization_measures, memorization_rows, nearest_distances
from ihdm.metrics.spectrum import spectral_distance


def brute_force(samples: np.ndarray, real: np.ndarray, k: int) -> dict[str, float]:
    """The definitions, pair by pair."""

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a - b))

    def radius(points: np.ndarray, i: int) -> float:
        return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    sample_radii = [radius(samples, i) for i in range(len(samples))]
    inside = np.array([[distance(s, r) <= real_radii[i] for i, r in enumerate(real)] for s in samples])
    recalled = np.array([[distance(s, r) <= sample_radii[j] for r in real] for j, s in enumerate(samples)])
    return {
        "precision": inside.any(axis=1).mean(),
        "recall": recalled.any(axis=0).mean(),
        "density": inside.sum() / (k * len(samples)),
        "coverage": inside.any(axis=0).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block_values", [64, 2**24])
def test_measures_are_their_definitions(k, block_values, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_VALUES", block_values)
    rng = np.random.default_rng(k)
    samples, real = rng.standard_normal((40, 6)) * 1.2 + 0.3, rng.standard_normal((31, 6))
    found = manifold_measures(samples, real, k)
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(brute_force(samples, real, k))


def test_sets_far_apart_share_nothing():
    samples, real = np.random.default_rng(0).standard_normal((2, 50, 4))
    assert all(estimate.value == 0 for estimate in manifold_measures(samples + 100, real, 5).values())
    same = manifold_measures(real, real, 5)
    assert same["precision"].value == same["recall"].value == same["coverage"].value == 1


def test_nearest_distances_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    train, points = rng.integers(0, 256, (90, 48), dtype=np.uint8), rng.integers(0, 256, (20, 48), dtype=np.uint8)
    expected, _ = NearestNeighbors(n_neighbors=1).fit(train.astype(float)).kneighbors(points.astype(float))
    for chunk in (7, 90, 1000):
        np.testing.assert_allclose(nearest_distances(points, train, chunk), expected[:, 0])


def test_copies_are_found():
    """Of 50 samples 20 are training images; the others are as new as the held-out ones."""
    rng = np.random.default_rng(0)
    train, held_out, new = (rng.integers(0, 256, (count, 64), dtype=np.uint8) for count in (200, 100, 30))
    samples = np.concatenate([train[:20], new])
    rows = memorization_rows({("pixels", "0"): {"samples": samples, "test": held_out, "train": train}})
    by_key = {(row["set"], row["metric"]): row for row in rows}
    assert 0.4 <= by_key["samples", "share_near"]["value"] < 0.55
    assert by_key["test", "share_near"]["value"] == 0.05
    assert np.isnan(by_key["test", "share_near"]["standard_error"])  # so by definition
    assert by_key["samples", "nearest_distance"]["value"] < by_key["test", "nearest_distance"]["value"] < 8
    assert nearest_distances(train[:20], train, 64).max() == 0


def test_copies_are_found_exactly():
    """With the chunks that the pipeline uses, and pixels whose mean is no integer: the distance of a copy is zero."""
    train = np.random.default_rng(1).integers(0, 256, (700, 768), dtype=np.uint8)
    rows = memorization_rows({("pixels", "0"): {"samples": train[::3], "test": train[:50] // 2, "train": train}})
    by_key = {(row["set"], row["metric"]): row for row in rows}
    assert by_key["samples", "nearest_distance"]["value"] == 0
    assert by_key["test", "nearest_distance"]["value"] > 1


@pytest.mark.parametrize("count", [200, 1000])
def test_error_of_share_near_is_its_spread(count):
    """Over 400 pairs of sets, whose distances have one distribution; 200 images alone would claim 0.015, not 0.021.

    What is added for shares near none makes it a little too wide.
    """
    rng = np.random.default_rng(0)
    found = [
        memorization_measures(rng.gamma(9, 1, count), rng.gamma(9, 1, count))["samples"]["share_near"]
        for _ in range(400)
    ]
    claimed = np.sqrt(np.mean([estimate.standard_error**2 for estimate in found]))
    spread = np.std([estimate.value for estimate in found])  # known to about 4 %
    assert 0.9 * spread < claimed < 1.2 * spread


def test_a_share_of_none_has_an_error():
    """Of 200 samples none is near: an exact 95 % interval reaches to 1.8 %."""
    held_out = np.linspace(1, 2, 200)
    share = memorization_measures(np.full(200, 5.0), held_out)["samples"]["share_near"]
    assert share.value == 0
    assert 0.01 < share.high < 0.03


def check_interval(estimate: Estimate, low: float, high: float) -> None:
    """It lies in bounds and around its value, and but for them is as wide as the error says."""
    assert low <= estimate.low <= estimate.value <= estimate.high <= high
    width = student_95(estimate.degrees) * estimate.standard_error
    assert estimate.low == max(low, estimate.value - width)
    assert estimate.high == min(high, estimate.value + width)


@given(
    seed=st.integers(0, 2**16),
    num_samples=st.integers(4, 30),
    num_real=st.integers(4, 30),
    shift=st.floats(0, 3),
    k=st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_intervals_of_shares_stay_shares(seed, num_samples, num_real, shift, k):
    rng = np.random.default_rng(seed)
    samples, real = rng.standard_normal((num_samples, 3)) + shift, rng.standard_normal((num_real, 3))
    found = manifold_measures(samples, real, k)
    for name in ("precision", "recall", "coverage"):
        check_interval(found[name], *SHARE)
    check_interval(found["density"], *NOT_NEGATIVE)
    near, held_out = rng.gamma(2, 1, num_samples), rng.gamma(2, 1, num_real) + shift
    measures = memorization_measures(near, held_out)
    check_interval(measures["samples"]["share_near"], *SHARE)
    for part in measures.values():
        check_interval(part["nearest_distance"], *NOT_NEGATIVE)
    power, reference = rng.exponential(size=(num_samples, 5)) + 0.01, rng.exponential(size=5) + 0.01
    check_interval(spectral_distance(power, reference, 20), *NOT_NEGATIVE)


def test_intervals_are_clipped_to_possible_values():
    """Value and standard error stay what they are."""
    estimate = Estimate(0.98, 0.05, SHARE)
    columns = estimate.columns()
    assert math.isnan(columns.pop("degrees"))
    assert columns == {
        "value": 0.98,
        "standard_error": 0.05,
        "low": 0.98 - NORMAL_95 * 0.05,
        "high": 1.0,
        "error_parts": "",
    }
    assert Estimate(0.02, 0.05).low < 0 == Estimate(0.02, 0.05, NOT_NEGATIVE).low
    assert math.isnan(Estimate(math.nan, math.nan, SHARE).low)
    assert math.isnan(Estimate(0.05, math.nan, SHARE).high)  # by definition


def test_share_near_of_equal_distances():
    distances = np.linspace(1, 2, 100)
    assert memorization_measures(distances, distances)["samples"]["share_near"].value == pytest.approx(0.05)


def test_spectral_distance_of_a_constant_factor():
    """Power times e^a everywhere gives |a|, and with noise of known size its standard error is that of the mean."""
    rng = np.random.default_rng(0)
    reference = np.exp(-np.arange(6.0))
    power = reference * np.exp(0.7) * np.ones((50, 1))
    assert spectral_distance(power, reference, 20).value == pytest.approx(0.7)
    noisy = reference * (1 + 0.1 * rng.standard_normal((400, 1)))
    estimate = spectral_distance(noisy * 2, reference, 200)
    assert estimate.value == pytest.approx(np.log(2), abs=4 * 0.1 / 20)
    assert estimate.standard_error == pytest.approx(0.1 / 20, rel=0.2)


def test_extrapolation_finds_the_intercept():
    """A distance that is 3 + 50/n exactly; a noisy one within four standard errors of the choice of parts."""
    whole = Estimate(3 + 50 / 400, 0.2)
    exact = extrapolate(lambda part: 3 + 50 / len(part), 400, whole, seed=0)
    assert exact.value == pytest.approx(3, abs=1e-4)
    assert exact.standard_error == pytest.approx(0.2)  # the choice of parts adds none
    rng = np.random.default_rng(0)
    noisy = extrapolate(
        lambda part: 3 + 50 / len(part) + 0.01 * rng.standard_normal(), 400, Estimate(3 + 50 / 400, 0.0), seed=0
    )
    assert 0 < noisy.standard_error < 0.02
    assert abs(noisy.value - 3) < 4 * max(noisy.standard_error, 0.005)


def test_the_threshold_of_near_images_varies_over_photographs():
    """Its error is a jackknife over the photographs that held-out images are cut from; far samples are near in none."""
    rng, photographs = np.random.default_rng(0), np.arange(210) % 7
    samples, held_out = 4 + rng.gamma(4, size=200), 2 * rng.random(7)[photographs] + rng.gamma(4, size=210)
    near, independent, far = (
        memorization_measures(*given)["samples"]["share_near"]
        for given in ((samples - 3, held_out, photographs), (samples - 3, held_out), (samples, held_out, photographs))
    )
    assert near.value == independent.value > 0
    assert near.standard_error > independent.standard_error
    assert 6 < near.degrees < 199
    assert (far.value, far.degrees) == (0, math.inf)
    held = memorization_measures(samples, held_out, photographs)["test"]["nearest_distance"]
    assert held.degrees == 6
