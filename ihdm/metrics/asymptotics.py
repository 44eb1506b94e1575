"""Limits of the method as K → ∞ (paper, appendix A.4): deblurring becomes denoising score matching at noise σ.

With the exact f, a step adds σ² times the score of q(u_k); δ = √2 σ makes repeated steps Langevin dynamics with the
stationary density q(u_k), as far as a step changes a mode little. Each statement is a ratio whose limit is one:
exactly for Gaussian data, and measured on a trained network.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.calibration import Calibration, estimate_coefficients
from ihdm.errors import UserError
from ihdm.heat import blur_schedule, eigenvalues
from ihdm.metrics.estimates import Estimate, Photographs, ratio_estimate
from ihdm.metrics.spectrum import NUM_WIDE_ANNULI, annulus_members, radial_frequencies
from ihdm.objective import Network
from ihdm.predictions import Prediction, prediction_of
from ihdm.processes import Process
from ihdm.seeds import generator

TOY_SIZE = 16
"""Height and width of the toy's images, in pixels."""
TOY_POWER_LAW = 2.5
"""The toy's modes are Gaussian, of variance 1/frequency^2.5, near that of natural images; the constant one is none."""
TOY_SIGMA = 0.01
TOY_BLUR = (0.5, 12.0)
"""Blur widths at levels 1 and K, in pixels."""
TOY_NUM_LEVELS = (10, 25, 50, 100, 200, 400, 1000)
TOY_LANGEVIN_LEVELS = (200, 100)
"""K, and the level at which steps are repeated."""
TOY_DELTA_RATIOS = (1.0, 1.25, np.sqrt(2), 1.6)

NUM_LOSS_LEVELS = 8
"""Levels, evenly spaced up to K, at which a network's losses are compared."""
STRIDES = (1, 2, 4, 8)
"""Strides of the chains with fewer levels than in training."""
NUM_LANGEVIN_LEVELS = 3
"""The same where its steps are repeated; they divide 0…K into equal parts."""
DELTA_RATIOS = (1.0, np.sqrt(2))
NUM_STEPS = 60
MAX_IMAGES = 100
"""Most images, for each of which a chain of steps is run at each of these levels and δ/σ."""

Modes = Float[np.ndarray, "modes"]
Images = Float[Tensor, "image channel height width"]


def toy_variance() -> Modes:
    """Return the variance P of each mode of the toy's data, without the constant mode."""
    return radial_frequencies(TOY_SIZE, TOY_SIZE).ravel()[1:] ** -TOY_POWER_LAW


def toy_scales(num_levels: int) -> Float[np.ndarray, "levels modes"]:
    """Return d_k of each mode at levels 0…K."""
    times = blur_schedule(*TOY_BLUR, num_levels) ** 2 / 2
    return np.exp(-np.outer(times, eigenvalues(TOY_SIZE, TOY_SIZE).ravel()[1:]))


def toy_losses(
    variance: Modes, scales: Float[np.ndarray, "levels modes"], sigma: float
) -> tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]:
    """Return the smallest expected losses of deblurring and of denoising at levels 1…K, summed over modes.

    From u_k of variance d_k² P + σ², they are d_{k−1}² P σ² / (d_k² P + σ²) and d_k² P σ² / (d_k² P + σ²).
    """
    posterior = variance * sigma**2 / (scales[1:] ** 2 * variance + sigma**2)
    return (scales[:-1] ** 2 * posterior).sum(axis=1), (scales[1:] ** 2 * posterior).sum(axis=1)


def toy_chain_power(variance: Modes, scale: Modes, sigma: float, delta: float) -> Modes:
    """Return the stationary variance of each mode under u ← u + f(u) + δ z with the exact f = −σ² u / (d² P + σ²).

    A mode is an autoregression with the coefficient r = d² P / (d² P + σ²): its variance is δ² / (1 − r²).
    """
    coefficient = scale**2 * variance / (scale**2 * variance + sigma**2)
    return delta**2 / (1 - coefficient**2)


