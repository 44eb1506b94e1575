import json

import numpy as np
import pytest
import torch
from diffusers import ConfigMixin, DDIMScheduler, DDPMScheduler, SchedulerMixin
from pydantic import ValidationError

from ihdm.calibration import Calibration
from ihdm.config.processes import SAMPLERS, SamplerSettings
from ihdm.errors import UserError
from ihdm.portable.pictures import NAMED_SAMPLERS
from ihdm.portable.scheduler import IHDMScheduler
from ihdm.predictions import prediction_of
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, take_steps
from ihdm.sampling import SeededNoise

HEAT = {"kind": "heat", "sigma": 0.02, "num_levels": 6, "blur_sigma_min": 0.4, "blur_sigma_max": 6.0}


def sample(scheduler, network, state, noise=None, generator=None):
    """Return the image that a user's own loop makes."""
    for timestep in scheduler.timesteps:
        levels = torch.full((len(state),), int(timestep))
        given = None if noise is None else noise[int(timestep) - 1]
        state = scheduler.step(network(state, levels), timestep, state, generator, given).prev_sample
    return state


def test_it_is_a_scheduler_of_diffusers():
    scheduler = IHDMScheduler(process=HEAT)
    assert isinstance(scheduler, SchedulerMixin)
    assert isinstance(scheduler, ConfigMixin)
    assert len(scheduler) == 6
    assert scheduler.timesteps.tolist() == [6, 5, 4, 3, 2, 1]
    assert scheduler.init_noise_sigma == 1
    assert scheduler.order == 1
    images = torch.rand(2, 1, 8, 8)
    assert scheduler.scale_model_input(images, 3) is images


def test_unknown_noise_of_starts_is_refused_at_once():
    with pytest.raises(ValidationError, match="'delta', 'sigma' or 'none'"):
        IHDMScheduler(process=HEAT, prior_noise="dleta")


