"""Predictions of the residual or the noise, without statistics of the training images."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.heat import Images
from ihdm.objective import squared_error
from ihdm.predictions.prediction import Prediction


class Residual(Prediction):
    """The paper's prediction (section 3.3): the network receives u_k and predicts a_{k−1} ⊙ r(u₀) − u_k."""

    is_loss_summed = True

    def target(self, images: Images, levels: Int[Tensor, "batch"], noise: Images) -> Images:
        return self.process.mean(images, levels - 1)

    def compared(self, output: Images, noisy: Images, levels: Int[Tensor, "batch"]) -> Images:
        return noisy + output

    def untrained_error(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        left = squared_error(self.process.mean(images, levels), self.process.mean(images, levels - 1))
        noise = [images[0].numel() * self.process.deviation(level) ** 2 for level in levels.tolist()]
        return left + torch.as_tensor(noise, device=images.device)

    def untrained_noise(self, level: int) -> float:
        return self.process.deviation(level)

    def reference(self, level: int) -> int:
        return level - 1

    def read(self, output: Images, noisy: Images, level: int) -> Images:
        return noisy + output


class Noise(Prediction):
    """DDPM's prediction (arXiv 2006.11239): the network receives u_k and predicts ε.

    u_k − s_k ε̂ estimates a_k ⊙ r(u₀). If a_k is the same for all modes, this is divided by a_k and estimates the clean
    image.
    """

    def target(self, images: Images, levels: Int[Tensor, "batch"], noise: Images) -> Images:
        return noise

    def untrained_error(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        return torch.full((len(images),), float(images[0].numel()), device=images.device)

    def reference(self, level: int) -> int:
        return 0 if self.process.settings.fades_alike else level

    def read(self, output: Images, noisy: Images, level: int) -> Images:
        faded = noisy - self.process.deviation(level) * output
        return faded / math.exp(float(self.process.log_scale(level))) if self.process.settings.fades_alike else faded