def toy_rows() -> list[dict[str, object]]:
    """Return the rows of both toys, which are exact.

    `toy_loss`: for each K the loss of deblurring over that of denoising, each summed over levels. `toy_langevin`: for
    each δ/σ the power of the chain over that of u_k, over live modes, whose d² P exceeds σ², and over dead ones.
    """
    variance = toy_variance()
    rows = []
    for num_levels in TOY_NUM_LEVELS:
        deblurring, denoising = toy_losses(variance, toy_scales(num_levels), TOY_SIGMA)
        ratio = Estimate(float(deblurring.sum() / denoising.sum()), 0.0)
        rows.append(_row("toy_loss", num_levels, len(variance), ratio))
    num_levels, level = TOY_LANGEVIN_LEVELS
    scale = toy_scales(num_levels)[level]
    is_live = scale**2 * variance > TOY_SIGMA**2
    for delta_ratio in TOY_DELTA_RATIOS:
        power = toy_chain_power(variance, scale, TOY_SIGMA, delta_ratio * TOY_SIGMA)
        exact = scale**2 * variance + TOY_SIGMA**2
        for band, members in (("live", is_live), ("dead", ~is_live)):
            ratio = Estimate(float(power[members].sum() / exact[members].sum()), 0.0)
            rows.append(_row("toy_langevin", num_levels, int(members.sum()), ratio, level, delta_ratio, band))
    return rows


