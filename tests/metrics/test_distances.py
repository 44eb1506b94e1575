import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ihdm.errors import UserError
from ihdm.metrics.bootstrap import bootstrap, mean_estimate
from ihdm.metrics.distance import distance_rows, measure_distances, real_rows
from ihdm.metrics.extrapolation import extrapolate
from ihdm.metrics.features import CosineFeatures, PrincipalFeatures, StoredFeatures, extract
from ihdm.metrics.frechet import FrechetDistance, frechet_distance, moments
from ihdm.metrics.kid import kernel_distance, mean_over_pairs
from ihdm.metrics.manifold import manifold_measures
from ihdm.settings import DistanceSettings


def settings_of(*num_images: int, seed: int = 0) -> DistanceSettings:
    return DistanceSettings(num_images=num_images, num_bootstrap=100, num_neighbours=5, extrapolate=False, seed=seed)


def correlated(seed: int, count: int = 300, dim: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(dim)


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")
def test_frechet_agrees_with_clean_fid():
    from cleanfid.fid import frechet_distance as reference

    first, second = moments(correlated(0)), moments(correlated(1))
    assert frechet_distance(first, second) == pytest.approx(reference(*first, *second), rel=1e-6)


def test_frechet_of_gaussians_in_closed_form():
    """Commuting covariances: d² = ‖μ₁ − μ₂‖² + Σ (σ₁ − σ₂)², here with a dimension that does not vary at all."""
    mean_1, mean_2 = np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0])
    sigma_1, sigma_2 = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 0.0])
    distance = frechet_distance((mean_1, np.diag(sigma_1**2)), (mean_2, np.diag(sigma_2**2)))
    assert distance == pytest.approx(1 + 4 + 4 + 2.25)


@given(seed=st.integers(0, 2**16), count=st.integers(3, 40))
@settings(deadline=None, max_examples=30)
def test_frechet_is_a_distance(seed, count):
    first, second = moments(correlated(seed, count, 6)), moments(correlated(seed + 1, count, 6))
    forth, back = frechet_distance(first, second), frechet_distance(second, first)
    scale = np.trace(first[1]) + np.trace(second[1])
    assert forth == pytest.approx(back, abs=1e-6 * scale)
    assert forth > -1e-6 * scale
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6 * scale)


