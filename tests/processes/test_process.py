"""What all processes have in common."""

import numpy as np
import pytest
import torch
from scipy import stats

from ihdm.config.processes import BlurringSettings, DiffusionSettings, FlowSettings, HeatSettings, SoftSettings
from ihdm.processes import build_process

SIZE = 8
SETTINGS = {
    "heat": HeatSettings(kind="heat", sigma=0.02, num_levels=30, blur_sigma_max=3.0),
    "diffusion": DiffusionSettings(kind="diffusion", num_levels=30),
    "blurring": BlurringSettings(kind="blurring", num_levels=30, blur_sigma_max=3.0),
    "soft": SoftSettings(kind="soft", num_levels=30, blur_sigma_max=3.0),
    "flow": FlowSettings(kind="flow", num_levels=30),
}


@pytest.fixture(params=SETTINGS)
def process(request):
    return build_process(SETTINGS[request.param], SIZE)


IMAGES = torch.rand((4, 2, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
NOISE = torch.randn((4, 2, SIZE, SIZE), generator=torch.Generator().manual_seed(1))


def test_level_zero_is_the_image(process):
    assert not np.any(process.log_scale(0))
    assert process.deviation(0) == 0


def test_ranges_are_left_as_they_were_entered(process):
    ranged = process.to_range(IMAGES)
    torch.testing.assert_close(process.from_range(ranged), IMAGES, atol=1e-6, rtol=0)
    ends = process.to_range(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    assert float(ends[1] - ends[0]) == 2**process.bits_of_range


def test_the_cosine_basis_is_orthonormal(process):
    coefficients = process.transform(IMAGES)
    torch.testing.assert_close(process.inverse(coefficients), IMAGES, atol=1e-6, rtol=0)
    torch.testing.assert_close(coefficients.square().sum(), IMAGES.square().sum(), rtol=1e-5, atol=0)
    torch.testing.assert_close(coefficients[..., 0, 0], IMAGES.mean(dim=(2, 3)) * SIZE, atol=1e-5, rtol=0)


@pytest.mark.parametrize("level", [1, 15, 30])
def test_pairs_are_the_scaled_image_and_its_noise(process, level):
    levels = torch.full((4,), level)
    noisy = process.draw(IMAGES, levels, NOISE)
    scale = torch.as_tensor(np.exp(np.broadcast_to(process.log_scale(level), (SIZE, SIZE)))).float()
    expected = process.inverse(scale * process.transform(process.to_range(IMAGES)))
    torch.testing.assert_close(noisy, expected + process.deviation(level) * NOISE, atol=1e-5, rtol=0)


def test_images_of_a_batch_may_be_at_any_levels(process):
    levels = torch.tensor([1, 9, 30, 9])
    together = process.draw(IMAGES, levels, NOISE)
    for place in range(4):
        alone = process.draw(IMAGES[place : place + 1], levels[place : place + 1], NOISE[place : place + 1])
        torch.testing.assert_close(together[place : place + 1], alone, atol=1e-6, rtol=0)


def starts(process, numbers):
    train = np.random.default_rng(0).integers(0, 256, (20, SIZE, SIZE, 1), dtype=np.uint8)
    return process.draw_starts(train, 0.02, 5, numbers)


def test_a_start_depends_on_its_own_number_alone(process):
    alone, (among, origins) = starts(process, [7])[0], starts(process, [1, 7, 2])
    torch.testing.assert_close(among[1], alone[0], atol=1e-6, rtol=0)
    assert not torch.equal(among[0], among[1])
    assert origins.shape == (3,)


@pytest.mark.parametrize("kind", ["diffusion", "blurring", "flow"])
def test_starts_are_standard_normal_and_of_no_image(kind):
    drawn, origins = starts(build_process(SETTINGS[kind], SIZE), range(200))
    assert stats.kstest(drawn.numpy().ravel(), "norm").pvalue > 1e-3
    assert (origins == -1).all()


@pytest.mark.parametrize("kind", ["diffusion", "blurring", "flow"])
def test_the_prior_term_is_that_of_two_gaussians(kind):
    process = build_process(SETTINGS[kind], SIZE)
    found = process.prior_kl([IMAGES], IMAGES, [0.1, 0.2])
    scale = torch.as_tensor(np.exp(np.broadcast_to(process.log_scale(30), (SIZE, SIZE))))
    mean = scale * process.transform(process.to_range(IMAGES)).double()
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, process.deviation(30)), torch.distributions.Normal(0.0, 1.0)
    ).sum(dim=(1, 2, 3))
    for row in found:
        torch.testing.assert_close(row, expected, rtol=1e-5, atol=1e-7)


def test_soft_diffusion_has_the_blur_of_heat_and_geometric_noise():
    soft, heat = (build_process(SETTINGS[kind], SIZE) for kind in ("soft", "heat"))
    for level in (1, 15, 30):
        np.testing.assert_array_equal(soft.log_scale(level), heat.log_scale(level))
    noise = [soft.deviation(level) for level in range(1, 31)]
    np.testing.assert_allclose([noise[0], noise[-1]], [0.01, 0.1])
    np.testing.assert_allclose(np.diff(np.log(noise)), np.log(10) / 29)


def test_flow_is_a_straight_path_that_blurs():
    flow, level = build_process(SETTINGS["flow"], SIZE), 12
    time = 1 - level / 30
    scale = np.exp(flow.log_scale(level))
    assert scale[0, 0] == pytest.approx(time)
    assert scale[2, 3] == pytest.approx(time ** (1 + (np.pi / SIZE) ** 2 * (2**2 + 3**2) / 2))
    assert flow.deviation(level) == pytest.approx(1 - time)
    assert 0 < np.exp(flow.log_scale(30)).min() < np.exp(flow.log_scale(30)).max() < 1e-3
