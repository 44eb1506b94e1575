"""Inverse heat dissipation: the blur takes fine detail first, under a little noise of constant strength (the paper)."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.settings import HeatSettings
from ihdm.heat import eigenvalues, heat_process
from ihdm.likelihood import prior_kl_bounds
from ihdm.objective import Network, deblurring_loss, deblurring_pair, squared_error
from ihdm.prior import draw_starts
from ihdm.processes.process import Process
from ihdm.storage.images import StoredImages


class HeatDissipation(Process):
    """a_k = exp(−Λ t_k) and s_k = σ; the network predicts the difference to the next sharper image."""

    is_loss_summed = True

    def __init__(self, settings: HeatSettings, height: int, width: int, device: torch.device | str = "cpu") -> None:
        super().__init__(settings.num_levels, height, width, device)
        self.sigma = settings.sigma
        self.heat = heat_process(settings, width, device)
        self._eigenvalues = eigenvalues(height, width)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        return -self._eigenvalues * float(self.heat.blur_sigmas[level]) ** 2 / 2

    def deviation(self, level: int) -> float:
        return self.sigma if level else 0.0

    def pair(
        self,
        images: Float[Tensor, "batch channel height width"],
        levels: Int[Tensor, "batch"],
        noise: Float[Tensor, "batch channel height width"],
    ) -> tuple[Float[Tensor, "batch channel height width"], Float[Tensor, "batch channel height width"]]:
        return deblurring_pair(self.heat, images, levels, noise, self.sigma)

    def prediction(
        self, output: Float[Tensor, "batch channel height width"], noisy: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        return noisy + output

    def loss(
        self,
        network: Network,
        images: Float[Tensor, "batch channel height width"],
        levels: Int[Tensor, "batch"],
        noise: Float[Tensor, "batch channel height width"],
    ) -> Float[Tensor, "batch"]:
        return deblurring_loss(network, self.heat, images, levels, noise, self.sigma)

    def untrained_error(
        self,
        images: Float[Tensor, "batch channel height width"],
        levels: Int[Tensor, "batch"],
        target: Float[Tensor, "batch channel height width"],
    ) -> Float[Tensor, "batch"]:
        return squared_error(self.heat.blur(images, levels), target) + images[0].numel() * self.sigma**2

    @property
    def untrained_noise(self) -> float:
        return self.sigma

    def blur_sigma(self, level: int) -> float:
        return float(self.heat.blur_sigmas[level])

    def reference(self, level: int) -> int:
        return level - 1

    def raw_estimate(
        self, network: Network, noisy: Float[Tensor, "batch channel height width"], level: int
    ) -> Float[Tensor, "batch channel height width"]:
        return noisy + network(noisy, torch.full((len(noisy),), level, device=noisy.device))

    def draw_starts(
        self,
        train: StoredImages,
        bandwidth: float,
        seed: int,
        indices: Sequence[int],
    ) -> tuple[Float[Tensor, "batch channel height width"], Int[np.ndarray, "batch"]]:
        return draw_starts(train, self.heat, bandwidth, seed, indices)

    def blend_starts(
        self,
        first: Float[Tensor, "batch channel height width"],
        second: Float[Tensor, "batch channel height width"],
        angles: Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch channel height width"]:
        """Return starts on the straight line between two, as the paper takes them: these are images."""
        return torch.lerp(first, second, (2 / np.pi * angles)[:, None, None, None])

    def prior_kl(
        self,
        train: Iterable[Float[Tensor, "_ channel height width"]],
        test: Float[Tensor, "test channel height width"],
        bandwidths: Sequence[float],
    ) -> Float[Tensor, "bandwidths test"]:
        return prior_kl_bounds(train, test, self.heat, self.sigma, bandwidths)
