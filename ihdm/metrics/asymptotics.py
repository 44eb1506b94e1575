"""Limits of the method as K → ∞ (paper, appendix A.4): deblurring becomes denoising score matching at noise σ.

With the exact f, a step adds σ² times the score of q(u_k); δ = √2 σ makes repeated steps Langevin dynamics with the
stationary density q(u_k), as far as a step changes a mode little. Each statement is a ratio whose limit is one:
exactly for Gaussian data, and measured on a trained network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.calibration import Calibration, estimate_coefficients
from ihdm.config.processes import observed_levels
from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.heat import blur_schedule, eigenvalues
from ihdm.metrics.estimates import Estimate, Photographs, ratio_estimate
from ihdm.metrics.spectrum import NUM_WIDE_ANNULI, annulus_members, radial_frequencies
from ihdm.objective import Network
from ihdm.predictions import prediction_of
from ihdm.processes import Process
from ihdm.seeds import normal_draws

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


@dataclass(frozen=True)
class Subject:
    """A trained network and held-out images, which are compared at single levels.

    Attributes:
        network: the network of the process.
        process: a process whose network estimates the next sharper image, level by level.
        images: held-out images in [0, 1], on the device of the process.
        seed: seed of all noise, which depends only on image number, level and draw.
        batch_size: images at a time.
    """

    network: Network
    process: Process
    images: Images
    seed: int
    batch_size: int

    def losses(self, level: int, num_draws: int) -> tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]:
        """Return squared errors of each image, averaged over draws of noise.

        The first are errors of the estimate of F(t_{k−1}) u₀ from u_k, the training target; the second are errors
        of the same estimate, blurred once more, of F(t_k) u₀: denoising.

        Raises:
            UserError: if the process estimates something else.
        """
        prediction, step = prediction_of(self.network, self.process), self._step_scale(level)
        errors = np.zeros((2, len(self.images)))
        for draw in range(num_draws):
            for batch in self._batches():
                images = self.images[batch]
                levels = torch.full((len(images),), level, device=images.device)
                with torch.no_grad():
                    noisy = self.process.draw(images, levels, self._noise(batch, "denoising", level, draw))
                    estimate = prediction.raw_estimate(self.network, noisy, level)
                    error = self.process.transform(estimate - self.process.mean(images, levels - 1))
                for kind, part in enumerate((error, step * error)):
                    errors[kind, batch] += part.double().square().flatten(1).sum(1).cpu().numpy() / num_draws
        return errors[0], errors[1]

    def chain_losses(
        self, calibration: Calibration, evaluated: Sequence[int], report: Callable[[int], None] = lambda _done: None
    ) -> dict[int, tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]]:
        """Return by number of levels the squared errors of each image, summed over these levels.

        A chain with fewer levels steps from k to the evaluated level j < k: with the calibrated estimate x̂ of u₀ from
        u_k, the first errors are Σ a_j² (x̂ − u₀)², of deblurring to level j, and the second Σ a_k² (x̂ − u₀)², of
        denoising at level k. So K varies with the same network.

        Args:
            calibration: calibration of the network.
            evaluated: ascending levels up to K; chains use every level, every second level, and so on.
            report: called with the number of finished levels.

        Raises:
            UserError: if a level is not calibrated.
        """
        chains = [tuple(evaluated)[::-stride][::-1] for stride in STRIDES if stride <= len(evaluated)]
        next_levels = [dict(zip(chain, (0, *chain[:-1]), strict=True)) for chain in chains]
        errors = np.zeros((len(chains), 2, len(self.images)))
        powers = {level: np.exp(2 * np.asarray(self.process.log_scale(level))) for level in (0, *evaluated)}
        for done, level in enumerate(evaluated, start=1):
            measured = calibration.at(level)
            for batch in self._batches():
                images = self.images[batch]
                estimate = estimate_coefficients(
                    self.network, self.process, images, level, self.seed, batch.start, purpose="asymptotics leaps"
                )
                squares = (measured.gain * estimate + measured.offset - self._clean(images).cpu().numpy()) ** 2
                for (leaping, denoising), next_level in zip(errors, next_levels, strict=True):
                    if level in next_level:
                        leaping[batch] += (powers[next_level[level]] * squares).sum(axis=(1, 2, 3))
                        denoising[batch] += (powers[level] * squares).sum(axis=(1, 2, 3))
            report(done)
        return {len(chain): (leaping, denoising) for chain, (leaping, denoising) in zip(chains, errors, strict=True)}

    def langevin(
        self, level: int, delta_ratio: float
    ) -> tuple[Float[np.ndarray, "image bands"], Float[np.ndarray, "image bands"]]:
        """Repeat u ← F(t_k − t_{k−1}) (u + f(u)) + δ z at one level, from a true draw of u_k for each image.

        Returns:
            The power of each chain in each band of frequency, averaged over the second half of its steps, and the
            expected power of u_k given its image, (d_k² |DCT u₀|²) + σ²; bands are annuli of equal width without the
            constant.

        Raises:
            UserError: if the process does not estimate the next sharper image.
        """
        prediction, step = prediction_of(self.network, self.process), self._step_scale(level)
        scale, sigma = np.exp(np.asarray(self.process.log_scale(level))), self.process.deviation(level)
        chains, exact = [], []
        kept = range(NUM_STEPS // 2, NUM_STEPS)
        for batch in self._batches():
            images = self.images[batch]
            levels = torch.full((len(images),), level, device=images.device)
            state = self.process.draw(images, levels, self._noise(batch, "langevin", level, 0))
            power = torch.zeros(state.shape, dtype=torch.float64, device=images.device)
            for number in range(NUM_STEPS):
                noise = self._noise(batch, "langevin", level, 1 + number)
                with torch.no_grad():
                    coefficients = self.process.transform(prediction.raw_estimate(self.network, state, level))
                state = self.process.inverse(step * coefficients) + delta_ratio * sigma * noise
                if number in kept:
                    power += self.process.transform(state).double().square() / len(kept)
            clean = self._clean(images)
            chains.append(self._by_band(power))
            exact.append(self._by_band((torch.as_tensor(scale, device=clean.device) * clean).square() + sigma**2))
        return np.concatenate(chains), np.concatenate(exact)

    def gaussian_ratios(self, level: int, delta_ratio: float) -> Float[np.ndarray, "bands"]:
        """Return the result of :meth:`langevin` for an exact network on Gaussian images of the same power, by band.

        With S the power d² P of a mode and r = S / (S + σ²), its variance follows v ← r² v + δ² from v₀ = S + σ².
        """
        sigma = self.process.deviation(level)
        clean = self._clean(self.images).square().mean(dim=(0, 1)).cpu().numpy()
        signal = (np.exp(2 * np.asarray(self.process.log_scale(level))) * clean).ravel()[1:]
        powers = [signal + sigma**2]
        for _ in range(NUM_STEPS):
            powers.append((signal / powers[0]) ** 2 * powers[-1] + (delta_ratio * sigma) ** 2)
        inside = annulus_members(self.process.height, self.process.width, NUM_WIDE_ANNULI)
        return (np.mean(powers[1 + NUM_STEPS // 2 :], axis=0) @ inside) / (powers[0] @ inside)

    def _step_scale(self, level: int) -> Float[Tensor, "height width"]:
        """Return the factor of a blur step on each mode, a_k / a_{k−1}.

        Raises:
            UserError: if the estimate is not of the image of level k−1.
        """
        if prediction_of(self.network, self.process).reference(level) != level - 1:
            raise UserError(
                "asymptotics: only networks that estimate the next sharper image, as for heat, have this limit"
            )
        gone = np.asarray(self.process.log_scale(level)) - np.asarray(self.process.log_scale(level - 1))
        return torch.as_tensor(np.exp(gone), dtype=torch.float32, device=self.images.device)

    def _by_band(self, power: Images) -> Float[np.ndarray, "batch bands"]:
        inside = annulus_members(self.process.height, self.process.width, NUM_WIDE_ANNULI)
        return power.mean(dim=1).flatten(1)[:, 1:].cpu().numpy() @ (inside / inside.sum(axis=0))

    def _clean(self, images: Images) -> Images:
        return self.process.transform(self.process.to_range(images)).double()

    def _batches(self) -> Iterator[slice]:
        for first in range(0, len(self.images), self.batch_size):
            yield slice(first, min(first + self.batch_size, len(self.images)))

    def _noise(self, batch: slice, purpose: str, level: int, draw: int) -> Images:
        """Return noise that depends only on the number of the image, the level and the draw."""
        indices = [(image, level, draw) for image in range(batch.start, batch.stop)]
        noise = normal_draws(self.seed, f"asymptotics {purpose}", indices, self.images.shape[1:])
        return torch.as_tensor(noise, device=self.images.device)


def compared_levels(settings: ErrorSettings) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the levels at which losses are compared, those of chains, and those at which steps are repeated."""
    losses = observed_levels(settings.process, NUM_LOSS_LEVELS)
    return losses, settings.observed, observed_levels(settings.process, NUM_LANGEVIN_LEVELS + 1)[:NUM_LANGEVIN_LEVELS]


