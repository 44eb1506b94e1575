import numpy as np
import pytest
import torch
from torch import nn

from ihdm.heat import HeatProcess, blur_schedule
from ihdm.objective import deblurring_loss, deblurring_pair


@pytest.fixture
def case(golden):
    values = {name: torch.as_tensor(value) for name, value in golden("loss").items()}
    schedule = blur_schedule(
        float(values["blur_sigma_min"]), float(values["blur_sigma_max"]), int(values["num_levels"])
    )
    arguments = (values["image"], values["level"], values["noise"], float(values["sigma"]))
    return values, (HeatProcess(schedule, 16, 16), *arguments)


def test_golden_pair(case):
    values, arguments = case
    noisy, target = deblurring_pair(*arguments)
    torch.testing.assert_close(noisy, values["noisy_blurred"], atol=2e-6, rtol=0)
    torch.testing.assert_close(target, values["target"], atol=2e-6, rtol=0)


def test_golden_loss(case, linear_network):
    values, arguments = case
    loss = deblurring_loss(linear_network(int(values["num_levels"])), *arguments)
    torch.testing.assert_close(loss, values["loss_per_image"], rtol=1e-4, atol=0)


def test_only_the_network_runs_in_lower_precision(case):
    """In bfloat16 a step of the blur would drown; under autocast only the network's own rounding may show."""
    _, arguments = case
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 3, 3, padding=1)
    seen = {}

    def network(images, levels):
        output = convolution(images)
        seen.update(input=images, output=output)
        return output

    full = deblurring_loss(network, *arguments)
    full_input = seen["input"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = deblurring_loss(network, *arguments)
    assert seen["output"].dtype == torch.bfloat16
    assert torch.equal(seen["input"], full_input)
    assert mixed.dtype == torch.float32
    # The loss is that of the rounded output, computed in float32.
    _, target = deblurring_pair(*arguments)
    expected = (seen["input"] + seen["output"].float() - target).square().sum((1, 2, 3))
    torch.testing.assert_close(mixed, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(mixed, full, rtol=0.05, atol=0)


def test_perfect_network_has_no_loss(case):
    _, arguments = case
    noisy, target = deblurring_pair(*arguments)
    loss = deblurring_loss(lambda images, levels: target - images, *arguments)
    assert noisy.shape == target.shape
    assert float(loss.max()) < 1e-9


def test_predicting_nothing_at_strong_noise_costs_the_noise():
    """With f = 0 and levels that hardly differ, the loss is about N σ², within its standard error."""
    heat = HeatProcess([0.0, 1e-6], 8, 8)
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.random((2000, 1, 8, 8), dtype=np.float32))
    noise = torch.as_tensor(rng.standard_normal((2000, 1, 8, 8), dtype=np.float32))
    levels = torch.ones(2000, dtype=torch.int64)
    loss = deblurring_loss(lambda images, levels: torch.zeros_like(images), heat, images, levels, noise, 0.1)
    expected, error = 64 * 0.1**2, 0.1**2 * np.sqrt(2 * 64 / 2000)
    assert abs(float(loss.mean()) - expected) < 4 * error


def test_level_zero_has_no_step(case):
    _, (heat, images, levels, noise, sigma) = case
    with pytest.raises(IndexError, match="levels must be in"):
        deblurring_pair(heat, images, torch.zeros_like(levels), noise, sigma)