def test_kernel_distance_agrees_with_clean_fid():
    from cleanfid.fid import kernel_distance as reference

    first, second = correlated(0), correlated(1)
    # One subset that holds everything is the estimate itself.
    expected = reference(first, second, num_subsets=1, max_subset_size=len(first))
    assert kernel_distance(first, second).value == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_unbiased():
    """Between two sets of one distribution it is zero on average, within four standard errors of the average."""
    values = [kernel_distance(*np.random.default_rng(seed).standard_normal((2, 20, 4))).value for seed in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("dim", [3, 12])  # fewer and more than images
def test_weights_are_repetitions(dim):
    features, reference = correlated(2, 6, dim), correlated(3, 40, dim)
    weights = np.array([2.0, 0, 1, 1, 2, 0])
    repeated = features[np.repeat(np.arange(6), weights.astype(int))]
    distance = FrechetDistance(reference)
    for found, chosen in ((distance.value(features), features), (distance.value(features, weights), repeated)):
        assert found == pytest.approx(frechet_distance(moments(chosen), moments(reference)), rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_standard_error_of_the_kernel_distance_is_its_spread(scale):
    """Over 300 fresh sets, of the reference's own distribution, where the first-order term vanishes, and of another."""
    reference = np.random.default_rng(99).standard_normal((400, 4))
    estimates = [
        kernel_distance(np.random.default_rng(seed).standard_normal((60, 4)) * scale, reference) for seed in range(300)
    ]
    spread = np.std([estimate.value for estimate in estimates], ddof=1)
    claimed = np.sqrt(np.mean([estimate.standard_error**2 for estimate in estimates]))
    assert claimed == pytest.approx(spread, rel=0.2)  # a standard deviation of 300 values is known to about 4–8 %


@pytest.mark.parametrize("block", [1, 7, 300, 1000])
def test_blocks_do_not_change_the_mean_over_pairs(block):
    features = correlated(4)
    kernel = (features @ features.T / features.shape[1] + 1) ** 3
    expected = kernel[~np.eye(len(features), dtype=bool)].mean()
    assert mean_over_pairs(features, block) == pytest.approx(expected)
    whole, cut = kernel_distance(features, correlated(5)), kernel_distance(features, correlated(5), block)
    assert cut.value == pytest.approx(whole.value)
    assert cut.standard_error == pytest.approx(whole.standard_error)


def test_bootstrap_knows_the_error_of_a_mean():
    values = np.random.default_rng(0).standard_normal(400)
    estimate = bootstrap(lambda weights: float(np.average(values, weights=weights)), 400, 2000, seed=1)
    exact = mean_estimate(values)
    assert estimate.value == pytest.approx(exact.value)
    assert estimate.standard_error == pytest.approx(exact.standard_error, rel=0.08)
    assert estimate.low < estimate.value < estimate.high
    assert estimate == bootstrap(lambda weights: float(np.average(values, weights=weights)), 400, 2000, seed=1)


def test_standard_errors_are_the_spread_over_fresh_sets():
    """The bootstrap's error of a Fréchet distance, against the spread over 60 sets of the same size."""
    reference = np.random.default_rng(99).standard_normal((2000, 4))
    estimates = [
        measure_distances(
            np.random.default_rng(seed).standard_normal((100, 4)) * 1.5, reference, settings_of(100, seed=seed)
        )["frechet_distance"]
        for seed in range(60)
    ]
    spread = np.std([estimate.value for estimate in estimates], ddof=1)
    claimed = np.mean([estimate.standard_error for estimate in estimates])
    assert claimed == pytest.approx(spread, rel=0.3)  # a standard deviation of 60 values is known to about 9 %


def test_too_few_images():
    with pytest.raises(UserError, match="at least 2"):
        moments(np.ones((1, 3)))
    with pytest.raises(UserError, match="2 against 5 images; at least 3 against 2 are needed"):
        kernel_distance(np.ones((2, 3)), np.ones((5, 3)))
    with pytest.raises(UserError, match="5 neighbours need 6 images or more on each side, not 5 and 9"):
        manifold_measures(np.ones((5, 3)), np.ones((9, 3)), 5)
    with pytest.raises(UserError, match="needs 200 images or more, not 199"):
        extrapolate(lambda weights: 0.0, 199, 0)
    with pytest.raises(UserError, match=r"pca needs 64 reference images .* there are 63 images of 192 values"):
        PrincipalFeatures.fit(np.zeros((63, 8, 8, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match="at least 2"):
        mean_estimate(np.ones(1))


def real_and_blurred() -> tuple[np.ndarray, np.ndarray]:
    from ihdm.data.sources import load_splits
    from ihdm.settings import DatasetSettings

    real = load_splits(DatasetSettings(source="digits", image_size=8, image_channels=1))["train"]
    return real, np.broadcast_to(real.mean(axis=(1, 2), keepdims=True), real.shape).astype(np.uint8)


@pytest.mark.parametrize("space", ["dct", "pca"])
def test_blurred_images_are_farther_than_real_ones(space):
    if space == "pca":
        from ihdm.data.photos import cut_crops, embedded_photos

        real = np.random.default_rng(0).permutation(cut_crops(embedded_photos()["coffee"], 8))[:1000]
        blurred = np.broadcast_to(real.mean(axis=(1, 2), keepdims=True), real.shape).astype(np.uint8)
    else:
        real, blurred = real_and_blurred()
    extractor = CosineFeatures(64) if space == "dct" else PrincipalFeatures.fit(real[200:])
    train, samples = extract(extractor, real), extract(extractor, blurred[:200])
    rows = distance_rows({"blurred": samples}, train, settings_of(200))
    rows += real_rows(train, extract(extractor, real[:150]), train, settings_of(200))
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
    rows = distance_rows({"samples": samples}, train, settings) + real_rows(train, features(2, 100), train, settings)
    found = {(row["set"], row["n"]): row for row in rows if row["metric"] == "frechet_distance"}
    exact = frechet_distance(moments(samples[:100]), moments(train[:]))
    assert found["samples", 100]["value"] == pytest.approx(exact, rel=1e-6)
    floor = frechet_distance(moments(train[:100]), moments(train[100:]))
    assert found["train", 100]["value"] == pytest.approx(floor, rel=1e-6)
    assert np.isfinite(found["test", 100]["value"])
    assert found["train", 200]["note"] == "400 images are needed, not 250"
    assert np.isnan(found["test", 200]["value"])
    with pytest.raises(UserError, match="samples: 300 images are asked for but there are features of 200"):
        distance_rows({"samples": samples}, train, settings_of(300))


def test_cosine_features_keep_distances():
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8)
    features = CosineFeatures(144).transform(images)
    pixels = images.reshape(5, -1) / 255
    np.testing.assert_allclose(np.linalg.norm(features[0] - features[1]), np.linalg.norm(pixels[0] - pixels[1]))


def test_principal_features_of_the_reference_are_white():
    images = np.random.default_rng(0).integers(0, 256, (400, 6, 6, 3), dtype=np.uint8)
    features = PrincipalFeatures.fit(images).transform(images)
    np.testing.assert_allclose(np.cov(features, rowvar=False), np.eye(64), atol=1e-8)
