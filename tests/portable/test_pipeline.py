import inspect
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from diffusers import DiffusionPipeline
from PIL import Image

import ihdm
from ihdm.config.processes import SAMPLERS
from ihdm.errors import UserError
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import StoredStatistics
from ihdm.predictions import Statistics, prediction_of
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, take_steps

KINDS = ("heat", "diffusion", "blurring")


def generators(count, first=0):
    return [torch.Generator().manual_seed(first + number) for number in range(count)]


def images_of(pipeline, count, first=0, **options):
    return pipeline(count, generator=generators(count, first), output_type="pt", **options).images


def test_it_is_a_pipeline_of_diffusers(pipeline):
    assert isinstance(pipeline, DiffusionPipeline)
    assert ihdm.IHDMPipeline is IHDMPipeline
    assert {"IHDMPipeline", "IHDMScheduler"} <= set(dir(ihdm))
    with pytest.raises(AttributeError, match="no attribute 'IHDM'"):
        ihdm.IHDM  # noqa: B018
    options = inspect.signature(IHDMPipeline.__call__).parameters
    assert [*options][1:4] == ["batch_size", "evaluations", "generator"]


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_those_of_the_workflows_sampler(kind, make_pipeline):
    """Bit for bit, from the same start and noise."""
    pipeline = make_pipeline(kind)
    built = build_process(pipeline.scheduler.process_settings, 8)
    draws = torch.randn((len(pipeline.scheduler), 2, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    start = torch.rand((2, 3, 8, 8), generator=torch.Generator().manual_seed(2))
    taken = iter(range(len(pipeline.scheduler) - 1, 0, -1))
    pipeline._normal = lambda count, generator: draws[next(taken)]
    found = pipeline(2, starts=start, output_type="pt").images
    sampler = pipeline.scheduler.sampler
    delta = pipeline.scheduler.delta if sampler.uses_delta else 0.0
    steps = plan_steps(prediction_of(None, built), sampler, delta)
    *_, last = take_steps(pipeline.deblurrer("no"), built, steps, start, draws)
    assert torch.equal(found, built.from_range(last.mean).clamp(0, 1))


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_batch_is_its_images_one_by_one(kind, make_pipeline):
    pipeline = make_pipeline(kind)
    together = images_of(pipeline, 3)
    for number in range(3):
        torch.testing.assert_close(images_of(pipeline, 1, number)[0], together[number], atol=2e-5, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_one_generator_serves_a_batch(pipeline):
    first, second = (pipeline(3, generator=torch.Generator().manual_seed(5), output_type="pt").images for _ in range(2))
    assert torch.equal(first, second)


def test_starts_are_blurred_training_images_with_noise(make_pipeline, train):
    pipeline = make_pipeline(delta_ratio=1.5)
    starts = pipeline.draw_starts(50, generators(50))
    clean = pipeline.prior.coefficients
    distances = (starts[:, None] - _images(pipeline, clean)).square().mean(dim=(2, 3, 4)).sqrt()
    # The noise of the nearest: 192 values of standard deviation δ = 0.03.
    assert distances.min(dim=1).values.mean().item() == pytest.approx(0.03, rel=0.1)


def _images(pipeline, coefficients):
    process = pipeline.scheduler.process_for(torch.zeros(1, 3, 8, 8))
    padded = torch.zeros(len(coefficients), 3, 8, 8)
    padded[:, :, : coefficients.shape[2], : coefficients.shape[3]] = coefficients
    return process.inverse(padded)


def test_what_is_shared_is_the_same_for_all(pipeline):
    """Both shared: one image, four times. One of them: they differ, and less than without."""
    both = images_of(pipeline, 4, shared_start=True, shared_noise=True)
    assert torch.equal(both, both[:1].expand_as(both))
    spreads = {
        name: images_of(pipeline, 32, **{name: True}).std(dim=0).mean().item()
        for name in ("shared_start", "shared_noise")
    }
    free = images_of(pipeline, 32).std(dim=0).mean().item()
    assert 0 < spreads["shared_start"] < free
    assert 0 < spreads["shared_noise"] <= 1.05 * free


def test_starts_can_be_given(make_pipeline):
    pipeline = make_pipeline(coupling="deterministic", noise="none")
    starts = pipeline.draw_starts(2, generators(2))
    given = pipeline(2, starts=starts, output_type="pt").images
    assert torch.equal(given, images_of(pipeline, 2))
    alone = pipeline(3, starts=starts[:1], output_type="pt").images
    assert torch.equal(alone, alone[:1].expand_as(alone))
    with pytest.raises(UserError, match=r"starts has shape \(2, 3, 8, 8\), but 3 images of 3×8×8"):
        pipeline(3, starts=starts)


def test_a_path_goes_from_one_image_to_another(pipeline):
    ends = images_of(pipeline, 2)
    path = pipeline.interpolate(*generators(2), num_positions=5, output_type="pt").images
    assert path.shape == (5, 3, 8, 8)
    torch.testing.assert_close(path[0], ends[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(path[-1], ends[1], atol=1e-5, rtol=0)
    assert (path[2] - ends[0]).abs().max() > 0.01
    with pytest.raises(UserError, match="num_positions is 1"):
        pipeline.interpolate(*generators(2), num_positions=1)


def test_fewer_evaluations_use_fewer_levels(make_pipeline):
    pipeline, visited = make_pipeline(is_measured=True), []
    images_of(
        pipeline, 2, evaluations=3, callback_on_step_end=lambda _pipe, _number, level, _state: visited.append(level)
    )
    assert visited == [6, 4, 2]
    images_of(pipeline, 2)
    assert len(pipeline.scheduler.timesteps) == 6
    with pytest.raises(UserError, match="use 6 evaluations"):
        images_of(make_pipeline(), 2, evaluations=3)


def test_a_callback_sees_and_changes_the_state(pipeline):
    seen = []

    def callback(pipe, number, level, tensors):
        seen.append((pipe is pipeline, number, level, *sorted(tensors)))
        return {"latents": torch.zeros_like(tensors["latents"])} if level == 1 else None

    images = images_of(pipeline, 2, callback_on_step_end=callback)
    assert seen == [(True, number, 6 - number, "latents", "mean") for number in range(6)]
    assert (images == 0).all()


def test_trajectories_show_every_step(pipeline):
    steps = list(pipeline.trajectory(2, generator=generators(2)))
    assert [level for level, _ in steps] == [6, 5, 4, 3, 2, 1, 0]
    assert torch.equal(steps[-1][1].clamp(0, 1), images_of(pipeline, 2))


@pytest.mark.parametrize("first", ["trajectory", "interpolate"])
def test_a_whitened_network_needs_no_other_call_first(first, make_pipeline, train):
    pipeline = make_pipeline(prediction={"kind": "whitened"}, coupling="deterministic", noise="none")
    pipeline.register_modules(statistics=StoredStatistics.of(Statistics.of(train)))
    if first == "trajectory":
        assert len(list(pipeline.trajectory(2, generator=generators(2)))) == 7
    else:
        assert len(pipeline.interpolate(*generators(2), 3).images) == 3


def test_only_the_last_step_is_kept(pipeline):
    """Means of hundreds of levels would fill the memory."""
    means, alive = [], []

    def callback(_pipe, _number, _level, tensors):
        means.append(weakref.ref(tensors["mean"]))
        alive.append(sum(mean() is not None for mean in means))

    images_of(pipeline, 2, callback_on_step_end=callback)
    assert len(means) == 6
    assert max(alive) <= 2


def test_as_many_generators_as_images_are_needed_everywhere(make_pipeline):
    for kind in KINDS[:2]:
        pipeline = make_pipeline(kind)
        for draw in (pipeline, pipeline.draw_starts, lambda *given, own=pipeline: next(own.trajectory(*given))):
            given = (3, generators(2)) if draw == pipeline.draw_starts else (3, None, generators(2))
            with pytest.raises(UserError, match="2 generators for 3 images"):
                draw(*given)


def test_images_come_in_three_kinds(pipeline):
    tensor = images_of(pipeline, 2)
    array = pipeline(2, generator=generators(2), output_type="np").images
    pictures = pipeline(2, generator=generators(2)).images
    (as_tuple,) = pipeline(2, generator=generators(2), return_dict=False)
    np.testing.assert_array_equal(array, tensor.permute(0, 2, 3, 1))
    assert all(isinstance(picture, Image.Image) for picture in pictures)
    stored = np.stack([np.asarray(picture) for picture in pictures])
    np.testing.assert_array_equal(stored, np.rint(array * 255))
    np.testing.assert_array_equal(np.stack([np.asarray(picture) for picture in as_tuple]), stored)
    assert 0 <= tensor.min() < tensor.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_loaded_from_safetensors_alone(kind, make_pipeline, tmp_path):
    pipeline = make_pipeline(kind, is_measured=kind == "heat")
    pipeline.save_pretrained(tmp_path / "model")
    kinds = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}
    loaded = IHDMPipeline.from_pretrained(tmp_path / "model")
    loaded.set_progress_bar_config(disable=True)
    assert torch.equal(images_of(loaded, 3), images_of(pipeline, 3))
    if kind == "heat":
        torch.testing.assert_close(
            images_of(loaded, 3, evaluations=2), images_of(pipeline, 3, evaluations=2), atol=1e-6, rtol=0
        )


def test_pickled_weights_are_not_loaded(make_pipeline, tmp_path):
    make_pipeline().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="pickled"):
        IHDMPipeline.from_pretrained(tmp_path, use_safetensors=False)
    weights = tmp_path / "unet/diffusion_pytorch_model.safetensors"
    weights.unlink()
    torch.save({}, weights.with_suffix(".bin"))
    with pytest.raises(UserError, match="safetensors: the weights are missing"):
        IHDMPipeline.from_pretrained(tmp_path)


def test_halved_networks_are_refused(pipeline):
    """Half precision of states would drown σ; that of the network alone is to be asked for."""
    exact, rough = images_of(pipeline, 2), images_of(pipeline, 2, precision="bf16")
    assert 0 < (exact - rough).abs().max() < 0.1
    pipeline.to(torch.bfloat16)
    with pytest.raises(UserError, match="keep them in float32"):
        pipeline(2)


def test_values_that_are_not_finite_are_reported(pipeline):
    for starts in (torch.full((2, 3, 8, 8), torch.nan), torch.full((2, 3, 8, 8), torch.inf)):
        with pytest.raises(UserError, match="starts has values that are not finite"):
            pipeline(2, starts=starts)
    for value in (torch.nan, torch.inf):
        torch.nn.init.constant_(pipeline.unet.conv_out.bias, value)
        with pytest.raises(UserError, match="not finite"):
            pipeline(2)
        with pytest.raises(UserError, match="not finite"):
            list(pipeline.trajectory(2))
        with pytest.raises(UserError, match="not finite"):
            pipeline.interpolate(torch.Generator(), torch.Generator())


def test_without_a_prior_starts_must_be_given(pipeline):
    pipeline.prior = None
    with pytest.raises(UserError, match="pass starts"):
        pipeline(2)


def test_every_sampler_can_be_taken(make_pipeline):
    for sampler in SAMPLERS.values():
        assert images_of(make_pipeline(**sampler.model_dump()), 2).isfinite().all()


def test_progress_is_shown(pipeline, capsys):
    pipeline.set_progress_bar_config(disable=False)
    pipeline(1)
    assert "6/6" in capsys.readouterr().err
    assert Path(inspect.getfile(IHDMPipeline)).name == "pipeline.py"


def test_the_first_convolution_stays_precise_under_offload_hooks(make_pipeline):
    """Hooks keep the ``forward`` that a module has when they are added."""
    convolution = make_pipeline().unet.conv_in
    add_hook_to_module(convolution, ModelHook())
    with torch.autocast("cpu", torch.bfloat16):
        assert convolution(torch.rand(1, 3, 8, 8)).dtype == torch.float32
