"""Against diffusers' schedulers, whose timestep k−1 is our level k; the image, level 0, has no timestep."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from ihdm.config.processes import ANCESTRAL, DDIM, DiffusionSettings
from ihdm.predictions import prediction_of
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, take_steps

SCHEDULES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}
SHAPE = (3, 1, 4, 4)


class Noise:
    """The noise that a scheduler draws when it is given :meth:`generator` of a level."""

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return torch.randn(SHAPE, generator=self.generator(index + 1))

    @staticmethod
    def generator(level):
        return torch.Generator().manual_seed(level)


def make_process(schedule, clip=True):
    return build_process(DiffusionSettings(kind="diffusion", schedule=schedule, clip=clip), SHAPE[-1])


def make_scheduler(kind, schedule, **options):
    """Make one with coefficients in double precision: 1 − ᾱ_t/ᾱ_{t−1} keeps three digits of float32."""
    scheduler = kind(beta_schedule=SCHEDULES[schedule], timestep_spacing="trailing", **options)
    scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), dim=0)
    return scheduler


def wavy_network(process):
    """Predict about the noise of images that are white noise themselves; estimates of the clean image pass ±1."""

    def network(noisy, levels):
        deviation, scale = process.deviation(int(levels[0])), np.exp(process.log_scale(int(levels[0])))
        return deviation * noisy + 0.3 * float(scale) * torch.sin(5 * noisy + levels.view(-1, 1, 1, 1))

    return network


def visited_states(process, sampler, network):
    """Return the states u_k at every level that is visited, the image last."""
    states = []

    def recording(noisy, levels):
        states.append(noisy.clone())
        return network(noisy, levels)

    start = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    *_, last = take_steps(recording, process, plan_steps(prediction_of(None, process), sampler), start, Noise())
    assert last.next_level == 0
    return [*states, last.mean]


def worst_step(process, scheduler, sampler, step):
    """Return the largest difference, at any level, between a step of the family and the scheduler's."""
    network = wavy_network(process)
    states, levels = visited_states(process, sampler, network), sampler.levels(process.settings)
    scheduler.set_timesteps(len(levels) - 1)
    assert [int(timestep) + 1 for timestep in scheduler.timesteps] == list(levels[:-1])
    differences = []
    for state, reached, level in zip(states, states[1:], levels, strict=False):
        output = network(state, torch.full((len(state),), level))
        differences.append(float((step(output, level, state) - reached).abs().max()))
    assert len(differences) == len(levels) - 1
    return max(differences)


@pytest.mark.parametrize("evaluations", ["all", 50, 8])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", [ANCESTRAL, DDIM], ids=["ddpm", "ddim"])
def test_steps_are_those_of_diffusers(sampler, schedule, clip, evaluations):
    """DDPM's or DDIM's, in which the noise follows from the clean image before it is clipped."""
    process = make_process(schedule, clip)
    kind, options = (DDIMScheduler, {}) if sampler is DDIM else (DDPMScheduler, {"variance_type": "fixed_small"})
    scheduler = make_scheduler(kind, schedule, clip_sample=clip, **options)

    def step(output, level, state):
        return scheduler.step(output, level - 1, state, generator=Noise.generator(level)).prev_sample

    assert worst_step(process, scheduler, sampler.model_copy(update={"evaluations": evaluations}), step) < 1e-5


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_levels_are_as_noisy_as_timesteps(schedule):
    """To the float32 that diffusers computes its schedule in."""
    process, scheduler = make_process(schedule), DDPMScheduler(beta_schedule=SCHEDULES[schedule])
    signal = torch.as_tensor(np.exp(process.log_signal))
    assert signal[0] == 1
    torch.testing.assert_close(signal[1:].float(), scheduler.alphas_cumprod, rtol=3e-5, atol=0)


@pytest.mark.parametrize("schedule", [*SCHEDULES, "clipped_cosine"])
def test_what_is_no_signal_is_noise(schedule):
    """a_k² + s_k² = 1, and both change with every level."""
    process = make_process(schedule)
    scales = np.exp([process.log_scale(level) for level in range(1001)])
    deviations = np.array([process.deviation(level) for level in range(1001)])
    assert (scales[0], deviations[0]) == (1, 0)
    np.testing.assert_allclose(scales**2 + deviations**2, 1, rtol=1e-12)
    assert (np.diff(scales) < 0).all()
    assert (np.diff(deviations) >= 0).all()


@pytest.mark.parametrize("num_levels", [25, 50, 300])
def test_a_linear_schedule_of_other_length_ends_as_noisy(num_levels):
    process = build_process(DiffusionSettings(kind="diffusion", num_levels=num_levels), 4)
    assert np.exp(process.log_scale(num_levels)) < np.exp(make_process("linear").log_scale(1000)) * 1.01
    assert process.deviation(1) < process.deviation(num_levels) < 1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_pairs_are_made_as_schedulers_add_noise(schedule):
    process, scheduler = make_process(schedule), DDPMScheduler(beta_schedule=SCHEDULES[schedule])
    levels = torch.tensor([1, 2, 10, 200, 500, 900, 999, 1000])
    images = torch.rand((len(levels), 3, 4, 4), generator=torch.Generator().manual_seed(0))
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    noisy = process.draw(images, levels, noise)
    torch.testing.assert_close(noisy, scheduler.add_noise(2 * images - 1, noise, levels - 1), atol=1e-5, rtol=0)


def test_estimates_are_clipped_to_the_range_of_images():
    noisy = 3 * torch.ones(1, 1, 4, 4)
    silent = torch.zeros_like
    predictions = [prediction_of(None, make_process("linear", clip)) for clip in (True, False)]
    clipped, free = (one.estimate(lambda u, _: silent(u), noisy, 10) for one in predictions)
    assert torch.equal(clipped, torch.ones_like(noisy))
    assert (free > 3).all()
