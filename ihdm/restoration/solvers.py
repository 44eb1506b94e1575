"""Restoration with a trained network.

| solver | measurements | method |
|---|---|---|
| `posterior` | any | at each level, samples the image given state and measurement, and steps with it |
| `start` | blur, noise; heat, soft | starts the sampler from the measurement, at the level with the same blur |
| `map` | blur, noise; heat, soft | at each level, the mode given the step and the blurred measurement |

Everything except the network runs on the CPU: see :class:`OnDevice`.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.calibration import Calibration
from ihdm.config.processes import SamplerSettings
from ihdm.errors import UserError
from ihdm.heat import Images, eigenvalues
from ihdm.objective import Network
from ihdm.predictions import Prediction, Predictor, prediction_of
from ihdm.processes.process import Process
from ihdm.restoration.problems import Conditioner, Measured, Measurement, Numbers
from ihdm.samplers import clean_weight, coupling, open_variance, plan_steps, take_steps
from ihdm.sampling import SeededNoise
from ihdm.seeds import normal_draws
from ihdm.storage.tensors import require_finite

DELTA_RATIO = 1.25
"""δ/σ of the solver `map`."""


@dataclass(frozen=True)
class Restorer:
    """A calibrated network with statistics of its training images.

    Attributes:
        network: called with images and levels on the CPU.
        process: the process, on square images, on the CPU.
        calibration: calibration of the network at every level of the sampler.
        mean: of the training images, in [0, 1].
        power: variance of each cosine mode of the training images.
        sampler: levels and coupling for posterior samples.
        seed: of all noise.
    """

    network: Network
    process: Process
    calibration: Calibration
    mean: Float[Tensor, "channel height width"]
    power: Float[Tensor, "height width"]
    sampler: SamplerSettings
    seed: int

    @cached_property
    def prediction(self) -> Prediction:
        """The prediction target of the network."""
        return prediction_of(self.network, self.process)

    def conditioner(self, measurement: Measurement, trust: float) -> Conditioner:
        """Return the conditioner at each level of the sampler, and that of the prior of training images at level 0.

        Args:
            measurement: A and σ_y.
            trust: factor on the residual variances; above 1 the measurement has more weight.
        """
        variances = {0: self.power}
        for level in self.sampler.levels(self.process.settings)[:-1]:
            residual = torch.as_tensor(self.calibration.at(level).residual)
            variances[level] = trust * residual / 4**self.process.bits_of_range  # of images in [0, 1]
        return Conditioner(measurement, variances)

    def posterior(
        self, conditioner: Conditioner, measured: Measured, numbers: Numbers, *, is_end_noisy: bool = False
    ) -> Images:
        """Return a posterior sample for each measurement.

        Given u_k and y, the image is N(û₀, C) conditioned on y, where û₀ is the calibrated estimate of the network and
        C its residual variance. A sample of it replaces u₀ in the step from k to j,
        u_j = c u_k + (a_j − c a_k) u₀ + noise. This is exact for Gaussian images and an exact network if
        ``is_end_noisy``; otherwise samples lack the residual variance of the last level.
        """
        process, size = self.process, self.mean.numel()

        def drawn(level: int, mean: Images) -> tuple[Images, Images]:
            """Return a sample of the image given y, and noise for the step."""
            indices, length = [(*number, level) for number in numbers], 2 * size + measured[0].numel()
            flat = normal_draws(self.seed, "posterior noise", indices, (length,), np.float64)
            first, second, misread = np.split(flat, [size, 2 * size], axis=1)
            image, other = (_floats(part).view(-1, *self.mean.shape) for part in (first, second))
            believed = mean + process.inverse(conditioner.variances[level].sqrt().float() * image)
            seen = measured + conditioner.measurement.noise * torch.as_tensor(misread).view(measured.shape)
            return conditioner.correct(level, believed, seen), other

        image, other = drawn(0, self.mean.float().expand(len(numbers), *self.mean.shape))
        top = process.num_levels
        state = process.inverse(_floats(np.exp(process.log_scale(top))) * process.transform(process.to_range(image)))
        state = state + process.deviation(top) * other
        for level, after in pairwise(self.sampler.levels(process.settings)):
            mean = process.from_range(self._estimate(state, level))
            if after == 0 and not is_end_noisy:
                return conditioner.correct(level, mean, measured)
            image, other = drawn(level, mean)
            kept = coupling(process, self.sampler.coupling, level, after)
            weight, variance = (part(process, kept, level, after) for part in (clean_weight, open_variance))
            modes = _floats(kept) * process.transform(state) + _floats(np.sqrt(variance)) * process.transform(other)
            state = process.inverse(modes + _floats(weight) * process.transform(process.to_range(image)))
        return process.from_range(state)

    def start(self, measurement: Measurement, width: float, shift: int, measured: Measured, numbers: Numbers) -> Images:
        """Return samples that start from the measurement as the state of a level.

        A measurement with blur σ_B and noise σ_y is blurred to the next level k, and noise is added up to σ in each
        mode that has less. If σ_B is that of a level and σ_y = σ, it is u_k itself, and the sampler draws from the
        posterior.

        Args:
            measurement: A is a Gaussian blur.
            width: σ_B in pixels, 0 for none.
            shift: number of additional steps, for measurements with more noise than σ.
            measured: the measurements.
            numbers: of the samples.

        Raises:
            UserError: if the measurement is more blurred than every level.
        """
        level, state = self._latent(measurement, width, shift, measured, numbers)
        # Fixed for any posterior sampler: Markov steps keep the measurement, noise makes samples differ.
        sampler = self.sampler.model_copy(update={"coupling": "markov", "noise": "measured"})
        steps = plan_steps(self.prediction, sampler, calibration=self.calibration)
        _, channels, height, width = state.shape
        shape, num_levels = (channels, height, width), self.process.num_levels
        noise = SeededNoise(self.seed, numbers, num_levels, shape, purpose="restoration noise")
        *_, last = take_steps(self.network, self.process, [step for step in steps if step.level <= level], state, noise)
        return last.mean

    def one_shot(
        self, measurement: Measurement, width: float, shift: int, measured: Measured, numbers: Numbers
    ) -> Images:
        """Return the network's estimate at the level where :meth:`start` begins: a mean, not a sample."""
        level, state = self._latent(measurement, width, shift, measured, numbers)
        return self._estimate(state, level)

    def map(self, measurement: Measurement, weight: float, measured: Measured) -> Images:
        """Return the mode, level by level: (m/δ² + w h b/σ_y²) / (1/δ² + w h²/σ_y²) per cosine mode.

        The measurement blurred to level k−1, b = F(t_{k−1}) y, gives a likelihood of the state there, as A and F are
        both diagonal in the cosine basis. Here h is ``measurement.transfer``, and ``weight`` is w.
        """
        process, transfer = self._blurs(), measurement.transfer
        if transfer is None:
            raise ValueError("this measurement is not diagonal in the cosine basis")
        seen = process.transform(measurement.shown(measured).float())
        state = process.inverse(_floats(np.exp(process.log_scale(process.num_levels))) * seen)
        precision = 1 / (DELTA_RATIO * process.deviation(process.num_levels)) ** 2
        data = weight * transfer.float() / measurement.noise**2
        for level in range(process.num_levels, 0, -1):
            with torch.no_grad():
                estimate = process.transform(self.prediction.estimate(self.network, state, level))
            after, reference = (process.log_scale(one) for one in (level - 1, self.prediction.reference(level)))
            mean = _floats(np.exp(np.asarray(after) - np.asarray(reference))) * estimate
            coefficients = precision * mean + data * (_floats(np.exp(after)) * seen)
            state = process.inverse(coefficients / (precision + data * transfer.float()))
        return state

    def _estimate(self, state: Images, level: int) -> Images:
        """Return the calibrated estimate of the image from a state, in the range of the process."""
        known = self.calibration.at(level)
        with torch.no_grad():
            estimate = self.process.transform(self.prediction.estimate(self.network, state, level))
        return self.process.inverse(_floats(known.gain) * estimate + _floats(known.offset))

    def _blurs(self) -> Process:
        if not self.process.settings.starts_from_images:
            raise TypeError("this solver needs a process whose states are blurred images")
        return self.process

    def _latent(
        self, measurement: Measurement, width: float, shift: int, measured: Measured, numbers: Numbers
    ) -> tuple[int, Images]:
        """Return the level for a measurement, and its state there."""
        process = self._blurs()
        level = first_level(process, self.sampler, width, shift)
        left = process.log_scale(level) + eigenvalues(process.height, process.width) * width**2 / 2
        missing = np.sqrt(np.maximum(process.deviation(level) ** 2 - measurement.noise**2 * np.exp(2 * left), 0))
        seen = process.transform(measurement.shown(measured).float())
        filling = _floats(normal_draws(self.seed, "filled up", numbers, seen.shape[1:], np.float64))
        return level, process.inverse(_floats(np.exp(left)) * seen + _floats(missing) * filling)


