"""95 % intervals hold the truth about 95 % of the time, at the numbers of images of the quick run.

For each kind of interval data with a known truth are simulated many times. The truth of a statistic whose expectation
depends on n, such as the Fréchet distance, is its mean over the simulations. docs/metrics.md shows the shares.
"""

from collections.abc import Callable

import numpy as np
import pytest
from ihdm.metrics.disentanglement import share_errors, share_interval, variance_shares

from ihdm.metrics.estimates import (
    NOT_NEGATIVE,
    Estimate,
    jackknife,
    jackknife_by_picture,
    mean_estimate,
    ratio_estimate,
    share_estimate,
)
from ihdm.metrics.frechet import FrechetDistance, Gaussian
from ihdm.metrics.kernel import kernel_distance, mean_over_pairs
from ihdm.metrics.manifold import manifold_measures
from ihdm.metrics.memorization import NEAR, memorization_measures
from ihdm.metrics.minimum import likelihood_minimum
from ihdm.metrics.spectrum import fit_alpha

Draw = Callable[[np.random.Generator], Estimate]


def coverage(draw: Draw, repeats: int, truth: float | None) -> float:
    rng = np.random.default_rng(0)
    found = [draw(rng) for _ in range(repeats)]
    aim = float(np.mean([one.value for one in found])) if truth is None else truth
    return float(np.mean([one.low <= aim <= one.high for one in found]))


def frechet(num_features: int, degrees: float) -> Draw:
    """Of 400 samples with heavy tails, from a Gaussian reference."""
    reference = Gaussian.of(np.random.default_rng(1).standard_normal((4000, num_features)).astype(np.float32))

    def draw(rng: np.random.Generator) -> Estimate:
        samples = rng.standard_t(degrees, (400, num_features)).astype(np.float32)
        distance = FrechetDistance(samples, reference)
        return jackknife(distance.value, len(samples), 50, int(rng.integers(2**31)), NOT_NEGATIVE)

    return draw


def kernel(scale: float) -> Draw:
    reference = np.random.default_rng(1).standard_normal((2000, 16)).astype(np.float32)
    real_mean = mean_over_pairs(reference)
    return lambda rng: kernel_distance(
        (scale * rng.standard_normal((400, 16))).astype(np.float32), reference, real_mean
    )


def manifold(name: str, scale: float) -> Draw:
    reference = np.random.default_rng(1).standard_normal((400, 4)).astype(np.float32)
    return lambda rng: manifold_measures(scale * rng.standard_normal((400, 4)).astype(np.float32), reference, 5)[name]


def share_near(rng: np.random.Generator) -> Estimate:
    """Distances of 400 samples and 500 held-out images to training images, equally distributed."""
    samples, held_out = rng.gamma(4, size=400), rng.gamma(4, size=500)
    return memorization_measures(samples, held_out)["samples"]["share_near"]


def alpha(rng: np.random.Generator) -> Estimate:
    """1/f² with speckle, 500 independent images."""
    frequencies = np.linspace(0.2, 3.1, 16)
    power = frequencies**-2 * rng.exponential(size=(500, 16))

    def slope(part: np.ndarray) -> float:
        return fit_alpha(frequencies, power[part].mean(axis=0), 0.0, np.pi)

    return jackknife(slope, 500, 100, int(rng.integers(2**31)))


def alpha_by_picture(rng: np.random.Generator) -> Estimate:
    """The same of 70 squares of each of seven pictures, whose slopes differ."""
    frequencies, pictures = np.linspace(0.2, 3.1, 16), np.repeat(np.arange(7), 70)
    slopes = 2 + 0.3 * rng.standard_normal(7)
    power = frequencies ** -slopes[pictures][:, None] * rng.exponential(size=(490, 16))
    return jackknife_by_picture(lambda part: fit_alpha(frequencies, power[part].mean(axis=0), 0.0, np.pi), pictures)


