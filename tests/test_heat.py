import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import dctn, idctn

from ihdm.heat import HeatProcess, blur_schedule


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


@pytest.mark.parametrize("size", [16, 80])
def test_float32_under_autocast(size):
    images, heat = random_images(4, 3, size, size), HeatProcess(blur_schedule(0.5, 32.0, 50), size, size)
    expected = heat.blur(images, 50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        blurred = heat.blur(images, 50)
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


# Large images on a CPU are blurred through the cosine coefficients that survive.


@pytest.fixture(scope="module")
def large() -> HeatProcess:
    return HeatProcess(blur_schedule(0.5, 64.0, 12), 144, 96)


@pytest.fixture(scope="module")
def noisy() -> torch.Tensor:
    """White noise: of all images in [0, 1], those with the most to lose in high frequencies."""
    return torch.as_tensor(np.random.default_rng(0).integers(0, 2, (13, 2, 144, 96)).astype(np.float32))


def test_large_images_agree_with_scipy_at_every_level(large, noisy):
    blurred = large.blur(noisy, torch.arange(13))
    for image, found, sigma in zip(noisy.numpy(), blurred.numpy(), large.blur_sigmas, strict=True):
        np.testing.assert_allclose(found, scipy_blur(image, sigma), atol=2e-6)


def test_large_images_take_each_way_at_some_levels(large):
    few = [2 * columns < 144 for columns in large._columns.num_surviving]
    assert few[0] is few[1] is False
    assert few[-1] is few[-3] is True


def test_one_level_for_all_large_images_is_each_by_itself(large, noisy):
    for level in (1, 12):
        together = large.blur(noisy, level)
        torch.testing.assert_close(together, large.blur(noisy, torch.full((13,), level)), atol=1e-6, rtol=0)
    assert torch.equal(large.blur(noisy, 0), noisy)


def test_gradient_passes_large_images(large, noisy):
    """The blur is linear and symmetric, so ⟨F u, v⟩ has the gradient F v."""
    start, levels = noisy[:2].clone().requires_grad_(), torch.tensor([1, 12])
    (large.blur(start, levels) * noisy[2:4]).sum().backward()
    torch.testing.assert_close(start.grad, large.blur(noisy[2:4], levels), atol=3e-6, rtol=0)