def first_level(process: Process, sampler: SamplerSettings, width: float, shift: int = 0) -> int:
    """Return the first level of a sampler that is at least as blurred as σ_B = ``width``.

    A less blurred level would require sharpening, which amplifies the noise of the measurement.

    Args:
        process: the process.
        sampler: the sampler.
        width: σ_B in pixels, 0 for none.
        shift: number of levels of the sampler beyond this one, up to K.

    Raises:
        UserError: if no level is blurred as much.
    """
    if not is_reached(process, width):
        raise UserError(
            f"a blur of {width:g} pixels exceeds the largest blur of the process, "
            f"{process.blur_sigma(process.num_levels):g}; use the solver posterior"
        )
    visited = sorted(sampler.levels(process.settings))[1:]
    place = next(at for at, level in enumerate(visited) if is_reached(process, width, level))
    return visited[min(place + shift, len(visited) - 1)]


def is_reached(process: Process, width: float, level: int | None = None) -> bool:
    """Return whether a process blurs as much as σ_B = ``width`` at a level, by default the last."""
    return process.blur_sigma(process.num_levels if level is None else level) >= width * (1 - 1e-9)


@dataclass(frozen=True)
class OnDevice:
    """A network on a device as a function of CPU tensors."""

    network: Network
    device: torch.device | str

    @property
    def predictor(self) -> Predictor | None:
        """The predictor of the network, if it has one."""
        return getattr(self.network, "predictor", None)

    def __call__(self, images: Images, levels: Int[Tensor, "batch"]) -> Images:
        """Call the network.

        Raises:
            UserError: if its output is not finite.
        """
        found = self.network(images.to(self.device), levels.to(self.device)).cpu()
        require_finite(found)
        return found


def _floats(values: object) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32)
