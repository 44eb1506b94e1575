"""Every prediction on every process."""

import numpy as np
import pytest
import torch
from scipy.fft import idctn

from ihdm.config.processes import (
    BlurringSettings,
    DiffusionSettings,
    FlowSettings,
    HeatSettings,
    NoiseSettings,
    ResidualSettings,
    SoftSettings,
    WhitenedSettings,
)
from ihdm.metrics.spectrum import radial_frequencies
from ihdm.predictions import Predictor, Statistics, prediction_of
from ihdm.predictions.prediction import smoothed
from ihdm.predictions.whitened import Whitened
from ihdm.processes import build_process
from ihdm.storage.tensors import to_tensor

SIZE, CHANNELS = 8, 2
PROCESSES = {
    "heat": HeatSettings(kind="heat", sigma=0.02, num_levels=30, blur_sigma_max=3.0),
    "diffusion": DiffusionSettings(kind="diffusion", num_levels=30),
    "blurring": BlurringSettings(kind="blurring", num_levels=30, blur_sigma_max=3.0),
    "soft": SoftSettings(kind="soft", num_levels=30, blur_sigma_max=3.0),
    "flow": FlowSettings(kind="flow", num_levels=30),
}
STORED = np.random.default_rng(0).integers(0, 256, (50, SIZE, SIZE, CHANNELS), dtype=np.uint8)
PREDICTORS = {
    "residual": Predictor(ResidualSettings()),
    "noise": Predictor(NoiseSettings()),
    "whitened": Predictor.fitted(WhitenedSettings(), STORED),
    "whitened-bound": Predictor.fitted(WhitenedSettings(max_stride=1, floor=1e-3, image=True), STORED),
    "whitened-leaps": Predictor.fitted(WhitenedSettings(max_stride=8), STORED),
}


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
    """Return the output that meets the target: what is compared is linear in it, in pixels or mode by mode."""
    zero = prediction.compared(torch.zeros_like(noisy), noisy, levels)
    if not isinstance(prediction, Whitened):
        return target - zero
    return prediction.process.inverse(target / prediction._levels(levels).weight)


def test_the_loss_of_an_untrained_network_is_its_expected_value(prediction):
    """The squared error of an output of zero, over draws of noise."""
    image, level, count = images(1), 20, 20_000
    repeated, levels = image.expand(count, -1, -1, -1), torch.full((count,), level)
    noisy, target = (make(repeated, levels, noise(count)) for make in (prediction.process.draw, prediction.target))
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
def test_functions_without_a_predictor_use_the_default_of_the_process(process):
    built = build_process(PROCESSES[process], SIZE)
    expected = built.settings.own_prediction
    if expected == "whitened":
        with pytest.raises(ValueError, match="needs the statistics"):
            prediction_of(lambda u, _: u, built)
        return
    assert type(prediction_of(lambda u, _: u, built)) is type(PREDICTORS[expected].on(built))


def gaussian_images(count, power):
    """Return stored images whose DCT modes are independent and have this power."""
    rng = np.random.default_rng(1)
    coefficients = rng.standard_normal((count, SIZE, SIZE, 1)) * np.sqrt(power)[..., None]
    pixels = idctn(coefficients, axes=(1, 2), norm="ortho") + 0.5
    return np.clip(np.rint(255 * pixels), 0, 255).astype(np.uint8)


def test_statistics_are_the_mean_and_power_of_the_images():
    power = 0.02 * np.exp(-radial_frequencies(SIZE, SIZE))
    found = Statistics.of(gaussian_images(4000, power))
    np.testing.assert_allclose(found.mean, 0.5, atol=0.02)
    inner = (slice(2, 7), slice(2, 7))
    np.testing.assert_allclose(found.power[inner], power[inner], rtol=0.15)


def test_power_that_is_smooth_stays_as_it_is():
    np.testing.assert_allclose(smoothed(np.full((SIZE, SIZE), 0.3)), 0.3)
    rough = np.random.default_rng(0).exponential(size=(16, 16))
    rings = smoothed(rough)
    np.testing.assert_allclose(rings, rings.T)  # it depends on the radial frequency alone
    assert np.log(rings).std() < np.log(rough).std() / 3


@pytest.mark.parametrize("process", PROCESSES)
def test_whitened_inputs_have_unit_variance_in_every_mode_at_every_level(process):
    stored = gaussian_images(3000, 0.02 * np.exp(-radial_frequencies(SIZE, SIZE)))
    prediction = Predictor.fitted(WhitenedSettings(), stored).on(build_process(PROCESSES[process], SIZE))
    pictures = to_tensor(stored)
    for level in (1, 15, 30):
        levels = torch.full((len(pictures),), level)
        draws = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(level))
        seen = prediction.network_input(prediction.process.draw(pictures, levels, draws), levels)
        variance = prediction.process.transform(seen).var(dim=(0, 1))
        assert float((variance.log().abs()).median()) < 0.15
        # An output of zero is the exact answer for Gaussian images: α x̃ + β ε and α ε − β x̃ are independent.
        estimate = prediction.process.transform(prediction.raw_estimate(lambda u, _: 0 * u, seen, level))
        assert estimate.isfinite().all()


def test_the_noisy_image_is_added_as_extra_channels():
    prediction = PREDICTORS["whitened-bound"].on(build_process(PROCESSES["heat"], SIZE))
    seen = prediction.network_input(images(), torch.full((4,), 7))
    assert PREDICTORS["whitened-bound"].num_inputs == 2
    assert torch.equal(seen[:, CHANNELS:], images())


def test_weights_of_the_loss_are_the_gain_of_the_bound():
    """Heat: ½ (a_{k−1}² − a_k²) P / n_k², and one where that is more; but something for modes that are kept."""
    process = build_process(PROCESSES["heat"], SIZE)
    prediction = PREDICTORS["whitened-bound"].on(process)
    power, level = np.maximum(PREDICTORS["whitened-bound"].statistics.power, 1e-3), 12
    sharper, scale = (np.exp(2 * process.log_scale(one)) for one in (level - 1, level))
    gain = (sharper - scale) * power / (scale * power + process.settings.sigma**2) / 2
    np.testing.assert_allclose(prediction._weight(level), np.clip(gain, 0.01, 1), rtol=1e-6)
    assert (prediction._weight(1) == 1).all()
