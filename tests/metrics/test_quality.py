"""The distance that may rank sets never prefers noisy or blurred images to real ones."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from ihdm.metrics.extractors import fit_extractor
from ihdm.metrics.frechet_kernel import kernel_distance, mean_over_pairs
from ihdm.metrics.quality import ranking_distance
from ihdm.metrics.spectrum import band_power


@pytest.mark.parametrize(
    ("extractor", "n", "metric"),
    [
        ("inception", 50_000, "fid"),
        ("inception", 10_000, "kid"),
        ("dct64", 1280, "frechet_distance"),
        ("pca64", 400, "kernel_distance"),
        ("efficientnet_lite0", 10_000, "kernel_distance"),
    ],
)
def test_the_frechet_distance_needs_twenty_images_for_each_feature(extractor, n, metric):
    assert ranking_distance(extractor, n) == metric


@pytest.mark.parametrize(
    ("source", "extractor", "noise", "power"), [("photos", "pca", 0.1, 3.0), ("digits", "dct", 0.05, 1.0)]
)
def test_fine_noise_that_the_kernel_distance_does_not_see(source, extractor, noise, power, request):
    """As docs/metrics.md says: the finest band shows this noise in photographs, which have little power there."""
    train = request.getfixturevalue(source)["train"]
    images, others = train[:400], train[400:]
    features = fit_extractor(extractor, train)
    reference = features.transform(others)
    mean = mean_over_pairs(reference)
    noisy = np.clip(images + 255 * noise * np.random.default_rng(0).standard_normal(images.shape), 0, 255)
    noisy = noisy.round().astype(np.uint8)
    clean, other = (kernel_distance(features.transform(part), reference, mean) for part in (images, noisy))
    assert abs(other.value - clean.value) < clean.standard_error
    finest = [band_power(part / 255).mean(axis=0)[-1] for part in (noisy, others)]
    assert finest[0] / finest[1] > power


@pytest.mark.parametrize(("source", "extractor", "noise"), [("photos", "pca", 0.2), ("digits", "dct", 0.1)])
def test_real_images_rank_before_noisy_and_blurred_ones(source, extractor, noise, request):
    """400 real images against the others, then the same images with noise and with a blur of one pixel.

    The 64 components of photographs see little of fine noise; power in the finest band, shown next to it, does.
    """
    train = request.getfixturevalue(source)["train"]
    images, others = train[:400], train[400:]
    features = fit_extractor(extractor, train)
    assert ranking_distance(features.name, len(images)) == "kernel_distance"
    reference = features.transform(others)
    mean = mean_over_pairs(reference)
    added = 255 * noise * np.random.default_rng(0).standard_normal(images.shape)
    changed = (np.clip(images + added, 0, 255), gaussian_filter(images.astype(np.float64), (0, 1, 1, 0)))
    real = kernel_distance(features.transform(images), reference, mean)
    assert abs(real.value) < 2.5 * real.standard_error
    for part in changed:
        worse = kernel_distance(features.transform(part.round().astype(np.uint8)), reference, mean)
        assert worse.low > real.value
