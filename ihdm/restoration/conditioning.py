"""Gaussian beliefs about an image, and what a measurement makes of them: the one formula behind every solver here.

Where u₀ ~ N(m, C) and y = A u₀ + n with n ~ N(0, σ_y² I), the posterior mean is

    m + C Aᵀ (A C Aᵀ + σ_y² I)⁻¹ (y − A m)

C is diagonal in the cosine basis, the same for all channels. A draw of the posterior is a draw of the prior, corrected
as if y had been measured of it with noise drawn anew (Matheron's rule), so that its covariance is never formed.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import cosine_basis
from ihdm.restoration.problems import Measured, Measurement


class Conditioner:
    """What a measurement says of images that are N(m, V diag(S) Vᵀ) before it.

    Args:
        measurement: how it was made.
        variances: S of each cosine mode, ≥ 0.
    """

    def __init__(self, measurement: Measurement, variances: Float[Tensor, "size size"]) -> None:
        matrix, variances = measurement.matrix, variances.double()
        basis = torch.as_tensor(cosine_basis(measurement.image_size), dtype=torch.float64)
        self.measurement = measurement
        # A in the cosine basis, each column scaled by its variance: A C Aᵀ and C Aᵀ come from it.
        in_modes = (basis @ matrix.unflatten(1, (measurement.image_size,) * 2) @ basis.T).flatten(1)
        scaled = in_modes * variances.flatten()
        covariance = scaled @ in_modes.T
        covariance.diagonal().add_(measurement.noise**2)
        self._factor = torch.linalg.cholesky(covariance)
        # C Aᵀ, back on pixels.
        self._gain = (basis.T @ scaled.unflatten(1, (measurement.image_size,) * 2) @ basis).flatten(1)

    def correct(
        self, images: Float[Tensor, "batch channel height width"], measured: Measured
    ) -> Float[Tensor, "batch channel height width"]:
        """Return images moved to where the measurement and they are as likely together as can be."""
        misfit = measured - self.measurement.apply(images)
        rows = misfit.flatten(0, 1)
        weights = torch.cholesky_solve(rows.T, self._factor).T
        moved = (weights @ self._gain).unflatten(0, misfit.shape[:2])
        return images + moved.view_as(images).to(images.dtype)


def prior_moments(
    train: Float[Tensor, "image channel height width"],
) -> tuple[Float[Tensor, "channel height width"], Float[Tensor, "height width"]]:
    """Return mean image and variance of each cosine mode, over images and channels, of training images in [0, 1]."""
    basis = torch.as_tensor(cosine_basis(train.shape[-1]), dtype=torch.float64)
    mean = train.double().mean(dim=0)
    coefficients = basis @ (train.double() - mean) @ basis.T
    return mean, coefficients.square().mean(dim=(0, 1))
