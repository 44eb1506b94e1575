"""Every prediction on every process."""

import numpy as np
import pytest
import torch

from ihdm.config.predictions import NoiseSettings, ResidualSettings
from ihdm.config.processes import BlurringSettings, DiffusionSettings, HeatSettings
from ihdm.predictions import Predictor, prediction_of
from ihdm.processes import build_process

SIZE, CHANNELS = 8, 2
PROCESSES = {
    "heat": HeatSettings(kind="heat", sigma=0.02, num_levels=30, blur_sigma_max=3.0),
    "diffusion": DiffusionSettings(kind="diffusion", num_levels=30),
    "blurring": BlurringSettings(kind="blurring", num_levels=30, blur_sigma_max=3.0),
}
PREDICTORS = {"residual": Predictor(ResidualSettings()), "noise": Predictor(NoiseSettings())}
OWN = {"heat": "residual", "diffusion": "noise", "blurring": "noise"}


@pytest.fixture(params=[(process, kind) for process in PROCESSES for kind in PREDICTORS], ids="-".join)
def prediction(request):
    process, kind = request.param
    return PREDICTORS[kind].on(build_process(PROCESSES[process], SIZE))


def images(count=4):
    return torch.rand((count, CHANNELS, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def noise(count=4):
    return torch.randn((count, CHANNELS, SIZE, SIZE), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("level", [1, 15, 30])
def test_a_network_that_is_exact_has_no_loss_and_the_reference_as_its_estimate(prediction, level):
    process, levels = prediction.process, torch.full((4,), level)
    drawn, target = process.draw(images(), levels, noise()), prediction.target(images(), levels, noise())
    zero, one = (prediction.compared(torch.full_like(drawn, value), drawn, levels) for value in (0.0, 1.0))
    assert not torch.equal(zero, one)
    output = _solve(prediction, drawn, levels, target)
    assert float(prediction.loss(lambda _seen, _levels: output, images(), levels, noise()).max()) < 1e-6
    scale = np.exp(np.broadcast_to(process.log_scale(prediction.reference(level)), (SIZE, SIZE)))
    clean = process.transform(process.to_range(images()))
    expected = process.inverse(torch.as_tensor(scale).float() * clean)
    found = prediction.raw_estimate(lambda _seen, _levels: output, drawn, level)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)


def _solve(prediction, noisy, levels, target):
    """Return the output that is as good as the target: what is compared is linear in the output, mode by mode."""
    zero = prediction.compared(torch.zeros_like(noisy), noisy, levels)
    return target - zero if prediction.is_loss_summed else target


def test_what_an_untrained_network_costs_is_known(prediction):
    """The squared error of an output of zero, over draws of noise."""
    image, level, count = images(1), 20, 20_000
    repeated, levels = image.expand(count, -1, -1, -1), torch.full((count,), level)
    noisy, target = prediction.process.draw(repeated, levels, noise(count)), None
    target = prediction.target(repeated, levels, noise(count))
    found = prediction.compared(torch.zeros_like(noisy), noisy, levels)
    errors = (found - target).square().sum(dim=(1, 2, 3)).double()
    expected = prediction.untrained_error(image, levels[:1])
    assert abs(float(errors.mean() - expected)) < 4 * float(errors.std()) / np.sqrt(count)


@pytest.mark.parametrize("kind", ["diffusion", "blurring"])
def test_the_loss_of_noise_is_its_mean_squared_error(kind):
    prediction, levels = prediction_of(None, build_process(PROCESSES[kind], SIZE)), torch.tensor([1, 9, 30, 9])
    loss = prediction.loss(lambda noisy, _levels: 0.5 * noisy, images(), levels, noise())
    noisy = prediction.process.draw(images(), levels, noise())
    torch.testing.assert_close(loss, (0.5 * noisy - noise()).square().mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_function_that_says_nothing_predicts_the_default_of_its_process(process):
    built = build_process(PROCESSES[process], SIZE)
    assert type(prediction_of(lambda u, _: u, built)) is type(PREDICTORS[OWN[process]].on(built))
