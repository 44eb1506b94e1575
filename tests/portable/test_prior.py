import numpy as np
import pytest
import torch

from ihdm.calibration import Calibration, measure
from ihdm.config.processes import HeatSettings
from ihdm.errors import UserError
from ihdm.portable import prior as priors
from ihdm.portable.prior import (
    CoefficientPrior,
    MixturePrior,
    StoredCalibration,
    blurred_coefficients,
    fit_mixture,
    keep_coefficients,
    revealed_share,
    surviving,
)
from ihdm.processes import build_process
from ihdm.storage.tensors import to_tensor


@pytest.fixture(scope="module")
def process():
    return build_process(HeatSettings(kind="heat", sigma=0.02, num_levels=6, blur_sigma_max=6.0), 8)


@pytest.fixture(scope="module")
def varied(train):
    """Enough images for a mixture."""
    return np.concatenate([train, 255 - train, train[:, ::-1], train[:, :, ::-1]])


@pytest.fixture(scope="module")
def mixture(process, varied):
    return fit_mixture(process, varied, seed=0)


def generators(count):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def test_few_coefficients_survive_the_last_blur(process):
    """At σ_B = 6 on 8 pixels: exp(−(π n / 8)² 18) is 0.06 for n = 1 and 1.5e-5 for n = 2."""
    assert surviving(process) == (2, 2)
    slight = build_process(HeatSettings(kind="heat", sigma=0.02, num_levels=1, blur_sigma_max=0.5), 8)
    assert surviving(slight) == (8, 8)


def test_each_start_is_a_blurred_training_image(process, train):
    prior = keep_coefficients(process, train)
    assert isinstance(prior, CoefficientPrior)
    assert prior.coefficients.shape == (40, 3, 2, 2)
    blurred = process.heat.blur(to_tensor(train), process.num_levels)
    drawn = prior.draw(generators(100))
    distances = (drawn[:, None] - blurred).abs().amax(dim=(2, 3, 4))
    # What is left out changes a pixel by less than 1e-4, a hundredth of the noise of starts.
    assert distances.min(dim=1).values.max() < 1e-4
    assert len(set(distances.argmin(dim=1).tolist())) > 30


def test_every_training_image_is_as_likely(process, train):
    prior = keep_coefficients(process, train[:4])
    one = torch.Generator().manual_seed(0)
    drawn = prior.draw([one] * 2000)
    counts = torch.unique(drawn.flatten(1), dim=0, return_counts=True)[1]
    # Of 2000 draws from four, 500 each; the standard deviation of each count is 19.
    assert counts.tolist() == pytest.approx([500] * 4, abs=90)


def test_a_mixture_has_the_moments_of_what_it_was_fitted_to(process):
    """On images of two kinds, to within the errors of 4000 draws."""
    rng = np.random.default_rng(0)
    colors = np.where(rng.random((600, 1, 1, 1)) < 0.3, 60, 190) + rng.normal(0, 10, (600, 1, 1, 1))
    images = np.broadcast_to(np.clip(colors, 0, 255), (600, 8, 8, 1)).astype(np.uint8)
    prior = fit_mixture(process, images, seed=0)
    assert isinstance(prior, MixturePrior)
    assert prior.config.num_components >= 2
    blurred = process.heat.blur(to_tensor(images), process.num_levels).mean(dim=(1, 2, 3))
    drawn = prior.draw([torch.Generator().manual_seed(1)] * 4000).mean(dim=(1, 2, 3))
    error = blurred.std().item() / 4000**0.5
    assert drawn.mean().item() == pytest.approx(blurred.mean().item(), abs=4 * error)
    assert drawn.std().item() == pytest.approx(blurred.std().item(), rel=0.05)
    assert (drawn < 0.5).float().mean().item() == pytest.approx((blurred < 0.5).float().mean().item(), abs=0.04)


def test_a_mixture_keeps_no_image(process, train):
    images = np.concatenate([train] * 20)
    prior = fit_mixture(process, images, seed=0)
    kept = blurred_coefficients(process, images)
    sizes = [
        sum(part.numel() for part in one.state_dict().values()) for one in (prior, keep_coefficients(process, images))
    ]
    assert prior.config.num_components * kept[0].numel() < len(np.unique(images, axis=0)) * kept[0].numel()
    assert sizes[0] < sizes[1]


def test_too_few_images_make_no_mixture(process, train):
    with pytest.raises(UserError, match="40 training images are too few for a mixture of 12 coefficients"):
        fit_mixture(process, train, seed=0)


def test_the_same_seed_gives_the_same_mixture(process, varied, mixture):
    assert torch.equal(fit_mixture(process, varied, seed=0).means, mixture.means)


def test_draws_depend_on_their_generators_alone(process, train, mixture):
    for prior in (keep_coefficients(process, train), mixture):
        alone = prior.draw([torch.Generator().manual_seed(2)])
        torch.testing.assert_close(prior.draw(generators(4))[2], alone[0], atol=1e-6, rtol=0)


def test_what_is_revealed_is_a_share_of_the_variance(process):
    flat = np.random.default_rng(0).integers(0, 256, (50, 1, 1, 1), dtype=np.uint8)
    assert revealed_share(process, np.broadcast_to(flat, (50, 8, 8, 1))) == pytest.approx(1)
    noise = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1), dtype=np.uint8)
    assert revealed_share(process, noise) == pytest.approx(4 / 64, abs=0.01)


@pytest.mark.parametrize("kind", ["coefficients", "mixture"])
def test_a_prior_is_saved_and_loaded(kind, process, varied, mixture, tmp_path):
    prior = keep_coefficients(process, varied) if kind == "coefficients" else mixture
    prior.save_pretrained(tmp_path)
    loaded = type(prior).from_pretrained(tmp_path, use_safetensors=True)
    assert torch.equal(loaded.draw(generators(5)), prior.draw(generators(5)))


def test_batches_of_training_images_change_nothing(process, train, monkeypatch):
    whole = blurred_coefficients(process, train)
    monkeypatch.setattr(priors, "BATCH", 7)
    torch.testing.assert_close(blurred_coefficients(process, train), whole, atol=1e-6, rtol=0)


def test_a_calibration_is_saved_and_loaded(process, train, network, tmp_path):
    found = measure(network, process, to_tensor(train), [2, 4, 6], 0, 40)
    StoredCalibration.of(found).save_pretrained(tmp_path)
    loaded = StoredCalibration.from_pretrained(tmp_path, use_safetensors=True).table()
    assert isinstance(loaded, Calibration)
    assert loaded.levels.tolist() == [2, 4, 6]
    for name in ("gain", "offset", "residual", "power"):
        np.testing.assert_allclose(getattr(loaded, name), getattr(found, name), rtol=1e-6, atol=1e-12)
