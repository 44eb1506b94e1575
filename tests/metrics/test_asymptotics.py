"""The limit K → ∞ on Gaussian data, where everything has a closed form, and the same measured with an exact network."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ihdm.calibration import Calibration
from ihdm.config.processes import DiffusionSettings, HeatSettings
from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.metrics import asymptotics
from ihdm.metrics.asymptotics import STRIDES, Subject, network_rows, toy_chain_power, toy_losses, toy_rows
from ihdm.metrics.spectrum import annulus_members, radial_frequencies
from ihdm.predictions import prediction_of
from ihdm.processes import build_process

SIZE = 8
HEAT = HeatSettings(kind="heat", sigma=0.1, num_levels=12, blur_sigma_max=4.0)


@pytest.fixture
def gaussian(exact_network):
    """Images whose modes are Gaussian, with the network that is exact for them; and the variances P of the modes."""
    process = build_process(HEAT, SIZE)
    frequencies = radial_frequencies(SIZE, SIZE)
    frequencies[0, 0] = frequencies[0, 1]
    variance = 0.05 / frequencies**2
    normal = np.random.default_rng(0).standard_normal((300, 1, SIZE, SIZE))
    images = process.inverse(torch.as_tensor(normal * np.sqrt(variance), dtype=torch.float32))

    def posterior_mean(coefficients, level):
        scale = np.exp(process.log_scale(level))
        return coefficients * torch.as_tensor(
            scale * variance / (scale**2 * variance + HEAT.sigma**2), dtype=torch.float32
        )

    return Subject(exact_network(process, posterior_mean), process, images, 0, 64), variance


def test_losses_of_the_toy_agree_with_sampled_posterior_means():
    """One mode: the error of the posterior mean over 400 000 draws, to a third of a percent."""
    variance, scales, sigma = np.array([2.0]), np.array([[1.0], [0.7], [0.4]]), 0.3
    deblurring, denoising = toy_losses(variance, scales, sigma)
    rng = np.random.default_rng(0)
    clean = np.sqrt(2.0) * rng.standard_normal(400_000)
    for level, scale in ((1, 0.7), (2, 0.4)):
        noisy = scale * clean + sigma * rng.standard_normal(len(clean))
        mean = scale * 2.0 * noisy / (scale**2 * 2.0 + sigma**2)
        before = scales[level - 1, 0]
        assert deblurring[level - 1] == pytest.approx(np.mean((before * (mean - clean)) ** 2), rel=0.01)
        assert denoising[level - 1] == pytest.approx(np.mean((scale * (mean - clean)) ** 2), rel=0.01)


@given(st.floats(1e-6, 10.0), st.floats(0.01, 1.0), st.floats(0.001, 1.0), st.floats(0.5, 2.0))
def test_power_of_the_chain_solves_its_own_equation(variance, scale, sigma, ratio):
    power = toy_chain_power(np.array([variance]), np.array([scale]), sigma, ratio * sigma)[0]
    exact = scale**2 * variance + sigma**2
    step = 1 - sigma**2 / exact  # u + f(u) = (1 − σ²/(d²P + σ²)) u
    assert power == pytest.approx(step**2 * power + (ratio * sigma) ** 2, rel=1e-6)
    assert power / exact == pytest.approx(ratio**2 / (2 - sigma**2 / exact), rel=1e-6)


def test_the_toys_have_the_limits_that_the_paper_claims():
    table = pd.DataFrame(toy_rows())
    losses = table[table["part"] == "toy_loss"]
    assert losses["num_levels"].tolist() == list(asymptotics.TOY_NUM_LEVELS)
    assert (np.diff(losses["value"]) < 0).all()
    assert 1 < losses["value"].iloc[-1] < 1.05
    assert losses["value"].iloc[0] > 2
    chains = table[table["part"] == "toy_langevin"].set_index(["delta_ratio", "band"])["value"]
    assert chains[np.sqrt(2), "live"] == pytest.approx(1, abs=0.01)
    assert chains[np.sqrt(2), "dead"] == pytest.approx(2, abs=0.15)
    assert chains[1.0, "live"] == pytest.approx(chains[np.sqrt(2), "live"] / 2)
    assert (table["low"] == table["high"]).all()


def test_errors_of_an_exact_network_are_the_closed_forms(gaussian):
    """Means over 300 images and four draws: within four of their standard errors, each below 3 %."""
    subject, variance = gaussian
    for level in (1, 5, 12):
        scales = np.stack([np.exp(subject.process.log_scale(k)).ravel() for k in (level - 1, level)])
        for errors, expected in zip(
            subject.losses(level, 4), toy_losses(variance.ravel(), scales, HEAT.sigma), strict=True
        ):
            standard_error = errors.std(ddof=1) / np.sqrt(len(errors))
            assert standard_error < 0.03 * expected[0]
            assert abs(errors.mean() - expected[0]) < 4 * standard_error


def exact_calibration(process, variance):
    """What a perfect network leaves: gain 1/a_r, but none of modes that rounding drowns, and the posterior variance."""
    levels = range(1, process.num_levels + 1)
    reference = [np.exp(-process.log_scale(prediction_of(None, process).reference(level))) for level in levels]
    power = [np.exp(process.log_scale(level)) ** 2 for level in levels]
    gain = np.where(np.stack(power) * variance > 1e-9 * HEAT.sigma**2, np.stack(reference), 0)
    residual = variance * HEAT.sigma**2 / (np.stack(power) * variance + HEAT.sigma**2)
    return Calibration(np.array(levels), gain, np.zeros_like(residual), residual, variance)


def test_losses_of_chains_with_fewer_levels_match_the_closed_form(gaussian):
    """Means over 300 images: within four of their standard errors, each below 6 %; fewer levels are further."""
    subject, variance = gaussian
    found = subject.chain_losses(exact_calibration(subject.process, variance), range(1, 13))
    assert list(found) == [12, 6, 3, 2]
    scales = np.stack([np.exp(subject.process.log_scale(level)).ravel() for level in range(13)])
    ratios = []
    for stride, measured in zip(STRIDES, found.values(), strict=True):
        visited = [0, *range(12, 0, -stride)[::-1]]
        expected = [losses.sum() for losses in toy_losses(variance.ravel(), scales[visited], HEAT.sigma)]
        for errors, loss in zip(measured, expected, strict=True):
            standard_error = errors.std(ddof=1) / np.sqrt(len(errors))
            assert standard_error < 0.06 * loss
            assert abs(errors.mean() - loss) < 4 * standard_error
        ratios.append(expected[0] / expected[1])
    assert (np.diff(ratios) > 0).all()


def test_chains_with_fewer_levels_need_a_calibration(gaussian):
    subject, variance = gaussian
    measured = exact_calibration(subject.process, variance)
    measured = dataclasses.replace(measured, levels=np.where(measured.levels == 3, 0, measured.levels))
    with pytest.raises(UserError, match="not calibrated at level 3"):
        subject.chain_losses(measured, range(1, 13))


@pytest.mark.parametrize("level", [3, 9])
def test_steps_with_other_noise_differ_from_langevin(gaussian, level, monkeypatch):
    """By the weakest band: with δ = √2 σ an exact network has what is expected, with 1.25 σ it has 0.78 of that."""
    subject, _ = gaussian
    monkeypatch.setattr(asymptotics, "NUM_STEPS", 40)
    expected = subject.gaussian_ratios(level, np.sqrt(2))
    for ratio, factor in ((np.sqrt(2), 1.0), (1.25, 0.78)):
        chain, exact = subject.langevin(level, ratio)
        found = (chain.mean(axis=0) / exact.mean(axis=0))[-1] / expected[-1]
        assert found == pytest.approx(factor, abs=0.04)


def test_chains_of_an_exact_network_have_the_power_of_the_closed_form(gaussian, monkeypatch):
    """From v₀ = d²P + σ², v ← (r d_k/d_{k−1} …)² v + δ²; within four standard errors, which are below 8 %."""
    subject, variance = gaussian
    level, ratio, num_steps = 6, 1.25, 10
    monkeypatch.setattr(asymptotics, "NUM_STEPS", num_steps)
    chain, exact = subject.langevin(level, ratio)
    live = (np.exp(subject.process.log_scale(level)) ** 2 * variance).ravel()[1:]
    power, kept = live + HEAT.sigma**2, []
    for _ in range(num_steps):
        power = (live / (live + HEAT.sigma**2)) ** 2 * power + (ratio * HEAT.sigma) ** 2
        kept.append(power)
    inside = annulus_members(SIZE, SIZE, 6)
    average = inside / inside.sum(axis=0)
    for measured, expected in (
        (chain, np.mean(kept[num_steps // 2 :], axis=0) @ average),
        (exact, (live + HEAT.sigma**2) @ average),
    ):
        standard_error = measured.std(axis=0, ddof=1) / np.sqrt(len(subject.images))
        assert (standard_error < 0.08 * expected).all()
        assert (np.abs(measured.mean(axis=0) - expected) < 4 * standard_error + 1e-6).all()


def test_batches_change_nothing_and_rows_are_complete(gaussian, monkeypatch):
    monkeypatch.setattr(asymptotics, "NUM_STEPS", 6)
    subject, variance = gaussian
    calibration, done = exact_calibration(subject.process, variance), []
    settings = ErrorSettings(process=HEAT, seed=1, num_images=20, micro_batch=20)
    tables = []
    for size, report in ((7, done.append), (20, lambda _: None)):
        part = dataclasses.replace(subject, images=subject.images[:20], seed=1, batch_size=size)
        tables.append(pd.DataFrame(network_rows(part, calibration, settings, report)))
    assert done == list(range(1, 8 + 12 + 3 * 2 + 1))
    np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], rtol=1e-4)
    assert tables[0].groupby("part", sort=False).size().to_dict() == {
        "network_loss": 8,
        "network_losses": 4,
        "network_langevin": 3 * 2 * 6,
    }
    losses = tables[0][tables[0]["part"] == "network_loss"]
    assert (losses["value"] >= 1).all()
    assert (tables[0]["standard_error"] > 0).all()


def test_other_processes_have_no_such_limit():
    process = build_process(DiffusionSettings(kind="diffusion", num_levels=40), SIZE)
    subject = Subject(lambda noisy, _: noisy, process, torch.zeros(2, 1, SIZE, SIZE), 0, 2)
    for measure in (lambda: subject.langevin(5, 1.0), lambda: subject.losses(5, 1)):
        with pytest.raises(UserError, match="only networks that estimate the next sharper image"):
            measure()
