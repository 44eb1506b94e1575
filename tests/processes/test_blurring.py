"""Blurring diffusion against its closed forms, and against the paper's own formulas (arXiv 2209.05557, appendix A)."""

import numpy as np
import pytest
import torch

from ihdm.config.processes import ANCESTRAL, DDIM, BlurringSettings, DiffusionSettings
from ihdm.heat import eigenvalues
from ihdm.predictions import prediction_of
from ihdm.processes import build_process
from ihdm.samplers import clean_weight, coupling, open_variance, plan_step, plan_steps, take_steps

SIZE = 8


def make_process(blur_sigma_max=3.0, **settings):
    return build_process(BlurringSettings(kind="blurring", blur_sigma_max=blur_sigma_max, **settings), SIZE)


def scales(process, level):
    return np.exp(np.broadcast_to(process.log_scale(level), (SIZE, SIZE)))


def papers_scales(time, sigma_max, d_min=0.001):
    """Return the paper's α_t and σ_t at t in [0, 1], with the image itself at t = 0."""
    limits = [np.arctan(np.exp(-0.5 * log_snr)) for log_snr in (10, -10)]
    log_snr = -2 * np.log(np.tan(limits[0] + time * (limits[1] - limits[0])))
    signal, noise = np.sqrt(1 / (1 + np.exp(-log_snr))), np.sqrt(1 / (1 + np.exp(log_snr)))
    dissipation = (sigma_max * np.sin(time * np.pi / 2) ** 2) ** 2 / 2
    frequencies = np.pi * np.arange(SIZE) / SIZE
    decay = np.exp(-(frequencies[:, None] ** 2 + frequencies**2) * dissipation)
    alpha = signal * (decay * (1 - d_min) + d_min)
    return (np.ones_like(alpha), 0.0) if time == 0 else (alpha, noise)