def network_rows(
    subject: Subject,
    calibration: Calibration,
    settings: ErrorSettings,
    report: Callable[[int], None] = lambda _done: None,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return the rows of a trained network: `network_loss`, `network_losses` and `network_langevin`.

    Args:
        subject: the network and held-out images.
        calibration: calibration of the network.
        settings: levels, and draws of noise for each image and level.
        report: called with the number of finished levels; those of repeated steps count once for each δ/σ.
        photographs: the photograph of each image; None if images are independent.

    Raises:
        UserError: if the process estimates something else, a level is not calibrated, or there are fewer than two
            images.
    """
    count, num_levels = len(subject.images), subject.process.num_levels
    losses, chains, repeated = compared_levels(settings)
    rows = []
    for done, level in enumerate(losses, start=1):
        ratio = ratio_estimate(*subject.losses(level, settings.num_draws), photographs=photographs)
        rows.append(_row("network_loss", num_levels, count, ratio, level))
        report(done)
    by_number = subject.chain_losses(calibration, chains, lambda done: report(len(losses) + done))
    for num_visited, parts in sorted(by_number.items()):
        ratio = ratio_estimate(*parts, photographs=photographs)
        rows.append(_row("network_losses", num_visited, count, ratio))
    settled = [(level, delta_ratio) for level in repeated for delta_ratio in DELTA_RATIOS]
    for done, (level, delta_ratio) in enumerate(settled, start=len(losses) + len(chains) + 1):
        chain, exact = subject.langevin(level, delta_ratio)
        expected = subject.gaussian_ratios(level, delta_ratio)
        for band, (above, below) in enumerate(zip(chain.T, exact.T, strict=True)):
            ratio = ratio_estimate(above, below, photographs=photographs)
            row = _row("network_langevin", num_levels, count, ratio, level, delta_ratio, str(band))
            rows.append(row | {"expected": float(expected[band])})
        report(done)
    return rows


def _row(
    part: str, num_levels: int, n: int, value: Estimate, level: int | None = None, ratio: float = np.nan, band: str = ""
) -> dict[str, object]:
    named = {"part": part, "num_levels": num_levels, "level": level, "delta_ratio": ratio, "band": band, "n": n}
    return {**named, **value.columns()}
