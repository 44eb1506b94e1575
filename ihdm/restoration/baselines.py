"""What people restore pictures by without a network, in fair versions: with our mirrored borders, and tuned."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.restoration.conditioning import Conditioner
from ihdm.restoration.problems import Measured, Measurement

Images = Float[Tensor, "batch channel height width"]

TV_STEPS = 12
"""Proximal steps of total variation, each with few of the inner ones."""
TV_INNER_STEPS = 30
SMALLEST = 1e-4
"""Below which Richardson and Lucy's ratios are not taken, as pixels are to be positive."""


def plain(measurement: Measurement, measured: Measured) -> Images:
    """Return the measurement as a picture of the wanted size: enlarged, or with hidden pixels at the mean of others."""
    if measurement.pixels is not None:
        means = measured.mean(dim=2, keepdim=True)
        return (measurement.shown(measured - means, hidden=0.0) + means[..., None]).float()
    shown = measurement.shown(measured)
    factor = measurement.image_size // measurement.height
    return shown.repeat_interleave(factor, 2).repeat_interleave(factor, 3).float()


def wiener(
    measurement: Measurement,
    measured: Measured,
    mean: Float[Tensor, "channel height width"],
    power: Float[Tensor, "height width"],
    scale: float,
) -> Images:
    """Return the linear estimate of least squared error, for images of this mean and power (Wiener).

    Args:
        measurement: how it was made.
        measured: y of each image.
        mean: of training images.
        power: variance of each of their cosine modes.
        scale: factor on the power.
    """
    start = mean.float().expand(len(measured), *mean.shape)
    return Conditioner(measurement, scale * power).correct(start, measured)


def richardson_lucy(measurement: Measurement, measured: Measured, steps: int) -> Images:
    """Return x ← x · Aᵀ(y / A x) after so many steps; the rows and columns of a blur sum to one."""
    seen = measured.clamp_min(SMALLEST)
    found = measurement.adjoint(seen).clamp_min(SMALLEST)
    for _ in range(steps):
        found = found * measurement.adjoint(seen / measurement.apply(found).clamp_min(SMALLEST))
    return found.float()


def total_variation(measurement: Measurement, measured: Measured, weight: float) -> Images:
    """Return the minimum of ‖A x − y‖²/2 + weight · TV(x), by proximal gradient steps, the map being scikit-image's."""
    from skimage.restoration import denoise_tv_chambolle

    found = measurement.adjoint(measured)
    is_identity = measurement.transfer is not None and bool((measurement.transfer == 1).all())
    for _ in range(1 if is_identity else TV_STEPS):
        moved = found - measurement.adjoint(measurement.apply(found) - measured)
        smooth = [
            denoise_tv_chambolle(image, weight=weight, max_num_iter=TV_INNER_STEPS, channel_axis=0)
            for image in moved.numpy()
        ]
        found = torch.as_tensor(np.stack(smooth))
    return found.float()


def bicubic(measurement: Measurement, measured: Measured) -> Images:
    """Return a small picture, enlarged by cubic splines."""
    size = (measurement.image_size,) * 2
    small = measurement.shown(measured).float()
    return torch.nn.functional.interpolate(small, size=size, mode="bicubic", align_corners=False)


def biharmonic(measurement: Measurement, measured: Measured) -> Images:
    """Return a picture whose hidden pixels continue the others smoothly, by scikit-image's biharmonic inpainting."""
    from skimage.restoration import inpaint_biharmonic

    if measurement.pixels is None:
        raise ValueError("nothing is hidden in this measurement")
    hidden = np.ones(measurement.image_size**2, dtype=bool)
    hidden[measurement.pixels.numpy()] = False
    mask = hidden.reshape(measurement.image_size, -1)
    pictures = measurement.shown(measured).numpy()
    return torch.as_tensor(np.stack([inpaint_biharmonic(one, mask, channel_axis=0) for one in pictures])).float()
