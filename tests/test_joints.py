"""Bounds by joint on Gaussian data, where everything has a closed form."""

import math

import numpy as np
import pytest
import torch

from ihdm.calibration import Calibration
from ihdm.config.processes import BlurringSettings, DiffusionSettings, FlowSettings, HeatSettings, SoftSettings
from ihdm.joints import JOINTS, VARIANCES, plan_transition, transition_nats
from ihdm.processes import build_process

SIZE = 4
POWER = np.geomspace(0.1, 1e-3, SIZE * SIZE).reshape(SIZE, SIZE)
PROCESSES = {
    "heat": lambda levels: HeatSettings(kind="heat", sigma=0.05, num_levels=levels, blur_sigma_max=3.0),
    "diffusion": lambda levels: DiffusionSettings(kind="diffusion", num_levels=levels, clip=False),
    "blurring": lambda levels: BlurringSettings(kind="blurring", num_levels=levels, blur_sigma_max=3.0),
    "soft": lambda levels: SoftSettings(kind="soft", num_levels=levels, blur_sigma_max=3.0),
    "flow": lambda levels: FlowSettings(kind="flow", num_levels=levels),
}


def exact(process) -> Calibration:
    """What an ideal network leaves open of Gaussian data: P s²/(a² P + s²) in each mode."""
    levels = range(1, process.num_levels + 1)
    scales = np.stack([np.broadcast_to(np.exp(process.log_scale(level)), (SIZE, SIZE)) for level in levels])
    noise = np.array([process.deviation(level) ** 2 for level in levels])[:, None, None]
    residual = POWER * noise / (scales**2 * POWER + noise)
    return Calibration(np.array(levels), np.zeros_like(residual), np.zeros_like(residual), residual, POWER)


def expected_nats(process, joint, variance="mode"):
    """The bound on average over Gaussian data, with q(u_K) itself for a prior, so that L_K is its KL divergence."""
    calibration, total = exact(process), 0.0
    for level in range(1, process.num_levels + 1):
        transition = plan_transition(process, joint, calibration, level, level - 1)
        errors = calibration.at(level).residual[None, None]
        total += transition_nats(transition, transition.variance(variance), errors)[0]
    scale = np.exp(process.log_scale(process.num_levels))
    last = process.deviation(process.num_levels) ** 2
    return total + 0.5 * np.log((scale**2 * POWER + last) / last).sum()


def entropy() -> float:
    return float(0.5 * np.log(2 * math.pi * math.e * POWER).sum())


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("levels", [25, 80])
def test_the_markov_bound_is_the_entropy_of_gaussian_data(kind, levels):
    """At every number of levels, whatever the process."""
    process = build_process(PROCESSES[kind](levels), SIZE)
    assert expected_nats(process, "markov") == pytest.approx(entropy(), abs=1e-6)


@pytest.mark.parametrize("levels", [40, 100])
def test_the_independent_bound_pays_for_every_level(levels):
    """½ ln(1 + a_j² S / σ²) a mode and level more than it must: ½ ln 2 where the mode is alive."""
    process = build_process(HeatSettings(kind="heat", sigma=1e-4, num_levels=levels, blur_sigma_max=0.6), SIZE)
    gap = expected_nats(process, "independent") - expected_nats(process, "markov")
    assert gap == pytest.approx(0.5 * math.log(2) * SIZE**2 * (levels - 1), rel=0.05)


@pytest.mark.parametrize("joint", JOINTS)
def test_a_variance_for_each_mode_is_the_best(joint):
    """And one a level is better than one for all, whatever that is."""
    process = build_process(PROCESSES["heat"](20), SIZE)
    calibration = exact(process)
    bounds = {variance: expected_nats(process, joint, variance) for variance in VARIANCES}
    assert bounds["mode"] <= bounds["level"] + 1e-9
    for ratio in (1.0, 1.1, 1.25, 1.5, 2.0):
        one = 0.0
        for level in range(2, 21):
            transition = plan_transition(process, joint, calibration, level, level - 1)
            errors = calibration.at(level).residual[None, None]
            one += transition_nats(transition, transition.variance("one", ratio), errors)[0]
            assert transition_nats(transition, transition.variance("level"), errors)[0] >= 0
        assert math.isfinite(one)


def test_terms_are_kl_divergences_of_gaussians():
    """Against PyTorch's own."""
    process = build_process(PROCESSES["blurring"](30), SIZE)
    calibration, rng = exact(process), np.random.default_rng(0)
    transition = plan_transition(process, "markov", calibration, 12, 11)
    errors, variance = rng.random((3, 2, SIZE, SIZE)), transition.variance("mode")
    q = torch.distributions.Normal(
        torch.zeros(3, 2, SIZE, SIZE, dtype=torch.float64), torch.as_tensor(np.sqrt(transition.spread))
    )
    p = torch.distributions.Normal(
        torch.as_tensor(np.sqrt(errors * transition.weight)), torch.as_tensor(variance).sqrt()
    )
    expected = torch.distributions.kl_divergence(q, p).flatten(1).sum(1).numpy()
    assert transition_nats(transition, variance, errors) == pytest.approx(expected)


def test_the_constant_mode_of_heat_costs_nothing():
    """No blur touches it, so the Markov joint has nothing to draw for it before the last step."""
    process = build_process(PROCESSES["heat"](10), SIZE)
    transition = plan_transition(process, "markov", exact(process), 5, 4)
    assert transition.spread[0, 0] == 0
    assert transition.weight[0, 0] == pytest.approx(0, abs=1e-20)
