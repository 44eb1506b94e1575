"""Measurements y = A u₀ + n with n ~ N(0, σ_y² I), as a matrix that acts on every channel alike."""

import math
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
from ihdm.seeds import generator

GRAY = 0.5
"""Value of hidden pixels in images."""

Measured = Float[Tensor, "batch channel value"]
"""Measurements y of images."""


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

        Args:
            images: in [0, 1].
            seed: of the noise.
            first: number of the first image.
        """
        clean = self.apply(images)
        draws = [
            generator(seed, "measurement noise", first + place).standard_normal(tuple(clean.shape[1:]))
            for place in range(len(clean))
        ]
        return clean + self.noise * torch.as_tensor(np.stack(draws), dtype=clean.dtype)

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
