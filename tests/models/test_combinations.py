"""Every process with every prediction: trained, resumed, calibrated, sampled by every sampler, bounded and exported."""

import itertools
import math

import numpy as np
import pytest
import torch

from ihdm.calibration import CALIBRATION_NAME, measure
from ihdm.config.experiments import Experiment
from ihdm.config.processes import SamplerSettings
from ihdm.config.stages import JointSettings, SamplingSettings
from ihdm.errors import InterruptedTrainingError
from ihdm.metrics.heldout import dequantize
from ihdm.metrics.joints import joint_rows
from ihdm.models.network import load_network, save_network
from ihdm.models.training import train
from ihdm.portable.folder import assemble, read
from ihdm.predictions import Predictor, prediction_of
from ihdm.processes import build_process
from ihdm.samples.generation import generate

PROCESSES = {
    "heat": {"kind": "heat", "sigma": 0.01, "num_levels": 25, "blur_sigma_max": 4.0},
    "diffusion": {"kind": "diffusion", "num_levels": 25},
    "blurring": {"kind": "blurring", "num_levels": 25, "blur_sigma_max": 4.0},
    "soft": {"kind": "soft", "num_levels": 25, "blur_sigma_max": 4.0},
    "flow": {"kind": "flow", "num_levels": 25},
}
PREDICTIONS = {
    "residual": "residual",
    "noise": "noise",
    "whitened": "whitened",
    "bound": {"kind": "whitened", "max_stride": 1, "floor": 1e-4, "image": True},
}
SAMPLERS = [
    {"coupling": "independent", "noise": "delta"},
    {"coupling": "independent", "noise": "measured", "evaluations": 5},
    {"coupling": "markov", "noise": "measured", "evaluations": 5},
    {"coupling": "markov", "noise": "posterior"},
    {"coupling": "deterministic", "noise": "none"},
    {"coupling": "deterministic", "noise": "none", "evaluations": 5, "order": 2},
]
LEVELS = (5, 10, 15, 20, 25)


COMBINATIONS = [
    (process, prediction)
    for process, prediction in itertools.product(PROCESSES, PREDICTIONS)
    if prediction != "noise" or process in ("diffusion", "blurring")
]


@pytest.mark.parametrize("process", ["heat", "soft", "flow"])
def test_noise_is_refused_where_the_blur_leaves_nothing(process, make_experiment):
    values = {**make_experiment().model_dump(), "process": PROCESSES[process], "prediction": "noise"}
    with pytest.raises(ValueError, match="use 'residual' or 'whitened'"):
        Experiment.model_validate(values)


@pytest.mark.pipeline
@pytest.mark.parametrize(("process", "prediction"), COMBINATIONS)
def test_all_of_it_works(process, prediction, make_experiment, images, stop_at, tmp_path):
    values = {**make_experiment(steps=4).model_dump(), "process": PROCESSES[process]}
    experiment = Experiment.model_validate({**values, "prediction": PREDICTIONS[prediction]})

    whole, _ = train(experiment, images, tmp_path / "whole")
    with pytest.raises(InterruptedTrainingError):
        train(experiment, images, tmp_path / "state", report=stop_at(2))
    resumed, _ = train(experiment, images, tmp_path / "state")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)

    folder = tmp_path / "model"
    folder.mkdir()
    save_network(whole, folder, experiment.process, Predictor.fitted(experiment.predicted, images))
    network = load_network(folder, experiment.process, images)
    built = build_process(experiment.process, 8)
    assert prediction_of(network, built).settings == experiment.predicted
    calibration = measure(network, built, dequantize(images), LEVELS, 0, 20)
    calibration.save(folder / CALIBRATION_NAME, experiment.process)

    common = {"process": experiment.process, "prediction": experiment.prediction, "seed": 1}
    joints = JointSettings(
        **common, levels=LEVELS, num_images=4, micro_batch=4, delta_ratios=(1.25,), bandwidth_ratio=1.25
    )
    rows = joint_rows(network, calibration, images, images, joints)
    assert {(row["joint"], row["variance"]) for row in rows} >= {("markov", "mode"), ("independent", "mode")}
    assert all(math.isfinite(row["bits_per_dim"]) for row in rows)

    is_clean = prediction_of(network, built).reference(5) == 0
    second = SamplerSettings.model_validate(SAMPLERS[-1])
    assert (second.mistake_with(experiment.process, experiment.predicted) is None) == is_clean
    if not is_clean:
        with pytest.raises(ValueError, match=r"has order 2.* use a sampler of order 1, or prediction 'whitened'"):
            SamplingSettings(**common, sampler=second)
    for values in SAMPLERS:
        if (values["noise"] == "delta" and process != "heat") or (values.get("order") == 2 and not is_clean):
            continue
        settings = SamplingSettings(**common, sampler=SamplerSettings.model_validate(values), micro_batch=3)
        needed = calibration if settings.is_calibrated else None
        (batch,) = generate(network, images, settings, starts=range(3), noises=range(3), calibration=needed)
        assert batch.images.isfinite().all()
        if values["noise"] not in ("measured", "none") or values["coupling"] == "independent":
            continue  # exported pipelines are sampled with a calibration, and without noise
        pipeline = assemble(folder, images, settings)
        pipeline.save_pretrained(tmp_path / "portable")
        again = read(tmp_path / "portable")
        for name in ("process_settings", "sampler", "delta_ratio"):
            assert getattr(again.scheduler, name) == getattr(pipeline.scheduler, name)
        if values["coupling"] == "markov":
            expected, found = (
                one(2, generator=torch.Generator().manual_seed(0), output_type="np").images for one in (pipeline, again)
            )
            assert np.array_equal(expected, found)
        if values["noise"] == "none":  # so starts are all there is
            starts = built.to_range(batch.starts)
            made = again(3, starts=starts, output_type="pt").images
            torch.testing.assert_close(made, batch.images.clamp(0, 1), atol=1e-4, rtol=0)