def network_rows(
    network: Network,
    process: Process,
    calibration: Calibration,
    images: Images,
    *,
    levels: Sequence[int],
    evaluated: Sequence[int],
    langevin_levels: Sequence[int],
    delta_ratios: Sequence[float],
    num_steps: int,
    seed: int,
    num_draws: int,
    batch_size: int,
    report: Callable[[int], None] = lambda _done: None,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return the rows of a trained network.

    See :func:`deblurring_and_denoising`, :func:`chain_deblurring_and_denoising` and :func:`langevin`.

    Args:
        network: the network of the process.
        process: a process whose network estimates the next sharper image, level by level.
        calibration: calibration of the network.
        images: held-out images in [0, 1], on the device of the process.
        levels: levels at which losses are compared.
        evaluated: ascending levels up to K; chains use every level, every second level, and so on.
        langevin_levels: levels at which steps are repeated.
        delta_ratios: δ/σ of these steps.
        num_steps: number of repeated steps.
        seed: seed of all noise.
        num_draws: draws of noise for each image and level.
        batch_size: images at a time.
        report: called with the number of finished levels; those of the chains count once for each δ/σ.
        photographs: the photograph of each image; None if images are independent.

    Raises:
        UserError: if the process estimates something else, a level is not calibrated, or there are fewer than two
            images.
    """
    rows = []
    losses = deblurring_and_denoising(network, process, images, levels, seed, num_draws, batch_size)
    for level, (deblurring, denoising) in zip(levels, losses, strict=True):
        ratio = ratio_estimate(deblurring, denoising, photographs=photographs)
        rows.append(_row("network_loss", process.num_levels, len(images), ratio, level))
        report(len(rows))
    done = len(rows)
    by_number = chain_deblurring_and_denoising(
        network, process, calibration, images, evaluated, seed, batch_size, lambda more: report(done + more)
    )
    for num_visited, (leaping, denoising) in sorted(by_number.items()):
        ratio = ratio_estimate(leaping, denoising, photographs=photographs)
        rows.append(_row("network_losses", num_visited, len(images), ratio))
    done += len(evaluated)
    for level in langevin_levels:
        for delta_ratio in delta_ratios:
            chain, exact = langevin(network, process, images, level, delta_ratio, num_steps, seed, batch_size)
            expected = gaussian_ratios(process, images, level, delta_ratio, num_steps)
            for band, (above, below) in enumerate(zip(chain.T, exact.T, strict=True)):
                ratio = ratio_estimate(above, below, photographs=photographs)
                row = _row("network_langevin", process.num_levels, len(images), ratio, level, delta_ratio, str(band))
                rows.append(row | {"expected": float(expected[band])})
            done += 1
            report(done)
    return rows


def deblurring_and_denoising(
    network: Network,
    process: Process,
    images: Images,
    levels: Sequence[int],
    seed: int,
    num_draws: int,
    batch_size: int,
) -> Iterator[tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]]:
    """Return for each level the squared errors of each image, averaged over draws of noise.

    The first are errors of the estimate of F(t_{k−1}) u₀ from u_k, the training target; the second are errors
    of the same estimate, blurred once more, of F(t_k) u₀: denoising. Arguments are those of :func:`network_rows`.

    Raises:
        UserError: if the process estimates something else.
    """
    prediction = prediction_of(network, process)
    for level in levels:
        step = torch.as_tensor(step_scale(prediction, level), dtype=torch.float32, device=images.device)
        errors = np.zeros((2, len(images)))
        for draw in range(num_draws):
            for batch, noise in _batches(images, batch_size, seed, "denoising", level, draw):
                numbers = torch.full((len(noise),), level, device=images.device)
                with torch.no_grad():
                    noisy = process.draw(images[batch], numbers, noise)
                    estimate = prediction.raw_estimate(network, noisy, level)
                    error = process.transform(estimate - process.mean(images[batch], numbers - 1))
                for kind, part in enumerate((error, step * error)):
                    errors[kind, batch] += part.double().square().flatten(1).sum(1).cpu().numpy() / num_draws
        yield errors[0], errors[1]


def chain_deblurring_and_denoising(
    network: Network,
    process: Process,
    calibration: Calibration,
    images: Images,
    evaluated: Sequence[int],
    seed: int,
    batch_size: int,
    report: Callable[[int], None] = lambda _done: None,
) -> dict[int, tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]]:
    """Return by number of levels the squared errors of each image, summed over these levels.

    A chain with fewer levels steps from k to the evaluated level j < k: with the calibrated estimate x̂ of u₀ from u_k,
    the first errors are Σ a_j² (x̂ − u₀)², of deblurring to level j, and the second Σ a_k² (x̂ − u₀)², of denoising at
    level k. So K varies with the same network. Arguments are those of :func:`network_rows`; ``report`` is called with
    the number of finished levels.

    Raises:
        UserError: if a level is not calibrated.
    """
    chains = [tuple(evaluated)[::-stride][::-1] for stride in STRIDES if stride <= len(evaluated)]
    next_levels = [dict(zip(chain, (0, *chain[:-1]), strict=True)) for chain in chains]
    errors = np.zeros((len(chains), 2, len(images)))
    scales = {level: np.exp(2 * np.asarray(process.log_scale(level), dtype=np.float64)) for level in (0, *evaluated)}
    for done, level in enumerate(evaluated, start=1):
        measured = calibration.at(level)
        for first in range(0, len(images), batch_size):
            batch = slice(first, first + batch_size)
            estimate = estimate_coefficients(
                network, process, images[batch], level, seed, first, purpose="asymptotics leaps"
            )
            clean = process.transform(process.to_range(images[batch])).double().cpu().numpy()
            squares = (measured.gain * estimate + measured.offset - clean) ** 2
            for (leaping, denoising), next_level in zip(errors, next_levels, strict=True):
                if level in next_level:
                    leaping[batch] += (scales[next_level[level]] * squares).sum(axis=(1, 2, 3))
                    denoising[batch] += (scales[level] * squares).sum(axis=(1, 2, 3))
        report(done)
    return {len(chain): (leaping, denoising) for chain, (leaping, denoising) in zip(chains, errors, strict=True)}


def langevin(
    network: Network,
    process: Process,
    images: Images,
    level: int,
    delta_ratio: float,
    num_steps: int,
    seed: int,
    batch_size: int,
) -> tuple[Float[np.ndarray, "image bands"], Float[np.ndarray, "image bands"]]:
    """Repeat u ← F(t_k − t_{k−1}) (u + f(u)) + δ z at one level, from a true draw of u_k for each image.

    Returns:
        The power of each chain in each band of frequency, averaged over the second half of its steps, and the expected
        power of u_k given its image, (d_k² |DCT u₀|²) + σ²; bands are annuli of equal width without the constant.

    Raises:
        UserError: if the process does not estimate the next sharper image.
    """
    prediction = prediction_of(network, process)
    step = torch.as_tensor(step_scale(prediction, level), dtype=torch.float32, device=images.device)
    scale, sigma = np.exp(np.broadcast_to(process.log_scale(level), images.shape[2:])), process.deviation(level)
    inside = annulus_members(process.height, process.width, NUM_WIDE_ANNULI)
    average = inside / inside.sum(axis=0)

    def by_band(power: Float[Tensor, "batch channel height width"]) -> Float[np.ndarray, "batch bands"]:
        return power.mean(dim=1).flatten(1)[:, 1:].cpu().numpy() @ average

    chains, exact = [], []
    kept = range(num_steps // 2, num_steps)
    for batch, first_noise in _batches(images, batch_size, seed, "langevin", level, 0):
        numbers = torch.full((len(first_noise),), level, device=images.device)
        state = process.draw(images[batch], numbers, first_noise)
        power = torch.zeros(state.shape, dtype=torch.float64, device=images.device)
        for number in range(num_steps):
            noise = _noise(batch, state, seed, "langevin", level, 1 + number)
            with torch.no_grad():
                coefficients = process.transform(prediction.raw_estimate(network, state, level))
            state = process.inverse(step * coefficients) + delta_ratio * sigma * noise
            if number in kept:
                power += process.transform(state).double().square() / len(kept)
        chains.append(by_band(power))
        clean = process.transform(process.to_range(images[batch])).double()
        exact.append(by_band((torch.as_tensor(scale, device=clean.device) * clean).square() + sigma**2))
    return np.concatenate(chains), np.concatenate(exact)


def gaussian_ratios(
    process: Process, images: Images, level: int, delta_ratio: float, num_steps: int
) -> Float[np.ndarray, "bands"]:
    """Return the result of :func:`langevin` for an exact network on Gaussian images of the same power, by band.

    With S the power d² P of a mode and r = S / (S + σ²), its variance follows v ← r² v + δ² from v₀ = S + σ².
    """
    sigma = process.deviation(level)
    clean = process.transform(process.to_range(images)).double().square().mean(dim=(0, 1)).cpu().numpy()
    signal = (np.exp(2 * np.broadcast_to(process.log_scale(level), clean.shape)) * clean).ravel()[1:]
    powers = [signal + sigma**2]
    for _ in range(num_steps):
        powers.append((signal / powers[0]) ** 2 * powers[-1] + (delta_ratio * sigma) ** 2)
    inside = annulus_members(process.height, process.width, NUM_WIDE_ANNULI)
    return (np.mean(powers[1 + num_steps // 2 :], axis=0) @ inside) / (powers[0] @ inside)


def step_scale(prediction: Prediction, level: int) -> Float[np.ndarray, "height width"]:
    """Return the factor of a blur step on each mode, a_k / a_{k−1}.

    Raises:
        UserError: if the estimate is not of the image of level k−1.
    """
    process = prediction.process
    if prediction.reference(level) != level - 1:
        raise UserError("asymptotics: only networks that estimate the next sharper image, as for heat, have this limit")
    gone = np.asarray(process.log_scale(level)) - np.asarray(process.log_scale(level - 1))
    return np.exp(np.broadcast_to(gone, (process.height, process.width)))


def _batches(
    images: Images, size: int, seed: int, purpose: str, level: int, draw: int
) -> Iterator[tuple[slice, Tensor]]:
    """Yield batches of image numbers, each image with separate noise."""
    for first in range(0, len(images), size):
        batch = slice(first, min(first + size, len(images)))
        yield batch, _noise(batch, images[batch], seed, purpose, level, draw)


def _noise(batch: slice, like: Images, seed: int, purpose: str, level: int, draw: int) -> Images:
    """Return standard normal noise, which depends only on image number, level and draw."""
    shape = tuple(like.shape[1:])
    parts = [
        generator(seed, f"asymptotics {purpose}", image, level, draw).standard_normal(shape, dtype=np.float32)
        for image in range(batch.start, batch.stop)
    ]
    return torch.as_tensor(np.stack(parts), device=like.device)


def _row(
    part: str, num_levels: int, n: int, value: Estimate, level: int | None = None, ratio: float = np.nan, band: str = ""
) -> dict[str, object]:
    named = {"part": part, "num_levels": num_levels, "level": level, "delta_ratio": ratio, "band": band, "n": n}
    return {**named, **value.columns()}
