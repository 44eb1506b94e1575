import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from ihdm.heat import HeatProcess, blur_schedule, cosine_basis


def scipy_blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """The solution in float64 through SciPy's transform, for any size."""
    height, width = images.shape[-2:]
    eigenvalues = np.pi**2 * ((np.arange(height)[:, None] / height) ** 2 + (np.arange(width) / width) ** 2)
    coefficients = dctn(images.astype(np.float64), axes=(-2, -1), norm="ortho")
    return idctn(coefficients * np.exp(-eigenvalues * sigma**2 / 2), axes=(-2, -1), norm="ortho")


def random_images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(seed).random(shape, dtype=np.float32))


def test_golden(golden):
    values = golden("blur")
    schedule = blur_schedule(
        float(values["blur_sigma_min"]), float(values["blur_sigma_max"]), int(values["num_levels"])
    )
    heat = HeatProcess(schedule, 16, 16)
    for level, expected in zip(values["level"], values["blurred"], strict=True):
        blurred = heat.blur(torch.as_tensor(values["image"]), int(level))
        torch.testing.assert_close(blurred, torch.as_tensor(expected), atol=2e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 20), (1, 7), (32, 12)])
def test_agrees_with_scipy_at_any_size(height, width):
    images = random_images(3, 2, height, width)
    sigmas = [0.0, 0.4, 1.3, 7.0]
    heat = HeatProcess(sigmas, height, width)
    for level, sigma in enumerate(sigmas):
        np.testing.assert_allclose(heat.blur(images, level).numpy(), scipy_blur(images.numpy(), sigma), atol=2e-6)


def test_every_image_at_its_own_level():
    images, heat = random_images(5, 3, 8, 10), HeatProcess(blur_schedule(0.5, 4.0, 4), 8, 10)
    levels = torch.tensor([3, 0, 4, 1, 1])
    together = heat.blur(images, levels)
    for image, level, blurred in zip(images, levels, together, strict=True):
        torch.testing.assert_close(heat.blur(image[None], int(level))[0], blurred, atol=1e-6, rtol=0)


def test_level_zero_is_the_image_itself():
    images = random_images(2, 3, 11, 7)
    assert torch.equal(HeatProcess([0.0, 1.0], 11, 7).blur(images, 0), images)


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    sigma=st.floats(0, 30),
    seed=st.integers(0, 2**16),
)
@settings(deadline=None, max_examples=50)
def test_mean_is_kept_and_energy_never_grows(height, width, sigma, seed):
    images = random_images(2, 2, height, width, seed=seed)
    blurred = HeatProcess([0.0, sigma], height, width).blur(images, 1)
    torch.testing.assert_close(blurred.mean((2, 3)), images.mean((2, 3)), atol=2e-6, rtol=0)
    assert blurred.square().sum() <= images.square().sum() * (1 + 1e-5)


@given(first=st.floats(0, 6), second=st.floats(0, 6), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=50)
def test_times_add_up(first, second, seed):
    """Blurring twice is blurring once with σ_B = √(σ₁² + σ₂²), as t = σ_B² / 2."""
    images = random_images(2, 1, 12, 9, seed=seed)
    heat = HeatProcess([0.0, first, second, float(np.hypot(first, second))], 12, 9)
    twice = heat.blur(heat.blur(images, 1), 2)
    torch.testing.assert_close(twice, heat.blur(images, 3), atol=3e-6, rtol=0)


def test_endless_time_leaves_the_mean():
    images = random_images(2, 3, 10, 6)
    blurred = HeatProcess([0.0, 1000.0], 10, 6).blur(images, 1)
    torch.testing.assert_close(blurred, images.mean((2, 3), keepdim=True).expand_as(images), atol=2e-6, rtol=0)


def test_one_cosine_decays_by_its_eigenvalue():
    size, frequency, sigma = 16, 3, 2.5
    wave = torch.as_tensor(cosine_basis(size)[frequency]).float().expand(1, 1, size, size)
    blurred = HeatProcess([0.0, sigma], size, size).blur(wave, 1)
    factor = np.exp(-((np.pi * frequency / size) ** 2) * sigma**2 / 2)
    torch.testing.assert_close(blurred, wave * factor, atol=1e-6, rtol=0)


def test_float32_under_autocast():
    images, heat = random_images(4, 3, 16, 16), HeatProcess(blur_schedule(0.5, 8.0, 50), 16, 16)
    expected = heat.blur(images, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        blurred = heat.blur(images, 20)
    assert blurred.dtype == torch.float32
    assert torch.equal(blurred, expected)


def test_schedule():
    schedule = blur_schedule(0.5, 24.0, 200)
    assert len(schedule) == 201
    assert schedule[0] == 0
    assert schedule[1] == pytest.approx(0.5)
    assert schedule[-1] == pytest.approx(24)
    ratios = schedule[2:] / schedule[1:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    assert blur_schedule(0.5, 3.0, 1).tolist() == [0, 3]


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 3), (-1.0, 1.0, 3), (2.0, 1.0, 3), (0.5, 1.0, 0)])
def test_schedule_refuses(arguments):
    with pytest.raises(ValueError, match=r"blur widths|at least one level"):
        blur_schedule(*arguments)


def test_wrong_input_is_refused():
    heat = HeatProcess([0.0, 1.0, 2.0], 8, 8)
    with pytest.raises(ValueError, match="this process blurs"):
        heat.blur(torch.zeros(1, 1, 8, 9), 1)
    with pytest.raises(ValueError, match="2 levels for 3 images"):
        heat.blur(torch.zeros(3, 1, 8, 8), torch.tensor([1, 2]))
    for level in (-1, 3):
        with pytest.raises(IndexError, match="levels must be in"):
            heat.blur(torch.zeros(1, 1, 8, 8), torch.tensor([level]))
    with pytest.raises(ValueError, match="at least two levels"):
        HeatProcess([1.0], 8, 8)
    with pytest.raises(ValueError, match="not negative"):
        HeatProcess([0.0, -1.0], 8, 8)