def test_the_papers_sampler_has_the_reference_values(golden, linear_network):
    case = {name: torch.as_tensor(value) for name, value in golden("sampler").items()}
    num_levels = int(case["num_levels"])
    process = {"kind": "heat", "sigma": 0.01, "num_levels": num_levels, "blur_sigma_max": 4.0}
    scheduler = IHDMScheduler(process=process, delta_ratio=float(case["delta"]) / 0.01)
    final = sample(scheduler, linear_network(num_levels), case["init"], case["noise"])
    torch.testing.assert_close(final, case["final_mean"], atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_steps_are_those_of_the_workflow_bit_for_bit(process, name, linear_network):
    network, sampler = linear_network(process["num_levels"]), SAMPLERS[name]
    scheduler = IHDMScheduler(process=process, **sampler.model_dump())
    built = build_process(scheduler.process_settings, 8)
    start = torch.rand((3, 2, 8, 8), generator=torch.Generator().manual_seed(0))
    noise = SeededNoise(0, range(3), process["num_levels"], (2, 8, 8))
    delta = 1.25 * built.deviation(process["num_levels"]) if sampler.uses_delta else 0.0
    *_, last = take_steps(network, built, plan_steps(prediction_of(None, built), sampler, delta), start, noise)
    if process["kind"] != "heat":
        scheduler.delta_ratio = delta / scheduler.deviation
    assert torch.equal(sample(scheduler, network, start, noise), last.mean)


@pytest.mark.parametrize(
    ("name", "theirs"), [("ancestral", DDPMScheduler), ("ddim", DDIMScheduler)], ids=["ddpm", "ddim"]
)
def test_on_diffusion_it_is_diffusers_own(name, theirs, linear_network):
    """DDPM's and DDIM's, with K = 1000 and 50 evaluations spaced as ours are."""
    process = {"kind": "diffusion", "num_levels": 1000, "clip": True}
    scheduler = IHDMScheduler(process=process, **SAMPLERS[name].model_dump())
    scheduler.set_timesteps(50)
    options = {"variance_type": "fixed_small"} if name == "ancestral" else {"set_alpha_to_one": True}
    reference = theirs(1000, clip_sample=True, timestep_spacing="trailing", **options)
    reference.set_timesteps(50)
    assert (scheduler.timesteps - 1).tolist() == reference.timesteps.tolist()
    network = linear_network(1000)
    ours = torch.randn((2, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    expected = ours.clone()
    ours = sample(scheduler, network, ours, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    for timestep in reference.timesteps:
        output = network(expected, torch.full((2,), int(timestep) + 1))
        expected = reference.step(output, timestep, expected, generator=generator).prev_sample
    torch.testing.assert_close(ours, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("process", "sampler", "total", "magnitude"),
    [
        ("heat", "paper", 153.128, 0.399593),
        ("heat", "ddim", 183.04, 0.489864),
        ("diffusion", "ancestral", -29.8697, 0.747921),
        ("blurring", "ancestral", 37251.2, 17734.6),
    ],
    indirect=["process"],
)
def test_sums_of_a_whole_loop_stay_as_they_are(process, sampler, total, magnitude, linear_network):
    scheduler = IHDMScheduler(process=process, **SAMPLERS[sampler].model_dump())
    start = torch.linspace(0, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    network, generator = linear_network(process["num_levels"]), torch.Generator().manual_seed(0)
    found = sample(scheduler, network, start, generator=generator)
    assert found.sum().item() == pytest.approx(total, rel=1e-4)
    assert found.abs().mean().item() == pytest.approx(magnitude, rel=1e-4)


def test_added_noise_is_that_of_the_process(process):
    scheduler = IHDMScheduler(process=process)
    built = build_process(scheduler.process_settings, 8)
    images, noise = torch.rand(5, 1, 8, 8), torch.randn(5, 1, 8, 8)
    levels = torch.tensor([1, 2, 3, 5, 6])
    expected = built.draw(images, levels, noise)
    torch.testing.assert_close(scheduler.add_noise(built.to_range(images), noise, levels), expected)


def test_a_batch_is_its_images_one_by_one(linear_network):
    """Each with a generator of its own."""
    scheduler, network = IHDMScheduler(process=HEAT), linear_network(6)
    start = torch.rand(3, 1, 8, 8)
    together = sample(scheduler, network, start, generator=[torch.Generator().manual_seed(seed) for seed in range(3)])
    for seed in range(3):
        alone = sample(scheduler, network, start[seed : seed + 1], generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(alone[0], together[seed], atol=1e-6, rtol=0)


def test_a_step_can_return_a_tuple(linear_network):
    scheduler, state = IHDMScheduler(process=HEAT), torch.rand(2, 1, 8, 8)
    output = linear_network(6)(state, torch.tensor([6, 6]))
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    found = scheduler.step(output, 6, state, generator=generators[0])
    as_tuple = scheduler.step(output, 6, state, generator=generators[1], return_dict=False)
    for name, value in zip(("prev_sample", "mean", "estimate"), as_tuple, strict=True):
        assert torch.equal(found[name], value)
    assert torch.equal(found.mean, state + output)
    assert (found.prev_sample - found.mean).std().item() == pytest.approx(1.25 * 0.02, rel=0.2)


def test_it_is_saved_and_loaded(tmp_path):
    scheduler = IHDMScheduler(process=HEAT, coupling="markov", noise="posterior", delta_ratio=1.5, prior_noise="sigma")
    scheduler.save_pretrained(tmp_path)
    loaded = IHDMScheduler.from_pretrained(tmp_path)
    assert {key: loaded.config[key] for key in scheduler.config if key[0] != "_"} == {
        key: value for key, value in scheduler.config.items() if key[0] != "_"
    }
    assert loaded.sampler == scheduler.sampler == SamplerSettings(coupling="markov", noise="posterior")
    assert loaded.process_settings == scheduler.process_settings
    assert (loaded.delta, loaded.bandwidth) == (0.03, 0.02)
    content = json.loads((tmp_path / "scheduler_config.json").read_text())
    assert content["process"] == HEAT
    other = IHDMScheduler.from_config(loaded.config, coupling="independent", noise="delta")
    assert other.sampler == SAMPLERS["paper"]
    assert other.delta_ratio == 1.5


def measured(levels):
    ones = np.ones((len(levels), 8, 8))
    return Calibration(np.asarray(levels), ones, 0 * ones, 0 * ones, ones[0])


def test_samplers_that_need_a_calibration_report_it():
    scheduler = IHDMScheduler(process=HEAT)
    with pytest.raises(UserError, match=r"3 evaluations needs a calibration .* use 6 evaluations"):
        scheduler.set_timesteps(3)
    scheduler.calibration = measured([2, 4, 6])
    scheduler.set_timesteps(3)
    assert scheduler.timesteps.tolist() == [6, 4, 2]
    assert scheduler.num_inference_steps == 3
    with pytest.raises(UserError, match="use 1, 3, 6 evaluations"):
        scheduler.set_timesteps(2)
    other = IHDMScheduler(process=HEAT, **NAMED_SAMPLERS["markov"].model_dump())
    with pytest.raises(UserError, match=r"noise 'measured' .* use another sampler"):
        other.set_timesteps()


def test_measured_noise_is_used_where_it_was_measured(linear_network):
    scheduler = IHDMScheduler(process=HEAT, **NAMED_SAMPLERS["independent"].model_dump())
    scheduler.calibration = measured([2, 4, 6])
    scheduler.set_timesteps(3)
    built = build_process(scheduler.process_settings, 8)
    sampler = scheduler.sampler.model_copy(update={"evaluations": 3})
    start, noise = torch.rand(2, 1, 8, 8), SeededNoise(0, range(2), 6, (1, 8, 8))
    steps = plan_steps(prediction_of(None, built), sampler, calibration=scheduler.calibration)
    *_, last = take_steps(linear_network(6), built, steps, start, noise)
    assert torch.equal(sample(scheduler, linear_network(6), start, noise), last.mean)


@pytest.mark.parametrize("count", [0, 7])
def test_more_evaluations_than_levels_are_refused(count):
    with pytest.raises(UserError, match="use 1 to 6"):
        IHDMScheduler(process=HEAT).set_timesteps(count)


def test_levels_that_are_not_evaluated_are_refused():
    scheduler = IHDMScheduler(process={"kind": "diffusion", "num_levels": 25})
    scheduler.set_timesteps(5)
    images = torch.zeros(1, 1, 8, 8)
    with pytest.raises(UserError, match="level 24 is not among the 5"):
        scheduler.step(images, 24, images)


def test_settings_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="sigma"):
        IHDMScheduler(process={"kind": "heat", "num_levels": 6, "blur_sigma_max": 6.0})
    with pytest.raises(ValueError, match="no room"):
        IHDMScheduler(process=HEAT, coupling="deterministic", noise="posterior")
