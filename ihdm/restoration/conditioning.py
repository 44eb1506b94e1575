"""Conditioning of a Gaussian prior of an image on a linear measurement, used by every solver.

If u₀ ~ N(m, C) and y = A u₀ + n with n ~ N(0, σ_y² I), the posterior mean is

    m + C Aᵀ (A C Aᵀ + σ_y² I)⁻¹ (y − A m)

C is diagonal in the cosine basis, the same for all channels. A posterior sample is a prior sample corrected by y plus
fresh noise (Matheron's rule), so that the posterior covariance is never formed.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import Images, cosine_basis
from ihdm.restoration.problems import Measured, Measurement

MEMORY = 2e9
"""Most bytes for the cached matrices of all levels."""


class Conditioner:
    """Conditions images with prior N(m, V diag(S) Vᵀ) on a measurement.

    Args:
        measurement: A and σ_y.
        variances: S of each cosine mode, ≥ 0.
        in_modes: A in the cosine basis, if already computed.
    """

    def __init__(
        self,
        measurement: Measurement,
        variances: Float[Tensor, "size size"],
        in_modes: Float[Tensor, "value mode"] | None = None,
    ) -> None:
        self.measurement = measurement
        basis = torch.as_tensor(cosine_basis(measurement.image_size), dtype=torch.float64)
        in_modes = modes_of(measurement) if in_modes is None else in_modes
        # A C Aᵀ and C Aᵀ come from this, the latter back on pixels.
        scaled = in_modes * variances.double().flatten()
        covariance = scaled @ in_modes.T
        covariance.diagonal().add_(measurement.noise**2)
        self._factor = torch.linalg.cholesky(covariance)
        self._gain = (basis.T @ scaled.unflatten(1, (measurement.image_size,) * 2) @ basis).flatten(1)

    def correct(self, images: Images, measured: Measured) -> Images:
        """Return the posterior mean for prior means ``images``."""
        misfit = measured - self.measurement.apply(images)
        rows = misfit.flatten(0, 1)
        weights = torch.cholesky_solve(rows.T, self._factor).T
        moved = (weights @ self._gain).unflatten(0, misfit.shape[:2])
        return images + moved.view_as(images).to(images.dtype)


def modes_of(measurement: Measurement) -> Float[Tensor, "value mode"]:
    """Return A in the cosine basis."""
    basis = torch.as_tensor(cosine_basis(measurement.image_size), dtype=torch.float64)
    return (basis @ measurement.matrix.unflatten(1, (measurement.image_size,) * 2) @ basis.T).flatten(1)


class Conditioners:
    """The conditioner of each level, cached if all of them fit into ``MEMORY``.

    Args:
        measurement: A and σ_y.
        variances: S of each cosine mode, by level.
    """

    def __init__(self, measurement: Measurement, variances: dict[int, Float[Tensor, "size size"]]) -> None:
        self.measurement = measurement
        self._variances = variances
        self._in_modes = modes_of(measurement)
        values, pixels = measurement.matrix.shape
        self._is_kept = 8 * values * (values + pixels) * len(variances) < MEMORY
        self._kept: dict[int, Conditioner] = {}

    def __getitem__(self, level: int) -> Conditioner:
        if level in self._kept:
            return self._kept[level]
        found = Conditioner(self.measurement, self._variances[level], self._in_modes)
        if self._is_kept:
            self._kept[level] = found
        return found


def prior_moments(
    train: Float[Tensor, "image channel height width"],
) -> tuple[Float[Tensor, "channel height width"], Float[Tensor, "height width"]]:
    """Return mean image and variance of each cosine mode, over images and channels, of training images in [0, 1]."""
    basis = torch.as_tensor(cosine_basis(train.shape[-1]), dtype=torch.float64)
    mean = train.double().mean(dim=0)
    coefficients = basis @ (train.double() - mean) @ basis.T
    return mean, coefficients.square().mean(dim=(0, 1))
