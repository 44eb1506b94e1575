"""Restoration without a network, with the same mirrored borders as the heat process."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import Images
from ihdm.restoration.problems import Conditioner, Measured, Measurement

TV_STEPS = 200
"""Most proximal steps of total variation."""
TV_INNER_STEPS = 10
TV_CHANGE = 1e-4
"""Relative change of every image in a step at which the iteration has converged."""
SMALLEST = 1e-4
"""Lower bound of the pixels in Richardson-Lucy, which need to be positive."""


def plain(measurement: Measurement, measured: Measured) -> Images:
    """Return the measurement as a full-size image: enlarged, or with hidden pixels set to the mean of the others."""
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
    """Return the Wiener estimate for images with this mean, and ``scale · power`` as variance of each cosine mode."""
    start = mean.float().expand(len(measured), *mean.shape)
    return Conditioner(measurement, {0: scale * power}).correct(0, start, measured)


def richardson_lucy(measurement: Measurement, measured: Measured, steps: int) -> Images:
    """Iterate x ← x · Aᵀ(y / A x); the rows and columns of a blur sum to one."""
    seen = measured.clamp_min(SMALLEST)
    found = measurement.adjoint(seen).clamp_min(SMALLEST)
    for _ in range(steps):
        found = found * measurement.adjoint(seen / measurement.apply(found).clamp_min(SMALLEST))
    return found.float()


def total_variation(measurement: Measurement, measured: Measured, weight: float) -> Images:
    """Return the minimum of ‖A x − y‖²/2 + weight · TV(x), by FISTA (Beck and Teboulle, 2009).

    TV is the sum over pixels of the norm of the gradient, per channel. The step size is one, as ‖A‖ ≤ 1. Each proximal
    map starts from the dual variable of the previous one.
    """
    found = leading = measurement.adjoint(measured)
    flow = torch.zeros_like(_gradient(found))
    momentum = 1.0
    for _ in range(TV_STEPS):
        moved = leading - measurement.adjoint(measurement.apply(leading) - measured)
        before, (found, flow) = found, _smooth(moved, weight, flow)
        change, last, momentum = found - before, momentum, (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        leading = found + (last - 1) / momentum * change
        if (change.flatten(1).norm(dim=1) < TV_CHANGE * found.flatten(1).norm(dim=1)).all():
            break
    return found.float()


def _smooth(
    images: Images, weight: float, flow: Float[Tensor, "axis batch channel height width"]
) -> tuple[Images, Float[Tensor, "axis batch channel height width"]]:
    """Return the minimum of ‖x − images‖²/2 + weight · TV(x), and its dual, by accelerated projected gradients.

    Beck and Teboulle, "Fast gradient-based algorithms for constrained total variation denoising", 2009.
    """
    leading, momentum = flow, 1.0
    for _ in range(TV_INNER_STEPS):
        moved = leading + _gradient(images - _gradient_adjoint(leading)) / 8  # the squared norm of the gradient
        before, flow = flow, moved / (torch.hypot(*moved) / weight).clamp_min(1)
        last, momentum = momentum, (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        leading = flow + (last - 1) / momentum * (flow - before)
    return images - _gradient_adjoint(flow), flow


def _gradient(images: Images) -> Float[Tensor, "axis batch channel height width"]:
    """Return forward differences along rows and columns, zero at the last."""
    rows = torch.diff(images, dim=2, append=images[:, :, -1:])
    return torch.stack([rows, torch.diff(images, dim=3, append=images[..., -1:])])


def _gradient_adjoint(flow: Float[Tensor, "axis batch channel height width"]) -> Images:
    rows, columns = flow[0, :, :, :-1], flow[1, ..., :-1]
    pad = torch.nn.functional.pad
    return pad(rows, (0, 0, 1, 0)) - pad(rows, (0, 0, 0, 1)) + pad(columns, (1, 0)) - pad(columns, (0, 1))


def bicubic(measurement: Measurement, measured: Measured) -> Images:
    """Return a small image, enlarged by bicubic interpolation."""
    size = (measurement.image_size,) * 2
    small = measurement.shown(measured).float()
    return torch.nn.functional.interpolate(small, size=size, mode="bicubic", align_corners=False)


def biharmonic(measurement: Measurement, measured: Measured) -> Images:
    """Fill hidden pixels by scikit-image's biharmonic inpainting."""
    from skimage.restoration import inpaint_biharmonic

    if measurement.pixels is None:
        raise ValueError("nothing is hidden in this measurement")
    hidden = np.ones(measurement.image_size**2, dtype=bool)
    hidden[measurement.pixels.numpy()] = False
    mask = hidden.reshape(measurement.image_size, -1)
    pictures = measurement.shown(measured).numpy()
    return torch.as_tensor(np.stack([inpaint_biharmonic(one, mask, channel_axis=0) for one in pictures])).float()
