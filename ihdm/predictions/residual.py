"""The paper's prediction: the difference to the image of the next level (paper, section 3.3)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.heat import Images
from ihdm.objective import squared_error
from ihdm.predictions.prediction import Prediction


class Residual(Prediction):
    """The network receives u_k and predicts a_{k−1} ⊙ r(u₀) − u_k."""

    is_loss_summed = True

    def target(
        self,
        images: Images,
        levels: Int[Tensor, "batch"],
        noise: Images,  # noqa: ARG002
    ) -> Images:
        return self.process.mean(images, levels - 1)

    def compared(
        self,
        output: Images,
        noisy: Images,
        levels: Int[Tensor, "batch"],  # noqa: ARG002
    ) -> Images:
        return noisy + output

    def untrained_error(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        left = squared_error(self.process.mean(images, levels), self.process.mean(images, levels - 1))
        noise = [images[0].numel() * self.process.deviation(level) ** 2 for level in levels.tolist()]
        return left + torch.as_tensor(noise, device=images.device)

    def untrained_noise(self, level: int) -> float:
        return self.process.deviation(level)

    def reference(self, level: int) -> int:
        return level - 1

    def read(self, output: Images, noisy: Images, level: int) -> Images:  # noqa: ARG002
        return noisy + output
