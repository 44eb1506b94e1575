"""Preconditioning per DCT mode: every mode of the input has unit variance at every level, and the target is v.

With mean m and power P of the training images per mode, x̃ = (x − m)/√P and n_k² = a_k² P + s_k²,

    z = (u_k − a_k m)/n_k = α x̃ + β ε,        v = α ε − β x̃,        α = a_k √P / n_k,  β = s_k / n_k,  α² + β² = 1,

so that x̂ = m + √P (α z − β v̂) estimates the clean image at every level. This is the preconditioning of EDM (Karras et
al., arXiv 2206.00364) in each mode, with the v of progressive distillation (arXiv 2202.00512).
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import WhitenedSettings
from ihdm.heat import Images
from ihdm.predictions.prediction import Prediction, Statistics
from ihdm.processes.process import Process

Modes = Float[Tensor, "_ 1 height width"]
CACHED_LEVELS = 1024
LEAST_WEIGHT = 0.01
"""Least weight: modes that the process keeps add nothing to the bound, but have to be estimated too."""


class Level(NamedTuple):
    """Scales of the modes at a level, or at each level of a batch."""

    scale: Modes
    norm: Modes
    image_share: Modes
    noise_share: Modes
    weight: Modes


class Whitened(Prediction):
    """See the module; with ``settings.image`` the network also receives u_k."""

    settings: WhitenedSettings

    def __init__(self, process: Process, settings: WhitenedSettings, statistics: Statistics | None) -> None:
        if statistics is None:
            raise ValueError("the prediction 'whitened' needs the statistics of the training images")
        super().__init__(process, settings, statistics)
        mean = torch.as_tensor(statistics.mean, device=process.device)
        self.mean = process.transform(process.to_range(mean[None]))
        self.power = np.maximum(statistics.power, settings.floor).astype(np.float64) * 4**process.bits_of_range
        self.deviation = self._tensor(np.sqrt(self.power))
        self._level = lru_cache(CACHED_LEVELS)(self._computed_level)

    def _tensor(self, values: Float[np.ndarray, "height width"]) -> Modes:
        return torch.as_tensor(values, dtype=torch.float32, device=self.process.device)[None, None]

    def _computed_level(self, level: int) -> Level:
        scale = np.exp(np.broadcast_to(self.process.log_scale(level), self.power.shape))
        noise = self.process.deviation(level)
        norm = np.sqrt(scale**2 * self.power + noise**2)
        image_share, noise_share = scale * np.sqrt(self.power) / norm, noise / norm
        return Level(*map(self._tensor, (scale, norm, image_share, noise_share, np.sqrt(self._weight(level)))))

    def _levels(self, levels: Int[Tensor, "batch"]) -> Level:
        found = [self._level(level) for level in levels.tolist()]
        return Level(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _weight(self, level: int) -> Float[np.ndarray, "height width"]:
        """Return the weight of each mode in the loss: 1, or the mean of the bound's gain by steps over 1, 2, … levels.

        A step from k to j adds ½ (a_j²/s_j² − a_k²/s_k²) (x − x̂)² to the Markov bound, and (x − x̂)² = P β² (v − v̂)².
        """
        if not self.settings.max_stride:
            return np.ones(self.power.shape)
        noise = self.process.deviation(level)
        scale = np.exp(2 * np.broadcast_to(self.process.log_scale(level), self.power.shape))
        total = np.zeros(self.power.shape)
        for stride in range(1, self.settings.max_stride + 1):
            gain = np.ones(self.power.shape)
            if stride < level:
                ratio = (noise / self.process.deviation(level - stride)) ** 2
                sharper = np.exp(2 * np.asarray(self.process.log_scale(level - stride)))
                gain = (sharper * ratio - scale) * self.power / (scale * self.power + noise**2) / 2
                gain = np.clip(gain, LEAST_WEIGHT, 1)
            total += gain / stride
        return total / self.settings.max_stride

    def network_input(self, noisy: Images, levels: Int[Tensor, "batch"]) -> Images:
        at, process = self._levels(levels), self.process
        seen = process.inverse((process.transform(noisy) - at.scale * self.mean) / at.norm)
        return torch.cat([seen, noisy.float()], dim=1) if self.settings.image else seen

    def target(self, images: Images, levels: Int[Tensor, "batch"], noise: Images) -> Images:
        at, process = self._levels(levels), self.process
        clean = (process.transform(process.to_range(images)) - self.mean) / self.deviation
        return at.weight * (at.image_share * process.transform(noise) - at.noise_share * clean)

    def compared(self, output: Images, noisy: Images, levels: Int[Tensor, "batch"]) -> Images:
        return self._levels(levels).weight * self.process.transform(output)

    def untrained_error(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        at, process = self._levels(levels), self.process
        clean = (process.transform(process.to_range(images)) - self.mean) / self.deviation
        expected = at.image_share.square() + (at.noise_share * clean).square()
        return (at.weight.square() * expected).flatten(1).sum(1)

    def reference(self, level: int) -> int:
        return 0  # the clean image at every level

    def read(self, output: Images, noisy: Images, level: int) -> Images:
        at, process = self._level(level), self.process
        seen = (process.transform(noisy) - at.scale * self.mean) / at.norm
        clean = at.image_share * seen - at.noise_share * process.transform(output)
        return process.inverse(self.mean + self.deviation * clean)
