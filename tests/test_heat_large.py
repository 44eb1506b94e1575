"""Large images on a CPU are blurred through the cosine coefficients that survive."""

import numpy as np
import pytest
import torch
from scipy.fft import dctn, idctn

from ihdm.heat import HeatProcess, blur_schedule, decay


@pytest.fixture(scope="module")
def heat() -> HeatProcess:
    return HeatProcess(blur_schedule(0.5, 64.0, 12), 144, 96)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """White noise: of all images in [0, 1], those with the most to lose in high frequencies."""
    return torch.as_tensor(np.random.default_rng(0).integers(0, 2, (13, 2, 144, 96)).astype(np.float32))


def test_agrees_with_scipy_at_every_level(heat, images):
    blurred = heat.blur(images, torch.arange(13))
    for level in range(13):
        columns, rows = (decay(size, heat.blur_sigmas)[level] for size in (144, 96))
        coefficients = dctn(images[level].double().numpy(), axes=(-2, -1), norm="ortho") * columns[:, None] * rows
        expected = idctn(coefficients, axes=(-2, -1), norm="ortho")
        np.testing.assert_allclose(blurred[level].numpy(), expected, atol=2e-6)


def test_some_levels_take_each_way(heat):
    few = [2 * columns < 144 for columns in heat._columns.num_surviving]
    assert few[0] is few[1] is False
    assert few[-1] is few[-3] is True


def test_one_level_for_all_is_each_by_itself(heat, images):
    for level in (1, 12):
        together = heat.blur(images, level)
        apart = heat.blur(images, torch.full((13,), level))
        torch.testing.assert_close(together, apart, atol=1e-6, rtol=0)
    assert torch.equal(heat.blur(images, 0), images)


def test_gradient_passes(heat, images):
    """The blur is linear and symmetric, so ⟨F u, v⟩ has the gradient F v."""
    start = images[:2].clone().requires_grad_()
    (heat.blur(start, torch.tensor([1, 12])) * images[2:4]).sum().backward()
    torch.testing.assert_close(start.grad, heat.blur(images[2:4], torch.tensor([1, 12])), atol=3e-6, rtol=0)


def test_float32_under_autocast(heat, images):
    expected = heat.blur(images, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        blurred = heat.blur(images, 12)
    assert torch.equal(blurred, expected)
