import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from ihdm.config.stages import DistanceSettings
from ihdm.errors import UserError
from ihdm.metrics import features as features_module
from ihdm.metrics.distance import (
    can_extrapolate,
    distance_rows,
    extrapolate,
    held_out_rows,
    measure_distances,
    real_rows,
)
from ihdm.metrics.estimates import Estimate, jackknife, mean_estimate
from ihdm.metrics.features import CosineFeatures, PrincipalFeatures, StoredFeatures, extract
from ihdm.metrics.frechet_kernel import FrechetDistance, Gaussian, Moments, kernel_distance, mean_over_pairs
from ihdm.metrics.manifold import manifold_measures


def settings_of(*num_images: int, seed: int = 0) -> DistanceSettings:
    return DistanceSettings(num_images=num_images, num_resamples=100, num_neighbors=5, extrapolate=False, seed=seed)


def correlated(seed: int, count: int = 300, dim: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(dim)


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    return FrechetDistance(first, Gaussian.of(second)).value(np.arange(len(first)))


def kernel(first: np.ndarray, second: np.ndarray) -> Estimate:
    return kernel_distance(first, second, mean_over_pairs(second))


def with_moments(mean: np.ndarray, deviations: np.ndarray, count: int = 50) -> np.ndarray:
    """Features with exactly this mean and independent dimensions of exactly these deviations."""
    centered = np.random.default_rng(0).standard_normal((count, len(mean)))
    orthonormal, _ = np.linalg.qr(centered - centered.mean(axis=0))
    return mean + orthonormal * np.sqrt(count - 1) * deviations


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")
def test_frechet_agrees_with_clean_fid():
    from cleanfid.fid import frechet_distance as reference

    first, second = correlated(0), correlated(1)
    expected = reference(
        first.mean(axis=0), np.cov(first, rowvar=False), second.mean(axis=0), np.cov(second, rowvar=False)
    )
    assert frechet(first, second) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [6, 40])  # fewer and more than dimensions
def test_frechet_by_eigenvalues_of_the_product(count):
    """tr (Σ₁ Σ₂)^½ as the roots of the eigenvalues of Σ₁ Σ₂ itself, which is not symmetric."""
    first, second = correlated(2, count), correlated(3, 60)
    covariances = [np.cov(features, rowvar=False) for features in (first, second)]
    roots = np.sqrt(np.clip(np.linalg.eigvals(covariances[0] @ covariances[1]).real, 0, None))
    difference = first.mean(axis=0) - second.mean(axis=0)
    expected = difference @ difference + np.trace(sum(covariances)) - 2 * roots.sum()
    assert frechet(first, second) == pytest.approx(expected, rel=1e-5)


def test_frechet_of_gaussians_in_closed_form():
    """Commuting covariances: d² = ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)², here with a dimension that does not vary at all."""
    first = with_moments(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 0.0]))
    second = with_moments(np.array([1.0, 1.0, 0.0]), np.array([3.0, 0.5, 0.0]))
    assert frechet(first, second) == pytest.approx(1 + 4 + 4 + 2.25)


@pytest.mark.parametrize("size", [8, 200])  # fewer and more than dimensions
def test_frechet_of_a_part_is_that_of_the_part_alone(size):
    """The set is centered and projected once for all of its parts."""
    features, reference = correlated(0), Gaussian.of(correlated(1))
    part = np.random.default_rng(0).permutation(len(features))[:size]
    alone = FrechetDistance(features[part], reference).value(np.arange(size))
    assert FrechetDistance(features, reference).value(part) == pytest.approx(alone, rel=1e-9)


def test_frechet_does_not_lose_digits_far_from_the_origin():
    """A million away from it, where squares of features have but four digits left for the distance."""
    first, second = correlated(0), correlated(1)
    assert frechet(first + 1e6, second + 1e6) == pytest.approx(frechet(first, second), rel=1e-7)


@given(seed=st.integers(0, 2**16), count=st.integers(3, 40))
@settings(deadline=None, max_examples=30)
def test_frechet_is_a_distance(seed, count):
    first, second = correlated(seed, count, 6), correlated(seed + 1, count, 6)
    forth, back = frechet(first, second), frechet(second, first)
    scale = first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum()
    assert forth == pytest.approx(back, abs=1e-6 * scale)
    assert forth >= 0
    assert frechet(first, first) == pytest.approx(0, abs=1e-6 * scale)


