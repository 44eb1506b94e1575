"""The prediction of the noise (DDPM, arXiv 2006.11239)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.heat import Images
from ihdm.predictions.prediction import Prediction


class Noise(Prediction):
    """The network receives u_k and predicts ε, so that u_k − s_k ε̂ estimates a_k ⊙ r(u₀).

    If a_k is the same for all modes, this is divided by a_k and estimates the clean image.
    """

    def target(
        self,
        images: Images,  # noqa: ARG002
        levels: Int[Tensor, "batch"],  # noqa: ARG002
        noise: Images,
    ) -> Images:
        return noise

    def untrained_error(
        self,
        images: Images,
        levels: Int[Tensor, "batch"],  # noqa: ARG002
    ) -> Float[Tensor, "batch"]:
        return torch.full((len(images),), float(images[0].numel()), device=images.device)

    def reference(self, level: int) -> int:
        return 0 if self.process.settings.fades_alike else level

    def read(self, output: Images, noisy: Images, level: int) -> Images:
        faded = noisy - self.process.deviation(level) * output
        return faded / math.exp(float(self.process.log_scale(level))) if self.process.settings.fades_alike else faded
