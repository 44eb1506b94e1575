import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import denoise_tv_chambolle, inpaint_biharmonic

from ihdm.config.restoration import BlurProblem, MaskProblem, NoiseProblem, PoolingProblem
from ihdm.restoration import baselines
from ihdm.restoration.problems import measurement
from ihdm.restoration.study import errors_and_expected, psnr, spread, ssim

SIZE = 8
PICTURES = torch.rand((4, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def blur(noise=1e-3):
    return measurement(BlurProblem(kind="blur", width=0.8, noise=noise), SIZE)


def test_wiener_errs_least_on_gaussian_images(restorer, images):
    """Of all factors on the power, the right one."""
    restoring, how = restorer(), measurement(PoolingProblem(kind="pooling", factor=2, noise=0.05), SIZE)
    many = images.repeat(25, 1, 1, 1)
    measured = how.measure(many, 0)
    errors = {
        scale: (baselines.wiener(how, measured, restoring.mean, restoring.power, scale) - many).square().mean().item()
        for scale in (0.1, 1.0, 10.0)
    }
    assert errors[1.0] == min(errors.values())


def test_richardson_lucy_keeps_the_mean_and_reduces_the_error():
    how = blur()
    measured = how.apply(PICTURES.double())
    steps = {count: baselines.richardson_lucy(how, measured, count) for count in (1, 10, 100)}
    misfits = [(how.apply(found) - measured).square().mean().item() for found in steps.values()]
    assert misfits[0] > misfits[1] > misfits[2]
    errors = [(found - PICTURES).square().mean().item() for found in steps.values()]
    assert errors[0] > errors[2]
    for found in steps.values():
        assert (found >= 0).all()
        torch.testing.assert_close(found.sum(), PICTURES.sum(), rtol=1e-3, atol=0)


def test_total_variation_of_noise_alone_is_scikit_images():
    how = measurement(NoiseProblem(kind="noise", noise=0.1), SIZE)
    measured = how.measure(PICTURES.double(), 0)
    found = baselines.total_variation(how, measured, 0.1)
    for image, seen in zip(found, how.shown(measured), strict=True):
        expected = denoise_tv_chambolle(seen.numpy(), weight=0.1, eps=1e-9, max_num_iter=5000, channel_axis=0)
        np.testing.assert_allclose(image.numpy(), expected, atol=3e-3)


@pytest.mark.parametrize("weight", [0.001, 0.01, 0.1])
def test_twice_the_steps_of_total_variation_change_next_to_nothing(weight, monkeypatch):
    """With a wide blur, of which most is lost; nor do more of the inner steps."""
    how = measurement(BlurProblem(kind="blur", width=2.0, noise=0.01), SIZE)
    measured = how.measure(PICTURES.double(), 0)

    def objective(images):
        padded = np.pad(images.double().numpy(), ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
        down, right = np.diff(padded, axis=2)[..., :-1], np.diff(padded, axis=3)[:, :, :-1]
        return float((how.apply(images) - measured).square().sum() / 2) + weight * np.hypot(down, right).sum()

    found = baselines.total_variation(how, measured, weight)
    assert objective(found) < objective(how.shown(measured))
    monkeypatch.setattr(baselines, "TV_CHANGE", 0.0)
    monkeypatch.setattr(baselines, "TV_STEPS", 2 * baselines.TV_STEPS)
    monkeypatch.setattr(baselines, "TV_INNER_STEPS", 2 * baselines.TV_INNER_STEPS)
    assert objective(found) == pytest.approx(objective(baselines.total_variation(how, measured, weight)), rel=0.01)


def test_biharmonic_inpainting_keeps_measured_pixels():
    how = measurement(MaskProblem(kind="mask", hidden=0.3), SIZE)
    found = baselines.biharmonic(how, how.apply(PICTURES))
    torch.testing.assert_close(how.apply(found), how.apply(PICTURES).double(), atol=1e-6, rtol=0)
    mask = torch.ones(SIZE**2, dtype=torch.bool)
    mask[how.pixels] = False
    expected = inpaint_biharmonic(
        how.shown(how.apply(PICTURES))[0].numpy(), mask.view(SIZE, SIZE).numpy(), channel_axis=0
    )
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-6)
    with pytest.raises(ValueError, match="nothing is hidden"):
        baselines.biharmonic(blur(), how.apply(PICTURES))


def test_small_pictures_are_enlarged():
    how = measurement(PoolingProblem(kind="pooling", factor=2), SIZE)
    flat = torch.full((1, 1, SIZE, SIZE), 0.3)
    for restore in (baselines.bicubic, baselines.plain):
        torch.testing.assert_close(restore(how, how.apply(flat)), flat, atol=1e-6, rtol=0)
    ramp = torch.linspace(0, 1, SIZE).expand(1, 1, SIZE, SIZE)
    smooth = baselines.bicubic(how, how.apply(ramp))
    plain = baselines.plain(how, how.apply(ramp))
    assert (smooth - ramp).abs().mean() < (plain - ramp).abs().mean()
    torch.testing.assert_close(how.apply(plain), how.apply(ramp).double(), atol=1e-6, rtol=0)


def test_hidden_pixels_get_the_mean_of_the_others():
    how = measurement(MaskProblem(kind="mask", hidden=0.3), SIZE)
    found = baselines.plain(how, how.apply(PICTURES))
    torch.testing.assert_close(how.apply(found), how.apply(PICTURES).double(), atol=1e-6, rtol=0)
    hidden = torch.ones(SIZE**2, dtype=torch.bool)
    hidden[how.pixels] = False
    means = how.apply(PICTURES).mean(dim=2).float()
    torch.testing.assert_close(found.flatten(2)[:, :, hidden], means[..., None].expand(-1, -1, int(hidden.sum())))


def test_scores_are_scikit_images():
    rng = np.random.default_rng(0)
    truth = rng.random((5, 16, 16, 3))
    found = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1)
    for place in range(5):
        expected = peak_signal_noise_ratio(truth[place], found[place], data_range=1.0)
        assert psnr(found, truth)[place] == pytest.approx(expected)
        expected = structural_similarity(truth[place], found[place], data_range=1.0, channel_axis=-1)
        assert ssim(found, truth)[place] == pytest.approx(expected)
    assert ssim(truth, truth) == pytest.approx(np.ones(5))
    small = rng.random((2, 4, 4, 1))
    assert ssim(small, small) == pytest.approx(np.ones(2))


def test_spread_of_exact_posterior_samples_is_one():
    """On average; of 400 images of 64 pixels, with 4 samples each, the standard error is below 1 %."""
    rng = np.random.default_rng(0)
    center = rng.random((400, 1, 8, 8, 1))
    drawn = center + 0.1 * rng.standard_normal((400, 5, 8, 8, 1))
    truth, draws = drawn[:, 0], drawn[:, 1:]
    assert spread(*errors_and_expected(draws, truth)) == pytest.approx(1, abs=0.04)
    sure = draws.mean(axis=1, keepdims=True) + 0.5 * (draws - draws.mean(axis=1, keepdims=True))
    assert spread(*errors_and_expected(sure, truth)) == pytest.approx(4, abs=0.2)


def test_spread_can_be_estimated_from_two_samples():
    """Of a few pixels: their variance is a χ² with few degrees of freedom, and the mean of 1/χ² is above 1."""
    drawn = np.random.default_rng(0).standard_normal((20_000, 3, 2, 2, 1))
    errors, expected = errors_and_expected(drawn[:, 1:], drawn[:, 0])
    assert spread(errors, expected) == pytest.approx(1, abs=0.03)
    assert (errors / expected).mean() > 1.5