def test_kernel_distance_agrees_with_clean_fid():
    from cleanfid.fid import kernel_distance as reference

    first, second = correlated(0), correlated(1)
    # One subset that holds everything is the estimate itself.
    expected = reference(first, second, num_subsets=1, max_subset_size=len(first))
    assert kernel(first, second).value == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_unbiased():
    """Between two sets of one distribution it is zero on average, within four standard errors of the average."""
    values = [kernel(*np.random.default_rng(seed).standard_normal((2, 20, 4))).value for seed in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_standard_error_of_the_kernel_distance_is_its_spread(scale):
    """Over 300 fresh sets, of the reference's own distribution, where the first-order term vanishes, and of another."""
    reference = np.random.default_rng(99).standard_normal((400, 4))
    estimates = [kernel(np.random.default_rng(seed).standard_normal((60, 4)) * scale, reference) for seed in range(300)]
    spread = np.std([estimate.value for estimate in estimates], ddof=1)
    claimed = np.sqrt(np.mean([estimate.standard_error**2 for estimate in estimates]))
    assert claimed == pytest.approx(spread, rel=0.2)  # a standard deviation of 300 values is known to about 4–8 %


@pytest.mark.parametrize("block", [1, 7, 300, 1000])
def test_blocks_do_not_change_the_mean_over_pairs(block):
    features = correlated(4)
    kernels = (features @ features.T / features.shape[1] + 1) ** 3
    expected = kernels[~np.eye(len(features), dtype=bool)].mean()
    assert mean_over_pairs(features, block) == pytest.approx(expected)
    whole, cut = (kernel_distance(features, correlated(5), 1.0, size) for size in (300, block))
    assert cut.value == pytest.approx(whole.value)
    assert cut.standard_error == pytest.approx(whole.standard_error)


def test_jackknife_knows_the_error_of_a_mean():
    values = np.random.default_rng(0).standard_normal(400)
    estimate = jackknife(lambda part: float(values[part].mean()), 400, 2000, seed=1)
    exact = mean_estimate(values)
    assert estimate.value == pytest.approx(exact.value)
    assert estimate.standard_error == pytest.approx(exact.standard_error, rel=0.08)
    assert estimate.low < estimate.value < estimate.high
    assert estimate == jackknife(lambda part: float(values[part].mean()), 400, 2000, seed=1)


def test_jackknife_repeats_no_image():
    def value(part: np.ndarray) -> float:
        assert len(set(part.tolist())) == len(part)
        return float(part.sum())

    for count in (2, 3, 10, 101):
        assert jackknife(value, count, 20, seed=0).value == count * (count - 1) / 2


@pytest.mark.parametrize("dim", [4, 64])
@pytest.mark.parametrize("count", [100, 500])
def test_standard_errors_are_the_spread_over_fresh_sets(dim, count):
    """The claimed error of a Fréchet distance against the spread over 150 sets of the same size, known to about 6 %.

    In 64 dimensions it may be up to 1.6 times too wide; a bootstrap claims twice as much at 500 images, 4 times at 100.
    """
    reference = Gaussian.of(np.random.default_rng(9999).standard_normal((2000, dim)))

    def distance(seed: int) -> FrechetDistance:
        points = np.random.default_rng(seed).standard_normal((count, dim)) * (1.5 if dim == 4 else 1.1)
        return FrechetDistance(points, reference)

    spread = np.std([distance(seed).value(np.arange(count)) for seed in range(150)], ddof=1)
    variances = [jackknife(distance(seed).value, count, 60, seed).standard_error ** 2 for seed in range(12)]
    claimed = np.sqrt(np.mean(variances))
    low, high = (0.75, 1.25) if dim == 4 else (0.85, 1.6)
    assert low < claimed / spread < high


def test_extrapolated_distance_and_its_standard_error():
    """Over 60 fresh sets in 16 dimensions: its mean is the distance of infinitely many, within a tenth of the bias."""
    reference = np.random.default_rng(9999).standard_normal((3000, 16))
    gaussian, scale = Gaussian.of(reference), 1.2
    found, wholes = [], []
    for seed in range(60):
        distance = FrechetDistance(np.random.default_rng(seed).standard_normal((400, 16)) * scale, gaussian)
        wholes.append(jackknife(distance.value, 400, 40, seed))
        found.append(extrapolate(distance.value, 400, wholes[-1], seed))
    mean, covariance = reference.mean(axis=0), np.cov(reference, rowvar=False)
    roots = np.sqrt(np.linalg.eigvalsh(covariance))
    exact = mean @ mean + np.square(roots - scale).sum()
    bias = np.mean([whole.value for whole in wholes]) - exact
    assert bias > 0.2
    assert abs(np.mean([estimate.value for estimate in found]) - exact) < 0.1 * bias + 0.03
    spread = np.std([estimate.value for estimate in found], ddof=1)  # known to about 9 %
    claimed = np.sqrt(np.mean([estimate.standard_error**2 for estimate in found]))
    assert 0.8 < claimed / spread < 1.4


def test_nothing_is_extrapolated_from_singular_covariances():
    """The smallest part, a quarter, must have more images than features."""
    assert can_extrapolate(260, 64)
    assert not can_extrapolate(259, 64)
    chosen = settings_of(100).model_copy(update={"extrapolate": True})
    for dim, is_there in ((12, True), (30, False)):
        reference = correlated(1, 300, dim)
        found = measure_distances(correlated(0, 100, dim), reference, Moments.of(reference), chosen)
        assert ("frechet_distance_extrapolated" in found) is is_there


@given(seed=st.integers(0, 2**16), count=st.integers(8, 20))
@settings(deadline=None, max_examples=15)
def test_only_unbiased_distances_reach_below_zero(seed, count):
    """Of sets that are alike: an interval of the Fréchet distance ends at zero, one of the kernel distance goes on."""
    features, reference = np.random.default_rng(seed).standard_normal((2, count, 2))
    chosen = settings_of(count).model_copy(update={"num_resamples": 20})
    found = measure_distances(features, reference, Moments.of(reference), chosen)
    assert 0 <= found["frechet_distance"].low <= found["frechet_distance"].value
    estimate = found["kernel_distance"]
    assert estimate.high - estimate.value == pytest.approx(estimate.value - estimate.low)
    same = measure_distances(features, features, Moments.of(features), chosen)["frechet_distance"]
    assert 0 <= same.low <= same.value == pytest.approx(0, abs=1e-6)


def test_too_few_images():
    with pytest.raises(UserError, match="at least 2"):
        Gaussian.of(np.ones((1, 3)))
    with pytest.raises(UserError, match="at least 2"):
        frechet(np.ones((1, 3)), np.eye(3))
    with pytest.raises(UserError, match="2 images are too few; at least 3 are needed"):
        kernel(np.ones((2, 3)), np.ones((5, 3)))
    with pytest.raises(UserError, match="1 images make no pair; at least 2 are needed"):
        kernel(np.ones((3, 3)), np.ones((1, 3)))
    with pytest.raises(UserError, match="5 neighbours need 6 images or more on each side, not 5 and 9"):
        manifold_measures(np.ones((5, 3)), np.ones((9, 3)), 5)
    with pytest.raises(UserError, match=r"pca needs 64 reference images .* there are 63 images of 192 values"):
        PrincipalFeatures.fit(np.zeros((63, 8, 8, 3), dtype=np.uint8))


def test_constant_pixels_leave_too_few_components():
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), dtype=np.uint8)
    images[:, :, 0] = 0
    with pytest.raises(UserError, match=r"pca needs 64 components that vary, and these images have 56"):
        PrincipalFeatures.fit(images)
    with pytest.raises(UserError, match="these images have 0"), np.errstate(invalid="ignore"):
        PrincipalFeatures.fit(np.zeros((200, 8, 8, 1), dtype=np.uint8))
    for estimate in (lambda: mean_estimate(np.ones(1)), lambda: jackknife(len, 1, 20, 0)):
        with pytest.raises(UserError, match="1 images have no standard error; at least 2 are needed"):
            estimate()


