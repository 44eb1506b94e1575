"""One family of samplers that contains those of the paper, DDPM, DDIM, Cold Diffusion and Blurring Diffusion.

A process fixes only the marginals q(u_k | u₀) = N(a_k u₀, s_k² I) per DCT mode, so for j < k any 0 ≤ c ≤ s_j/s_k gives
a joint distribution with these marginals:

    q(u_j | u_k, u₀) = N(a_j u₀ + c (u_k − a_k u₀), s_j² − c² s_k²)

A sampler replaces u₀ by an estimate x̂, and may add the residual variance of x̂:

    u_j = c u_k + (a_j − c a_k) x̂ + noise

| coupling | c | with noise |
|---|---|---|
| independent | 0 | `delta`: the paper's algorithm 2 |
| markov | (a_k/a_j) s_j²/s_k² | `posterior`: DDPM, Blurring Diffusion |
| deterministic | s_j/s_k | `none`: DDIM; with heat, Cold Diffusion's improved sampler; order 2: DPM-Solver++(2M) |
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.calibration import Calibration
from ihdm.config.processes import Coupling, SamplerSettings
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.objective import Network
from ihdm.predictions import Prediction, prediction_of
from ihdm.processes.process import Process
from ihdm.sampling import NoiseSequence

Modes = float | Float[np.ndarray, "height width"]
"""A number for each DCT mode, or one for all."""
MOST_EXTRAPOLATION = 2.0
"""Largest weight of the change of the estimate in a step of second order."""
DEAD_NOISE = 1.5
"""Largest noise of a step relative to s_j in modes with less signal than noise, as in training."""


def coupling(process: Process, kind: Coupling, level: int, next_level: int) -> Modes:
    """Return c for the step from level k to level j."""
    before, after = process.deviation(level), process.deviation(next_level)
    if kind == "independent" or after == 0:
        return 0.0
    if kind == "deterministic":
        return after / before
    return np.exp(process.log_scale(level) - np.asarray(process.log_scale(next_level))) * (after / before) ** 2


def open_variance(process: Process, kept: Modes, level: int, next_level: int) -> Modes:
    """Return s_j² − c² s_k², the variance of u_j given u_k and u₀; never negative."""
    return np.maximum(process.deviation(next_level) ** 2 - (kept * process.deviation(level)) ** 2, 0.0)


def clean_weight(process: Process, kept: Modes, level: int, next_level: int) -> Modes:
    """Return a_j − c a_k, the weight of u₀ in u_j beyond its share in c u_k."""
    return np.exp(process.log_scale(next_level)) - kept * np.exp(process.log_scale(level))


@dataclass(frozen=True)
class Step:
    """A step from one level to the next: next state = keep u_k + mean m + unclipped (m − m′) + offset + noise z.

    A deterministic sampler keeps the noise in u_k. The noise follows from the estimate m′ before it is clipped to m, as
    in DDIM of diffusers: the noise must fit the state, the image must be in range.

    Attributes:
        level: k.
        next_level: j < k.
        keep: weight of the state.
        mean: weight of the network's estimate m.
        unclipped: weight of the difference between the unclipped and the clipped estimate.
        offset: constant term, DCT coefficients.
        noise: standard deviation of the noise.
        extrapolation: weight of the change of m since the previous step, in second order.
    """

    level: int
    next_level: int
    keep: Modes
    mean: Modes
    unclipped: Modes
    offset: Modes
    noise: Modes
    extrapolation: Modes = 0.0

    @property
    def is_noisy(self) -> bool:
        """Whether the step adds noise."""
        return not _is_zero(self.noise)


def plan_step(
    prediction: Prediction,
    sampler: SamplerSettings,
    level: int,
    next_level: int,
    delta: float,
    calibration: Calibration | None,
    previous_level: int | None = None,
) -> Step:
    """Return the step of a sampler from level k to level j.

    Args:
        prediction: the prediction of the network.
        sampler: the member of the family.
        level: k.
        next_level: j in 0…k−1.
        delta: δ in units of the process's range, for samplers that use it.
        calibration: of the network, for samplers that need it.
        previous_level: level of the previous step, for samplers of second order; None for the first step.

    Raises:
        UserError: if the calibration has no such level, or the order is 2 and the estimate not of the clean image.
        ValueError: if the sampler needs one and there is none.
    """
    if sampler.noise == "measured" and calibration is None:
        raise ValueError("noise 'measured' needs a calibration")
    process = prediction.process
    kept = coupling(process, sampler.coupling, level, next_level)
    weight = clean_weight(process, kept, level, next_level)
    variance = open_variance(process, kept, level, next_level)
    offset: Modes = 0.0
    unclipped: Modes = 0.0
    if calibration is None:
        reference = np.asarray(process.log_scale(prediction.reference(level)))
        # (a_j − c a_k)/a_r by differences of logarithms: single modes may have vanished.
        carried = kept * np.exp(process.log_scale(level) - reference)
        mean = np.exp(process.log_scale(next_level) - reference) - carried
        if sampler.coupling == "deterministic":
            unclipped = carried
    else:
        measured = calibration.at(level)
        mean, offset = weight * measured.gain, weight * measured.offset
        if sampler.noise == "measured":
            variance = variance + weight**2 * measured.residual
            after = process.deviation(next_level)
            dead = np.exp(2 * np.asarray(process.log_scale(next_level))) * measured.power < after**2
            variance = np.where(dead, np.minimum(variance, (DEAD_NOISE * after) ** 2), variance)
    noise = {"delta": delta, "none": 0.0}.get(sampler.noise, np.sqrt(variance))
    further: Modes = 0.0
    if sampler.order == 2:
        if prediction.reference(level):
            raise UserError("order 2 needs an estimate of the clean image; set order 1, or prediction 'whitened'")
        further = mean * extrapolation(process, previous_level, level, next_level)
    return Step(level, next_level, *(_one_for_all(modes) for modes in (kept, mean, unclipped, offset, noise, further)))


def extrapolation(process: Process, previous_level: int | None, level: int, next_level: int) -> Modes:
    """Return h/(2 h′), by which DPM-Solver++(2M) extrapolates the estimate (Lu et al., arXiv 2211.01095), at most 2.

    Per mode h is the change of ln(a/s) in the step from k to j, and h′ in the previous step. The last step returns the
    estimate itself.
    """
    if previous_level is None or process.deviation(next_level) == 0:
        return 0.0
    levels = (previous_level, level, next_level)
    before, here, after = (np.asarray(process.log_scale(one)) - np.log(process.deviation(one)) for one in levels)
    change = np.where(here > before, here - before, np.inf)  # no extrapolation without a change
    return np.minimum((after - here) / (2 * change), MOST_EXTRAPOLATION)


def plan_steps(
    prediction: Prediction, sampler: SamplerSettings, delta: float = 0.0, calibration: Calibration | None = None
) -> list[Step]:
    """Return all steps of a sampler, from level K to the image; see :func:`plan_step`."""
    levels = sampler.levels(prediction.process.settings)
    return [
        plan_step(prediction, sampler, level, after, delta, calibration, previous)
        for previous, (level, after) in zip((None, *levels), pairwise(levels), strict=False)
    ]


class SampledStep(NamedTuple):
    """The result of a step on a batch.

    Attributes:
        level: k.
        next_level: j < k.
        state: u_k.
        estimate: the network's estimate of a_r ⊙ r(u₀), given u_k.
        mean: of u_j, before noise is added; at level 0 the image.
    """

    level: int
    next_level: int
    state: Images
    estimate: Images
    mean: Images


def take_steps(
    network: Network, process: Process, steps: Sequence[Step], start: Images, noise: NoiseSequence
) -> Iterator[SampledStep]:
    """Take every step and yield its result.

    Args:
        network: the network of the process.
        process: the process.
        steps: steps from :func:`plan_steps`.
        start: u_K.
        noise: standard normal; ``noise[k-1]`` is that of the step from level k.
    """
    prediction, state, previous = prediction_of(network, process), start, None
    for step in steps:
        with torch.no_grad():
            raw = prediction.raw_estimate(network, state, step.level)
        taken = take_step(prediction, step, state, raw, previous)
        previous = taken.estimate
        yield taken
        if step.next_level > 0:  # the last mean is the result; no noise is drawn for it
            state = taken.mean
            if step.is_noisy:
                state = add_noise(process, step, state, noise[step.level - 1])


def take_step(
    prediction: Prediction, step: Step, state: Images, raw: Images, previous: Images | None = None
) -> SampledStep:
    """Take a step, without its noise.

    Args:
        prediction: the prediction of the network.
        step: from level k to level j.
        state: u_k.
        raw: the unclipped estimate, :meth:`~ihdm.predictions.prediction.Prediction.raw_estimate`.
        previous: the estimate of the previous step, for second order.
    """
    estimate = prediction.clipped(raw, step.level)
    parts = [(step.keep, state), (step.mean, estimate)]
    if estimate is not raw:
        parts.append((step.unclipped, estimate - raw))
    if previous is not None and not _is_zero(step.extrapolation):
        parts.append((step.extrapolation, estimate - previous))
    return SampledStep(step.level, step.next_level, state, estimate, _weighted(prediction.process, parts, step.offset))


def add_noise(process: Process, step: Step, mean: Images, noise: Images) -> Images:
    """Return the next state, from its mean and standard normal noise."""
    if isinstance(step.noise, float):
        return mean + step.noise * noise
    # White noise is white in the cosine basis too, so it needs no transform there.
    return mean + process.inverse(_tensor(step.noise, noise) * noise)


def _weighted(process: Process, parts: list[tuple[Modes, Images]], offset: Modes) -> Images:
    """Return the weighted sum of images, with weights per mode; scalar weights need no transform."""
    plain = [(weight, images) for weight, images in parts if isinstance(weight, float) and weight]
    by_mode = [(weight, images) for weight, images in parts if not isinstance(weight, float)]
    total = None
    for weight, images in plain:
        term = images if weight == 1.0 else weight * images
        total = term if total is None else total + term
    if by_mode or not isinstance(offset, float):
        coefficients = sum(_tensor(weight, images) * process.transform(images) for weight, images in by_mode)
        if not _is_zero(offset):
            coefficients = coefficients + _tensor(offset, parts[0][1])
        images = process.inverse(torch.as_tensor(coefficients).expand_as(parts[0][1]))
        total = images if total is None else total + images
    return torch.zeros_like(parts[0][1]) if total is None else total


def _tensor(modes: Modes, like: Tensor) -> Tensor:
    return torch.as_tensor(modes, dtype=torch.float32, device=like.device)


def _one_for_all(modes: Modes) -> Modes:
    """Return one number if all modes have the same value, which saves transforms."""
    values = np.asarray(modes, dtype=np.float64)
    return float(values.flat[0]) if (values == values.flat[0]).all() else values


def _is_zero(modes: Modes) -> bool:
    return isinstance(modes, float) and modes == 0.0
