"""The training objective: one small deblurring step, from noisy level k to clean level k−1 (paper, section 3.3)."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.heat import HeatProcess, Images

Network = Callable[[Images, Int[Tensor, "batch"]], Images]
"""f(u, levels): any callable that predicts the difference between the next sharper image and ``u``."""


def deblurring_pair(
    heat: HeatProcess, images: Images, levels: Int[Tensor, "batch"], noise: Images, sigma: float
) -> tuple[Images, Images]:
    """Return the network's input û = F(t_k) u₀ + σ ε and its target F(t_{k−1}) u₀, which carries no noise.

    Args:
        heat: the forward process.
        images: unblurred images u₀ in [0, 1].
        levels: k of each image, in 1…K.
        noise: standard normal ε.
        sigma: training noise σ.

    Raises:
        IndexError: if a level is outside 1…K.
    """
    target = heat.blur(images, levels - 1)
    with torch.autocast(images.device.type, enabled=False):
        noisy = heat.blur(images, levels) + sigma * noise
    return noisy, target


def squared_error(mean: Images, target: Images) -> Float[Tensor, "batch"]:
    """Return ‖mean − target‖² of each image, summed over channels and pixels, in at least float32."""
    with torch.autocast(target.device.type, enabled=False):
        return (mean - target).square().flatten(1).sum(1)


def deblurring_loss(
    network: Network, heat: HeatProcess, images: Images, levels: Int[Tensor, "batch"], noise: Images, sigma: float
) -> Float[Tensor, "batch"]:
    """Return ‖û + f(û, k) − F(t_{k−1}) u₀‖² of each image, summed over channels and pixels.

    Blur, target and loss are float32 even under autocast; only ``network`` may run in lower precision.
    Arguments and errors are those of :func:`deblurring_pair`.
    """
    noisy, target = deblurring_pair(heat, images, levels, noise, sigma)
    return squared_error(noisy + network(noisy, levels), target)
