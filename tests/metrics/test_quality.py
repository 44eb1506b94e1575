"""The distance that may rank sets never prefers noisy or blurred images to real ones."""

from types import SimpleNamespace

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


@pytest.fixture(scope="module", params=[("photos", "pca"), ("digits", "dct")], ids="-".join)
def real(request) -> SimpleNamespace:
    """400 real images, the others, and the distance of a set from these."""
    source, extractor = request.param
    train = request.getfixturevalue(source)["train"]
    features = fit_extractor(extractor, train)
    reference = features.transform(train[400:])
    mean = mean_over_pairs(reference)
    images = train[:400]
    return SimpleNamespace(
        source=source,
        images=images,
        others=train[400:],
        extractor=features.name,
        noise=255 * np.random.default_rng(0).standard_normal(images.shape),
        distance=lambda part: kernel_distance(features.transform(np.rint(part).astype(np.uint8)), reference, mean),
    )


def test_fine_noise_that_the_kernel_distance_does_not_see(real):
    """As docs/metrics.md says: the finest band shows this noise in photographs, which have little power there."""
    noise, power = {"photos": (0.1, 3.0), "digits": (0.05, 1.0)}[real.source]
    noisy = np.clip(real.images + noise * real.noise, 0, 255).round()
    clean, other = map(real.distance, (real.images, noisy))
    assert abs(other.value - clean.value) < clean.standard_error
    finest = [band_power(part / 255).mean(axis=0)[-1] for part in (noisy, real.others)]
    assert finest[0] / finest[1] > power


def test_real_images_rank_before_noisy_and_blurred_ones(real):
    """400 real images against the others, then the same images with noise and with a blur of one pixel.

    The 64 components of photographs see little of fine noise; power in the finest band, shown next to it, does.
    """
    assert ranking_distance(real.extractor, len(real.images)) == "kernel_distance"
    found = real.distance(real.images)
    assert abs(found.value) < 2.5 * found.standard_error
    noise = {"photos": 0.2, "digits": 0.1}[real.source]
    noisy = np.clip(real.images + noise * real.noise, 0, 255)
    for part in (noisy, gaussian_filter(real.images.astype(np.float64), (0, 1, 1, 0))):
        assert real.distance(part).low > found.value
