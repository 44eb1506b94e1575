"""The study of quality against evaluations, and the table of bounds by joint, on networks that need no training."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from ihdm.calibration import measure
from ihdm.config.processes import DDIM, PAPER, DiffusionSettings, HeatSettings, SamplerSettings, with_evaluations
from ihdm.config.stages import DistanceSettings, JointSettings, NfeSettings, SamplingSettings
from ihdm.errors import UserError
from ihdm.metrics import evaluations
from ihdm.metrics.evaluations import Evaluator, count_sets
from ihdm.metrics.features import CosineFeatures, extract
from ihdm.metrics.frechet_kernel import Moments
from ihdm.metrics.heldout import dequantize
from ihdm.metrics.joints import joint_rows
from ihdm.metrics.spectrum import MeanPower
from ihdm.processes import build_process

HEAT = HeatSettings(kind="heat", sigma=0.02, num_levels=8, blur_sigma_max=4.0)
DIFFUSION = DiffusionSettings(kind="diffusion", num_levels=40)
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)


def nothing(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(images)


def study(process, samplers, counts, ratios=(1.0, 2.0)):
    settings = NfeSettings(
        samplers=samplers,
        counts=counts,
        delta_ratios=ratios,
        sampling=SamplingSettings(process=process, seed=1, delta_ratio=1.0, micro_batch=8),
        distance=DistanceSettings(num_images=(20,), num_resamples=20, num_neighbors=3, extrapolate=False, seed=0),
        num_samples=20,
    )
    built = build_process(process, 8)
    every = [with_evaluations(sampler, count) for sampler in settings.samplers.values() for count in counts]
    levels = sorted({level for sampler in every for level in sampler.levels(built.settings)} - {0})
    calibration = measure(nothing, built, dequantize(IMAGES), levels, 1, 16)
    extractor = CosineFeatures(8)
    features = extract(extractor, IMAGES)
    power, distance = MeanPower.of(IMAGES), settings.distance
    evaluator = Evaluator(IMAGES, extractor, features, Moments.of(features[:]), power, distance, settings.num_samples)
    done: list[int] = []
    found = list(evaluations.study(nothing, calibration, evaluator, settings, done.append))
    assert done == list(range(1, count_sets(settings) + 1))
    return found


def sets(found):
    return [(rows[0]["sampler"], rows[0]["evaluations"]) for rows, _ in found]


def test_each_sampler_has_a_row_for_each_number_of_evaluations():
    markov = SamplerSettings(coupling="markov", noise="measured")
    found = study(HEAT, {"paper": PAPER, "markov": markov}, (8, 2))
    expected = [("paper", 8), ("paper_best", 8), ("paper", 2), ("paper_best", 2), ("markov", 8), ("markov", 2)]
    assert sets(found) == expected
    table = pd.DataFrame([row for rows, _ in found for row in rows])
    assert set(table["metric"]) == {"frechet_distance", "kernel_distance", "relative_power_highest", "seconds"}
    assert table.loc[table["sampler"] == "markov", "delta_ratio"].isna().all()
    assert (table.loc[table["sampler"] == "paper", "delta_ratio"] == 1.0).all()
    measured = table[table["metric"] != "seconds"]
    assert (measured["low"] <= measured["value"]).all()
    assert (measured["value"] <= measured["high"]).all()
    assert all(shown.shape == (8, 8, 8, 1) for _, shown in found)


def test_second_order_is_refused_for_networks_that_estimate_the_next_level():
    with pytest.raises(ValueError, match=r"samplers\.second has order 2.*prediction 'residual' of process 'heat'"):
        study(HEAT, {"second": DDIM.model_copy(update={"order": 2})}, (4,))


def test_the_best_is_the_one_with_the_smallest_frechet_distance():
    found = study(HEAT, {"paper": PAPER}, (4,), ratios=(1.0, 3.0, 9.0))
    values = {rows[0]["sampler"]: rows[0]["value"] for rows, _ in found}
    assert found[0][0][0]["metric"] == "frechet_distance"
    assert values["paper_best"] <= values["paper"]


def test_the_diffusion_baseline_is_studied_in_the_same_way():
    found = study(DIFFUSION, {"ddim": DDIM}, (10, 5))
    assert sets(found) == [("ddim", 10), ("ddim", 5)]


def joint_table(process, **changes):
    built = build_process(process, 8)
    levels = tuple(range(1, built.num_levels + 1))
    values = {
        "process": process, "seed": 1, "levels": levels, "num_images": 12, "micro_batch": 5, "num_draws": 1,
        "delta_ratios": (1.0, 1.25), "bandwidth_ratio": 1.25,
    }  # fmt: skip
    settings = JointSettings(**values | changes)
    calibration = measure(nothing, built, dequantize(IMAGES[:40]), levels, 1, 16)
    return pd.DataFrame(joint_rows(nothing, calibration, IMAGES[:40], IMAGES[40:], settings))


def test_bounds_have_a_row_for_each_joint_and_variance():
    table = joint_table(HEAT)
    kinds = list(zip(table["joint"], table["variance"], table["delta_ratio"].fillna(-1), strict=True))
    assert kinds == [
        ("independent", "level", -1), ("independent", "mode", -1), ("markov", "one", 1.0), ("markov", "one", 1.25),
        ("markov", "level", -1), ("markov", "mode", -1),
    ]  # fmt: skip
    terms = table["prior_nats"] + table["transition_nats"] + table["reconstruction_nats"]
    assert table["nats"].to_numpy() == pytest.approx(terms.to_numpy())
    assert table["bits_per_dim"].to_numpy() == pytest.approx((table["nats"] / (64 * math.log(2)) + 8).to_numpy())
    assert (table["standard_error"] > 0).all()


def test_the_diffusion_baseline_has_both_joints_and_no_delta():
    table = joint_table(DIFFUSION, delta_ratios=(1.0,))
    assert table["delta_ratio"].isna().all()
    assert set(table["joint"]) == {"independent", "markov"}
    assert np.isfinite(table["bits_per_dim"]).all()


def test_the_batch_changes_no_bound():
    first, second = (joint_table(HEAT, micro_batch=size)["nats"].to_numpy() for size in (5, 12))
    assert first == pytest.approx(second, rel=1e-5)


def test_too_few_test_images_are_reported():
    with pytest.raises(UserError, match="21 test images are requested but there are 20"):
        joint_table(HEAT, num_images=21)