def ratio(count: int) -> Draw:
    def draw(rng: np.random.Generator) -> Estimate:
        below = rng.gamma(4, size=count)
        return ratio_estimate(below * rng.gamma(20, size=count) / 20, below)

    return draw


KINDS: dict[str, tuple[Draw, int, float | None]] = {
    "Fréchet distance, n = 400, 16 features": (frechet(16, 8), 400, None),
    "Fréchet distance, n = 400, 64 features": (frechet(64, 8), 300, None),
    "kernel distance, n = 400, equal sets": (kernel(1.0), 400, None),
    "kernel distance, n = 400, different sets": (kernel(1.1), 400, None),
    "precision, n = 400": (manifold("precision", 1.3), 200, None),
    "recall, n = 400": (manifold("recall", 0.6), 200, None),
    "density, n = 400": (manifold("density", 1.3), 200, None),
    "coverage, n = 400": (manifold("coverage", 1.3), 200, None),
    "share near training images, n = 400": (share_near, 1000, NEAR),
    "share, n = 100, of 10 %": (lambda rng: share_estimate(rng.random(100) < 0.1), 2000, 0.1),
    "α, 500 images": (alpha, 400, None),
    "α, squares of 7 pictures": (alpha_by_picture, 400, None),
    "mean over 10 trees (hierarchy)": (lambda rng: mean_estimate(rng.gamma(16, size=10)), 2000, 16.0),
    "mean over 16 images (input gradients)": (lambda rng: mean_estimate(rng.gamma(16, size=16)), 2000, 16.0),
    "mean over 32 pairs (interpolation)": (lambda rng: mean_estimate(rng.gamma(4, size=32)), 2000, 4.0),
    "mean over 24 images (PSNR)": (lambda rng: mean_estimate(rng.standard_normal(24)), 2000, 0.0),
    "mean over 200 images (likelihood)": (lambda rng: mean_estimate(rng.gamma(2, size=200)), 2000, 2.0),
    "ratio of means, 32 images": (ratio(32), 2000, 1.0),
}
"""By name: one estimate from new data, how often it is made, and the truth or None for its mean."""


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth(kind, record_property):
    share = coverage(*KINDS[kind])
    record_property("coverage", share)
    print(f"{kind}: {share:.3f}")
    assert 0.925 <= share <= 0.995


@pytest.mark.parametrize("dims", [1, 3, 64])
@pytest.mark.parametrize("weights", [(0.8, 0.1, 0.1), (0.1, 0.6, 0.3)])
def test_intervals_of_shares_hold_the_truth(dims, weights):
    """Variance shares of 8 starts and 8 noises, of one, three and 64 numbers an image."""
    rng, (start, noise, both), found = np.random.default_rng(0), np.sqrt(weights), []
    for _ in range(300):
        values = start * rng.standard_normal((8, 1, dims)) + noise * rng.standard_normal((1, 8, dims))
        values = values + both * rng.standard_normal((8, 8, dims))
        low, high = share_interval(variance_shares(values).start, share_errors(values)["start"])
        found.append(low <= weights[0] <= high)
    print(f"shares {weights} of {dims}: {np.mean(found):.3f}")
    assert 0.925 <= np.mean(found) <= 0.995


def test_the_place_of_the_minimum_of_the_bound_holds_the_truth():
    """Bounds of 200 images, parabolas in δ/σ with a common minimum at 1.1, and noise that images share over δ."""
    ratios, hits = np.round(np.linspace(1, 1.5, 51), 4), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        places = 1.1 + 0.3 * rng.standard_normal(200)
        bits = (ratios[:, None] - places) ** 2 + rng.standard_normal(200)
        row = likelihood_minimum(ratios, bits, 200, seed)
        hits += bool(row["low"] <= 1.1 <= row["high"])
    print(f"minimum of the bound: {hits / 200:.3f}")
    assert 0.925 <= hits / 200 <= 0.995