def papers_step(noisy, noise, before, after, guard):
    """Return mean and standard deviation of z_s, DCT coefficients, from those of z_t and of the predicted noise."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = before, after
    alpha_ts = alpha_t / alpha_s
    variance_ts = sigma_t**2 - alpha_ts**2 * sigma_s**2
    precision = 1 / max(sigma_s**2, guard) + 1 / np.maximum(sigma_t**2 / alpha_ts**2 - sigma_s**2, guard)
    variance = 1 / np.maximum(precision, guard)
    kept = alpha_ts * variance / (variance_ts + guard)
    clean = variance / alpha_ts / max(sigma_s**2, guard)
    return kept * noisy + clean * (noisy - sigma_t * noise), np.sqrt(variance)


def test_levels_are_those_of_the_paper():
    process = make_process(num_levels=1000)
    for level in (0, 1, 2, 10, 300, 500, 999, 1000):
        scale, deviation = papers_scales(level / 1000, 3.0)
        np.testing.assert_allclose(scales(process, level), scale, rtol=1e-9)
        assert process.deviation(level) == pytest.approx(deviation, rel=1e-9)


@pytest.mark.parametrize("blur_floor", [0.001, 0.1, 0.7])
def test_level_zero_is_the_image(blur_floor):
    process = make_process(blur_floor=blur_floor)
    assert not np.any(process.log_scale(0))
    assert process.deviation(0) == 0


def test_marginals_are_those_of_composed_markov_steps():
    """q(u_k | u_{k−1}) = N(α u_{k−1}, β²) with α = a_k/a_{k−1} and β² = s_k² − α² s_{k−1}² per mode."""
    process = make_process(num_levels=200)
    mean, variance = np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for level in range(1, 201):
        kept = scales(process, level) / scales(process, level - 1)
        added = process.deviation(level) ** 2 - kept**2 * process.deviation(level - 1) ** 2
        assert (added > 0).all()
        mean, variance = kept * mean, kept**2 * variance + added
        np.testing.assert_allclose(mean, scales(process, level), rtol=1e-10)
        np.testing.assert_allclose(variance, process.deviation(level) ** 2, rtol=1e-10)


@pytest.mark.parametrize(("level", "next_level"), [(1, 0), (2, 1), (50, 49), (100, 25), (199, 100), (200, 199)])
def test_steps_follow_the_exact_posterior(level, next_level):
    """Against a joint Gaussian of (u_0, u_j, u_k), conditioned on u_k and u_0."""
    process = make_process(num_levels=200)
    kept = np.broadcast_to(coupling(process, "markov", level, next_level), (SIZE, SIZE))
    clean = clean_weight(process, kept, level, next_level)
    left = np.broadcast_to(open_variance(process, kept, level, next_level), (SIZE, SIZE))
    deviation, next_deviation = process.deviation(level), process.deviation(next_level)
    for mode in np.ndindex(SIZE, SIZE):
        power = 0.3  # any: the posterior given u_0 does not depend on it
        scale, next_scale = scales(process, level)[mode], scales(process, next_level)[mode]
        forward = scale / next_scale
        joint = np.array(
            [  # of u_j, u_k and u_0
                [next_scale**2 * power + next_deviation**2, 0, next_scale * power],
                [0, scale**2 * power + deviation**2, scale * power],
                [next_scale * power, scale * power, power],
            ]
        )
        joint[0, 1] = joint[1, 0] = forward * joint[0, 0]
        weights = np.linalg.solve(joint[1:, 1:], joint[1:, 0])
        variance = joint[0, 0] - joint[0, 1:] @ weights
        assert kept[mode] == pytest.approx(weights[0], abs=1e-9)
        assert clean[mode] == pytest.approx(weights[1], abs=1e-9)
        assert left[mode] == pytest.approx(variance, abs=1e-9)


@pytest.mark.parametrize("num_levels", [50, 1000])
@pytest.mark.parametrize(("guard", "tolerance"), [(1e-8, 1e-3), (1e-14, 1e-5)])
def test_ancestral_steps_are_those_of_the_paper(num_levels, guard, tolerance):
    """The paper adds 1e-8 to variances that it divides by, which is a thousandth of them where levels are faint."""
    process = make_process(num_levels=num_levels)
    rng = np.random.default_rng(0)
    for level in range(num_levels, 0, -1):
        before, after = papers_scales(level / num_levels, 3.0), papers_scales((level - 1) / num_levels, 3.0)
        clean, noise = rng.standard_normal((2, SIZE, SIZE))
        noisy = before[0] * clean + before[1] * noise
        mean, deviation = papers_step(noisy, noise, before, after, guard)
        step = plan_step(prediction_of(None, process), ANCESTRAL, level, level - 1, 0.0, None)
        found = step.keep * noisy + step.mean * (noisy - process.deviation(level) * noise)
        np.testing.assert_allclose(found, mean, atol=tolerance)
        if level > 1:  # nothing is drawn for the image
            np.testing.assert_allclose(step.noise, deviation, atol=1e-5)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "clipped_cosine"])
@pytest.mark.parametrize("sampler", [ANCESTRAL, DDIM], ids=["ancestral", "ddim"])
def test_without_blur_it_is_diffusion(schedule, sampler):
    blurring = make_process(blur_sigma_max=0.0, num_levels=100, schedule=schedule)
    settings = DiffusionSettings(kind="diffusion", num_levels=100, schedule=schedule, clip=False)
    diffusion = build_process(settings, SIZE)
    rng = torch.Generator().manual_seed(0)
    images, noise = torch.rand((4, 1, SIZE, SIZE), generator=rng), torch.randn((100, 4, 1, SIZE, SIZE), generator=rng)
    levels = torch.tensor([1, 10, 50, 100])
    pairs = [process.draw(images, levels, noise[0]) for process in (blurring, diffusion)]
    torch.testing.assert_close(pairs[0], pairs[1], atol=1e-6, rtol=0)

    def network(noisy, levels):
        return diffusion.deviation(int(levels[0])) * noisy + 0.01 * torch.sin(5 * noisy)

    steps = [plan_steps(prediction_of(None, process), sampler) for process in (blurring, diffusion)]
    found, expected = (
        list(take_steps(network, *planned, noise[0], noise))
        for planned in zip((blurring, diffusion), steps, strict=True)
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.mean, other.mean, atol=1e-5, rtol=1e-5)


def test_blur_widths_grow_from_none_to_the_widest():
    process = make_process(blur_sigma_max=2.5, num_levels=40)
    widths = [process.blur_sigma(level) for level in range(41)]
    assert (widths[0], widths[-1]) == (0, pytest.approx(2.5))
    assert (np.diff(widths) > 0).all()
    blur = np.exp(-eigenvalues(SIZE, SIZE) * widths[20] ** 2 / 2)
    # The second frequency against the constant one, which only noise takes away.
    found = scales(process, 20)[0, 1] / scales(process, 20)[0, 0]
    assert found == pytest.approx(0.999 * blur[0, 1] + 0.001)
