"""95 % intervals hold the truth about 95 % of the time, at the numbers of images of the quick run.

For each kind of interval data with a known truth are simulated many times. The truth of a statistic whose expectation
depends on n, such as the Fréchet distance, is its mean over the simulations. docs/metrics.md shows the shares.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ihdm.claims.claim import measured
from ihdm.claims.decisions import Measured
from ihdm.measures.disentanglement import share_errors, share_interval, variance_shares
from ihdm.measures.minimum import distance_minimum, likelihood_minimum
from ihdm.metrics.estimates import (
    NOT_NEGATIVE,
    Estimate,
    jackknife,
    jackknife_by_photograph,
    mean_estimate,
    ratio_estimate,
    share_estimate,
)
from ihdm.metrics.frechet_kernel import FrechetDistance, Gaussian, kernel_distance, mean_over_pairs
from ihdm.metrics.manifold import manifold_measures
from ihdm.metrics.memorization import NEAR, memorization_measures
from ihdm.metrics.spectrum import fit_alpha

Draw = Callable[[np.random.Generator], Estimate | Measured]


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
    return jackknife_by_photograph(lambda part: fit_alpha(frequencies, power[part].mean(axis=0), 0.0, np.pi), pictures)


def mean_by_picture(rng: np.random.Generator) -> Estimate:
    """Mean over 28 or 29 squares of each of seven pictures, whose means differ."""
    pictures = np.arange(200) % 7
    return mean_estimate(rng.standard_normal(7)[pictures] + rng.standard_normal(200), photographs=pictures)


def ratio(count: int) -> Draw:
    def draw(rng: np.random.Generator) -> Estimate:
        below = rng.gamma(4, size=count)
        return ratio_estimate(below * rng.gamma(20, size=count) / 20, below)

    return draw


def paired(metric: str, own: float) -> Draw:
    """The difference of the distances of two sets of 400 samples from a reference, relative to the first.

    Args:
        metric: ``frechet_distance`` or ``kernel_distance``.
        own: share of the deviation that the second set does not share with the first; 1 for independent sets.
    """
    reference = np.random.default_rng(1).standard_normal((2000, 16)).astype(np.float32)
    gaussian, real_mean = Gaussian.of(reference), mean_over_pairs(reference)

    def distance(samples: np.ndarray, seed: int) -> Measured:
        if metric == "kernel_distance":
            found = kernel_distance(samples, reference, real_mean)
        else:
            found = jackknife(FrechetDistance(samples, gaussian).value, len(samples), 50, seed, NOT_NEGATIVE)
        return measured(pd.Series({**found.columns(), "n": len(samples)}))

    def draw(rng: np.random.Generator) -> Measured:
        first, other = (rng.standard_t(8, (400, 16)).astype(np.float32) for _ in range(2))
        second = np.sqrt(1 - own**2) * first + own * other
        return distance(1.1 * second, int(rng.integers(2**31))).minus(distance(1.05 * first, int(rng.integers(2**31))))

    return draw


KINDS: dict[str, tuple[Draw, int, float | None]] = {
    "Fréchet distance, n = 400, 16 features": (frechet(16, 8), 400, None),
    "Fréchet distance, n = 400, 64 features": (frechet(64, 8), 300, None),
    "difference of Fréchet distances, nearly equal sets": (paired("frechet_distance", 0.1), 400, None),
    "difference of Fréchet distances, related sets": (paired("frechet_distance", 0.7), 400, None),
    "difference of Fréchet distances, independent sets": (paired("frechet_distance", 1.0), 400, None),
    "difference of kernel distances, nearly equal sets": (paired("kernel_distance", 0.1), 400, None),
    "difference of kernel distances, related sets": (paired("kernel_distance", 0.7), 400, None),
    "difference of kernel distances, independent sets": (paired("kernel_distance", 1.0), 400, None),
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
    "mean over squares of 7 pictures (likelihood)": (mean_by_picture, 2000, 0.0),
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
        low, high = share_interval(variance_shares(values)["start"], share_errors(values)["start"])
        found.append(low <= weights[0] <= high)
    print(f"shares {weights} of {dims}: {np.mean(found):.3f}")
    assert 0.925 <= np.mean(found) <= 0.995


@pytest.mark.parametrize("num_pictures", [200, 7])
def test_the_place_of_the_minimum_of_the_bound_holds_the_truth(num_pictures):
    """Bounds of 200 images, parabolas in δ/σ with a common minimum at 1.1, and noise that images share over δ.

    The images are independent, or squares of seven pictures that agree on the place of their minimum.
    """
    ratios, hits, pictures = np.round(np.linspace(1, 1.5, 51), 4), 0, np.arange(200) % num_pictures
    for seed in range(200):
        rng = np.random.default_rng(seed)
        places = 1.1 + 0.3 * rng.standard_normal(200)[pictures] / np.sqrt(200 / num_pictures)
        bits = (ratios[:, None] - places) ** 2 + rng.standard_normal(200)
        row = likelihood_minimum(ratios, bits, 200, seed, None if num_pictures == 200 else pictures)
        hits += bool(row["low"] <= 1.1 <= row["high"])
    print(f"minimum of the bound, {num_pictures}: {hits / 200:.3f}")
    assert 0.925 <= hits / 200 <= 0.995


@pytest.mark.parametrize("shared", [0.0, 1.0])
def test_the_place_of_the_minimum_of_distances_holds_the_truth(shared):
    """Means over 400 images at five δ/σ, with noise of their own and some that images share over δ."""
    ratios, hits = np.array([0.5, 1.0, 1.25, 1.5, 2.0]), 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        values = (ratios[:, None] - 1.2) ** 2 + 0.5 * rng.standard_normal((5, 400)) + shared * rng.standard_normal(400)
        rows = [mean_estimate(row).columns() for row in values]
        named = {"set": "samples", "metric": "kernel_distance", "extractor": "dct64", "n": 400, "delta_ratio": ratios}
        (row,) = distance_minimum(pd.DataFrame(rows).assign(**named), seed)
        hits += bool(row["low"] <= 1.2 <= row["high"])
    print(f"minimum of distances, {shared:g}: {hits / 400:.3f}")
    assert hits / 400 >= 0.925  # a minimum between two of few places is known no better than that
