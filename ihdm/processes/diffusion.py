"""Processes whose images fade into noise: diffusion (DDPM, arXiv 2006.11239), blurring diffusion and flow matching."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import BlurringSettings, DiffusionSettings, Schedule
from ihdm.heat import HeatProcess, Images
from ihdm.processes.process import Process

LOG_SNR_MAX = 10.0
"""Largest and, with the other sign, smallest log signal-to-noise ratio of the clipped cosine schedule."""
MAX_BETA = 0.999
"""Largest β of the cosine schedule, as in improved DDPM (arXiv 2102.09672)."""
LEAST_TIME = 1e-4
"""t of the flow at level K, where at t = 0 nothing of the image would be left."""


def log_signal(schedule: Schedule, num_levels: int) -> Float[np.ndarray, "levels"]:
    """Return ln ᾱ_k = ln a_k² for levels 0…K, where a_k² + s_k² = 1.

    Args:
        schedule: ``linear``: β from 1e-4 to 0.02 at K = 1000, scaled by 1000/K otherwise. ``cosine``: improved DDPM's.
            ``clipped_cosine``: Blurring Diffusion's, log signal-to-noise ratio −2 ln tan of an angle linear in k/K.
        num_levels: K.
    """
    times = np.arange(num_levels + 1) / num_levels
    if schedule == "clipped_cosine":
        start = math.atan(math.exp(-LOG_SNR_MAX / 2))
        end = math.atan(math.exp(LOG_SNR_MAX / 2))
        log_snr = -2 * np.log(np.tan(start + (end - start) * times))
        log_alphas = -np.logaddexp(0, -log_snr)
        log_alphas[0] = 0.0  # level 0 is the image itself
        return log_alphas
    if schedule == "cosine":
        alphas = np.cos((times + 0.008) / 1.008 * np.pi / 2) ** 2
        betas = np.minimum(1 - alphas[1:] / alphas[:-1], MAX_BETA)
    else:
        betas = np.linspace(1e-4, 0.02, num_levels) * 1000 / num_levels
    return np.concatenate([[0.0], np.cumsum(np.log1p(-betas))])


class VariancePreserving(Process):
    """Images in [−1, 1], and s_k² = 1 − ᾱ_k by a schedule."""

    bits_of_range = 1.0

    def __init__(
        self,
        settings: DiffusionSettings | BlurringSettings,
        height: int,
        width: int,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(settings, height, width, device)
        self.log_signal = log_signal(settings.schedule, settings.num_levels)
        self._scales = torch.as_tensor(np.exp(self.log_signal / 2), dtype=torch.float32, device=device)

    def deviation(self, level: int) -> float:
        return math.sqrt(-math.expm1(self.log_signal[level]))

    def blurred(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        """Return the images with the blur of each level: here without blur."""
        return images

    def mean(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        return self._scales[levels].view(-1, 1, 1, 1) * self.blurred(self.to_range(images), levels)


class Diffusion(VariancePreserving):
    """a_k the same for all modes."""

    settings: DiffusionSettings

    def log_scale(self, level: int) -> float:
        return float(self.log_signal[level]) / 2

    def clipped(self, estimate: Images) -> Images:
        return estimate.clamp(-1, 1) if self.settings.clip else estimate


class Blurring(VariancePreserving):
    """Blurring diffusion (arXiv 2209.05557), which removes fine detail first.

    a_k = √ᾱ_k (d_k (1 − floor) + floor) with the blur d_k = exp(−Λ σ_B(k)²/2) of width σ_B,max sin²(π k / 2K).
    """

    def __init__(self, settings: BlurringSettings, height: int, width: int, device: torch.device | str = "cpu") -> None:
        super().__init__(settings, height, width, device)
        self.floor = settings.blur_floor
        times = np.arange(settings.num_levels + 1) / settings.num_levels
        self.heat = HeatProcess(settings.blur_sigma_max * np.sin(np.pi * times / 2) ** 2, height, width, device=device)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        blur = np.exp(-self.eigenvalues * float(self.heat.blur_sigmas[level]) ** 2 / 2)
        return np.log(blur * (1 - self.floor) + self.floor) + self.log_signal[level] / 2

    def blurred(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        return (1 - self.floor) * self.heat.blur(images, levels) + self.floor * images

    def blur_sigma(self, level: int) -> float:
        return float(self.heat.blur_sigmas[level])


class Flow(Process):
    """Heat dissipation flow matching: a straight path from the image to noise that also blurs (arXiv 2605.19371).

    a_k = t · t^(Λ/2) and s_k = 1 − t, with t = 1 − k/K.
    """

    bits_of_range = 1.0

    def _time(self, level: int) -> float:
        return max(1 - level / self.num_levels, LEAST_TIME)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        return (1 + self.eigenvalues / 2) * math.log(self._time(level))

    def deviation(self, level: int) -> float:
        return 1 - self._time(level)