@pytest.mark.parametrize("space", ["dct", "pca"])
def test_blurred_images_are_further_than_real_ones(space, digits):
    real = digits["train"]
    if space == "pca":
        import skimage.data

        windows = np.lib.stride_tricks.sliding_window_view(skimage.data.coffee(), (8, 8), axis=(0, 1))[::4, ::4]
        real = np.random.default_rng(0).permutation(np.moveaxis(windows.reshape(-1, 3, 8, 8), 1, -1))[:1000]
    blurred = np.broadcast_to(real.mean(axis=(1, 2), keepdims=True), real.shape).astype(np.uint8)
    extractor = CosineFeatures(64) if space == "dct" else PrincipalFeatures.fit(real[200:])
    train, samples = extract(extractor, real), extract(extractor, blurred[:200])
    moments = Moments.of(train[:])
    rows = distance_rows({"blurred": samples}, train, moments, settings_of(200))
    rows += real_rows(train, extract(extractor, real[:150]), train, moments, settings_of(200))
    by_key = {(row["set"], row["metric"]): row for row in rows}
    # A third-degree kernel tells little in 64 whitened dimensions at this number of images.
    for metric in ("frechet_distance", "kernel_distance") if space == "dct" else ("frechet_distance",):
        assert by_key["train", metric]["high"] < by_key["blurred", metric]["low"]
    for metric in ("recall", "coverage"):
        assert by_key["train", metric]["low"] > by_key["blurred", metric]["high"]
    assert by_key["test", "frechet_distance"]["note"] == "200 images are needed, not 150"
    assert by_key["blurred", "frechet_distance"]["n_reference"] == len(real)
    assert by_key["train", "frechet_distance"]["n_reference"] == len(real) - 200
    assert {row["n"] for row in rows} == {200}
    assert {(row["extractor"], row["extractor_sha256"]) for row in rows} == {(extractor.name, extractor.sha256)}


