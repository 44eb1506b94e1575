"""Measurements y = A u₀ + n with n ~ N(0, σ_y² I), and conditioning of Gaussian images on them.

A is a matrix that acts on every channel alike. If u₀ ~ N(m, C), the posterior mean is

    m + C Aᵀ (A C Aᵀ + σ_y² I)⁻¹ (y − A m)

C is diagonal in the cosine basis, the same for all channels. A posterior sample is a prior sample corrected by y plus
fresh noise (Matheron's rule), so that the posterior covariance is never formed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.restoration import (
    LARGEST_RESTORED,
    AnyProblem,
    BlurProblem,
    MaskProblem,
    PoolingProblem,
    problem_mistakes,
)
from ihdm.errors import UserError
from ihdm.heat import Images, cosine_basis, decay
from ihdm.seeds import generator, normal_draws

GRAY = 0.5
"""Value of hidden pixels in images."""
MEMORY = 2e9
"""Most bytes for the cached matrices of all levels."""

Measured = Float[Tensor, "batch channel value"]
"""Measurements y of images."""
Numbers = Sequence[tuple[int, int]]
"""Image number and sample number of each sample; its noise depends on these alone."""


@dataclass(frozen=True)
class Measurement:
    """A linear measurement.

    Attributes:
        matrix: A, on the pixels of a channel, row by row.
        noise: σ_y.
        height: of the measurement as an image.
        width: of the measurement as an image.
        pixels: indices of the measured pixels for a mask, otherwise None.
        transfer: factor on each cosine mode if A is diagonal in the cosine basis, otherwise None.
        image_size: side of the images.
    """

    matrix: Float[Tensor, "value pixel"]
    noise: float
    height: int
    width: int
    pixels: Int[Tensor, "value"] | None
    transfer: Float[Tensor, "size size"] | None
    image_size: int

    def apply(self, images: Images) -> Measured:
        """Return A u₀."""
        return images.flatten(2).to(self.matrix.dtype) @ self.matrix.T

    def adjoint(self, measured: Measured) -> Images:
        """Return Aᵀ y as images."""
        return (measured.to(self.matrix.dtype) @ self.matrix).unflatten(2, (self.image_size, self.image_size))

    def measure(self, images: Images, seed: int, first: int = 0) -> Measured:
        """Return y = A u₀ + noise for images in [0, 1]; the noise depends on the seed and the image number.

        The first image has the number ``first``.
        """
        clean = self.apply(images)
        indices = [(first + place,) for place in range(len(clean))]
        draws = normal_draws(seed, "measurement noise", indices, clean.shape[1:], np.float64)
        return clean + self.noise * torch.as_tensor(draws, dtype=clean.dtype)

    def shown(self, measured: Measured, hidden: float = GRAY) -> Images:
        """Return measurements as images, with the value ``hidden`` at hidden pixels."""
        if self.pixels is None:
            return measured.unflatten(2, (self.height, self.width))
        picture = torch.full((*measured.shape[:2], self.image_size**2), hidden, dtype=measured.dtype)
        picture[:, :, self.pixels] = measured
        return picture.unflatten(2, (self.image_size, self.image_size))


def measurement(problem: AnyProblem, image_size: int) -> Measurement:
    """Return the measurement of a problem for square images.

    Raises:
        UserError: if the problem does not fit this size, or the images are too large for matrices.
    """
    if mistakes := list(problem_mistakes(problem, image_size)):
        raise UserError("; ".join(mistakes))
    if image_size > LARGEST_RESTORED:
        raise UserError(
            f"images of {image_size} pixels: restoration uses dense matrices, on at most {LARGEST_RESTORED} pixels"
        )
    line, pixels, transfer = torch.eye(image_size, dtype=torch.float64), None, None
    if isinstance(problem, BlurProblem):
        basis = torch.as_tensor(cosine_basis(image_size))
        left = torch.as_tensor(decay(image_size, np.array([problem.width]))[0])
        line, transfer = basis.T @ (left[:, None] * basis), torch.outer(left, left)
    elif isinstance(problem, PoolingProblem):
        line = line.unflatten(0, (-1, problem.factor)).mean(dim=1)
    elif not isinstance(problem, MaskProblem):
        transfer = torch.ones(image_size, image_size, dtype=torch.float64)
    matrix, side = torch.kron(line, line), len(line)
    if isinstance(problem, MaskProblem):
        pixels = torch.as_tensor(_measured_pixels(problem, image_size))
        matrix = matrix[pixels]
    return Measurement(matrix, problem.noise, side, side, pixels, transfer, image_size)


def _measured_pixels(problem: MaskProblem, size: int) -> Int[np.ndarray, "value"]:
    """Return the indices of the pixels that are not hidden."""
    hidden = np.zeros((size, size), dtype=bool)
    if problem.shape == "hole":
        side = max(1, min(size - 1, round(math.sqrt(problem.hidden) * size)))
        first = (size - side) // 2
        hidden[first : first + side, first : first + side] = True
    else:
        order = generator(0, "hidden pixels").permutation(size * size)
        hidden.flat[order[: round(problem.hidden * size * size)]] = True
    return np.flatnonzero(~hidden)


class Conditioner:
    """Conditions images with prior N(m, V diag(S) Vᵀ) on a measurement, with cached matrices if ``MEMORY`` permits.

    Args:
        measurement: A and σ_y.
        variances: S of each cosine mode, ≥ 0, by level.
    """

    def __init__(self, measurement: Measurement, variances: Mapping[int, Float[Tensor, "size size"]]) -> None:
        self.measurement = measurement
        self.variances = variances
        self._basis = torch.as_tensor(cosine_basis(measurement.image_size), dtype=torch.float64)
        self._in_modes = (self._basis @ self._squares(measurement.matrix) @ self._basis.T).flatten(1)
        values, pixels = measurement.matrix.shape
        self._is_kept = 8 * values * (values + pixels) * len(variances) < MEMORY
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def correct(self, level: int, images: Images, measured: Measured) -> Images:
        """Return the posterior mean for prior means ``images`` and the variances of a level."""
        factor, gain = self._matrices(level)
        misfit = measured - self.measurement.apply(images)
        weights = torch.cholesky_solve(misfit.flatten(0, 1).T, factor).T
        moved = (weights @ gain).unflatten(0, misfit.shape[:2])
        return images + moved.view_as(images).to(images.dtype)

    def _matrices(self, level: int) -> tuple[Float[Tensor, "value value"], Float[Tensor, "value pixel"]]:
        """Return the Cholesky factor of A C Aᵀ + σ_y² I, and A C."""
        if level in self._kept:
            return self._kept[level]
        scaled = self._in_modes * self.variances[level].double().flatten()
        covariance = scaled @ self._in_modes.T
        covariance.diagonal().add_(self.measurement.noise**2)
        gain = (self._basis.T @ self._squares(scaled) @ self._basis).flatten(1)
        found = torch.linalg.cholesky(covariance), gain
        if self._is_kept:
            self._kept[level] = found
        return found

    def _squares(self, rows: Float[Tensor, "value pixel"]) -> Float[Tensor, "value size size"]:
        return rows.unflatten(1, (self.measurement.image_size,) * 2)


def prior_moments(
    train: Float[Tensor, "image channel height width"],
) -> tuple[Float[Tensor, "channel height width"], Float[Tensor, "height width"]]:
    """Return mean image and variance of each cosine mode, over images and channels, of training images in [0, 1]."""
    basis = torch.as_tensor(cosine_basis(train.shape[-1]), dtype=torch.float64)
    mean = train.double().mean(dim=0)
    coefficients = basis @ (train.double() - mean) @ basis.T
    return mean, coefficients.square().mean(dim=(0, 1))
