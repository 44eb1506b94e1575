"""Blurring diffusion: noise grows as in diffusion, and blur removes fine detail first (arXiv 2209.05557)."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import BlurringSettings
from ihdm.heat import HeatProcess, Images, eigenvalues
from ihdm.processes.diffusion import VariancePreserving


class Blurring(VariancePreserving):
    """a_k = √ᾱ_k (d_k (1 − floor) + floor) with the blur d_k = exp(−Λ σ_B(k)²/2) of width σ_B,max sin²(π k / 2K)."""

    def __init__(self, settings: BlurringSettings, height: int, width: int, device: torch.device | str = "cpu") -> None:
        super().__init__(settings, height, width, device)
        self.floor = settings.blur_floor
        times = np.arange(settings.num_levels + 1) / settings.num_levels
        self.heat = HeatProcess(settings.blur_sigma_max * np.sin(np.pi * times / 2) ** 2, height, width, device=device)
        self._eigenvalues = eigenvalues(height, width)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        blur = np.exp(-self._eigenvalues * float(self.heat.blur_sigmas[level]) ** 2 / 2)
        return np.log(blur * (1 - self.floor) + self.floor) + self.log_signal[level] / 2

    def blurred(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        return (1 - self.floor) * self.heat.blur(images, levels) + self.floor * images

    def blur_sigma(self, level: int) -> float:
        return float(self.heat.blur_sigmas[level])