def test_several_numbers_of_images():
    """Each number is measured alike, and the floor only where as many are left to measure it from."""

    def features(seed: int, count: int) -> StoredFeatures:
        return StoredFeatures(correlated(seed, count).astype(np.float32), "x", "0")

    train, samples = features(0, 250), features(1, 200)
    settings = settings_of(100, 200)
    moments = Moments.of(train[:])
    rows = distance_rows({"samples": samples}, train, moments, settings)
    rows += real_rows(train, features(2, 100), train, moments, settings)
    found = {(row["set"], row["n"]): row for row in rows if row["metric"] == "frechet_distance"}
    exact = frechet(samples[:100], train[:])
    assert found["samples", 100]["value"] == pytest.approx(exact, rel=1e-6)
    floor = frechet(train[:100], train[100:])
    assert found["train", 100]["value"] == pytest.approx(floor, rel=1e-6)
    assert np.isfinite(found["test", 100]["value"])
    assert found["train", 200]["note"] == "400 images are needed, not 250"
    assert np.isnan(found["test", 200]["value"])
    with pytest.raises(UserError, match="samples: 300 images are requested but there are features of 200"):
        distance_rows({"samples": samples}, train, moments, settings_of(300))


def test_cosine_features_keep_distances():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    features = CosineFeatures(144).transform(images)
    pixels = images.reshape(5, -1) / 255
    np.testing.assert_allclose(np.linalg.norm(features[0] - features[1]), np.linalg.norm(pixels[0] - pixels[1]))


def test_features_are_made_without_a_second_copy(monkeypatch):
    """float32, a few images at a time, with little more memory than they need in the end."""
    monkeypatch.setattr(features_module, "CHUNK_VALUES", 64 * 10)
    images = np.random.default_rng(0).integers(0, 256, (3001, 8, 8, 1), dtype=np.uint8)
    done: list[int] = []
    tracemalloc.start()
    stored = extract(CosineFeatures(64), images, done.append)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stored.values.dtype == np.float32
    assert peak < 1.5 * stored.values.nbytes
    assert done[-1] == 3001
    np.testing.assert_allclose(stored.values, CosineFeatures(64).transform(images), rtol=1e-6, atol=1e-6)


def test_cosine_features_of_large_images_are_refused():
    assert CosineFeatures(4096).name == "dct4096"
    with pytest.raises(UserError, match=r"12288 values of an image, .* use 'pca', 'efficientnet' or 'inception'"):
        CosineFeatures(64 * 64 * 3)


def test_principal_features_of_the_reference_are_white():
    images = np.random.default_rng(0).integers(0, 256, (400, 6, 6, 3), dtype=np.uint8)
    features = PrincipalFeatures.fit(images).transform(images)
    np.testing.assert_allclose(np.cov(features, rowvar=False), np.eye(64), atol=1e-8)


def test_distance_from_held_out_images_is_that_of_their_gaussians():
    """By definition, from moments; copies of training images are as near as these are."""
    rng = np.random.default_rng(0)
    samples, held_out = (rng.standard_normal((count, 3), np.float32) for count in (80, 60))
    stored = {name: StoredFeatures(values, "dct", "0") for name, values in (("samples", samples), ("test", held_out))}
    row, kernel = held_out_rows({"samples": stored["samples"]}, stored["test"], 20, 0)
    first, second = np.cov(samples, rowvar=False), np.cov(held_out, rowvar=False)
    expected = np.square(samples.mean(axis=0) - held_out.mean(axis=0)).sum()
    expected += np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    assert row["value"] == pytest.approx(expected, rel=1e-5)
    assert (row["set"], row["metric"], row["n"], row["n_reference"]) == ("samples", "frechet_distance_held_out", 80, 60)
    assert row["standard_error"] > 0
    direct = kernel_distance(samples, held_out, mean_over_pairs(held_out))
    assert kernel["metric"] == "kernel_distance_held_out"
    assert kernel["value"] == pytest.approx(direct.value, rel=1e-5)
    inception = {name: StoredFeatures(part.values, "inception", "0") for name, part in stored.items()}
    assert held_out_rows({"samples": inception["samples"]}, inception["test"], 2, 0)[0]["metric"] == "fid_held_out"
