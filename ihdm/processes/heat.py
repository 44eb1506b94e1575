"""Processes that blur and add noise, but do not fade: inverse heat dissipation and Soft Diffusion."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import HeatSettings, SoftSettings
from ihdm.heat import Images, heat_process
from ihdm.likelihood import prior_kl_bounds
from ihdm.prior import draw_starts
from ihdm.processes.process import Process
from ihdm.storage.images import StoredImages


class HeatDissipation(Process):
    """The paper's process: a_k = exp(−Λ t_k), which removes fine detail first, and s_k = σ."""

    settings: HeatSettings

    def __init__(self, settings: HeatSettings, height: int, width: int, device: torch.device | str = "cpu") -> None:
        super().__init__(settings, height, width, device)
        self.heat = heat_process(settings, width, device)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        return -self.eigenvalues * float(self.heat.blur_sigmas[level]) ** 2 / 2

    def deviation(self, level: int) -> float:
        return self.settings.sigma if level else 0.0

    def mean(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        return self.heat.blur(images, levels)

    def blur_sigma(self, level: int) -> float:
        return float(self.heat.blur_sigmas[level])

    def draw_starts(
        self, train: StoredImages, bandwidth: float, seed: int, indices: Sequence[int]
    ) -> tuple[Images, Int[np.ndarray, "batch"]]:
        return draw_starts(train, self.heat, bandwidth, seed, indices)

    def blend_starts(self, first: Images, second: Images, angles: Float[Tensor, "batch"]) -> Images:
        """Return starts on the straight line between two, as in the paper, because starts are images."""
        return torch.lerp(first, second, (2 / np.pi * angles)[:, None, None, None])

    def prior_kl(
        self,
        train: Iterable[Float[Tensor, "_ channel height width"]],
        test: Float[Tensor, "test channel height width"],
        bandwidths: Sequence[float],
    ) -> Float[Tensor, "bandwidths test"]:
        return prior_kl_bounds(train, test, self.heat, self.deviation(self.num_levels), bandwidths)


class Soft(HeatDissipation):
    """a_k as for heat, and s_k geometric from σ at level 1 to σ_max at level K (Daras et al., arXiv 2209.05442)."""

    settings: SoftSettings

    def deviation(self, level: int) -> float:
        first, growth = self.settings.sigma, self.settings.sigma_max / self.settings.sigma
        return first * growth ** ((level - 1) / max(self.num_levels - 1, 1)) if level else 0.0
