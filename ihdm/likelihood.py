"""A bound on −log p(u₀) in nats: L_K + Σ_{k=2..K} L_{k−1} + L_0 (paper, equation 9 and appendix A)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import HeatProcess, Images, cosine_basis, decay

Nats = TypeVar("Nats", float, Float[np.ndarray, "deltas image"])

NATS_TOLERANCE = 1e-4
"""What leaving out the smallest coefficients may change in one KL divergence, in nats."""


def _require_noise(sigma: float, delta: float) -> None:
    if sigma <= 0 or delta <= 0:
        raise ValueError(f"the bound is infinite without noise: sigma is {sigma} and delta {delta}, both must be > 0")


def blurred_coefficients(
    images: Images, heat: HeatProcess, level: int, tolerance: float
) -> Float[Tensor, "batch coefficients"]:
    """Return the DCT coefficients of F(t_k) u that survive the blur, in float64.

    The basis is orthonormal, so distances between blurred images are distances between these few numbers. A coefficient
    is left out if the blur scales it below ``tolerance``, in all images alike.
    """
    blur_sigmas = heat.blur_sigmas[level : level + 1]
    column_decay, row_decay = decay(heat.height, blur_sigmas)[0], decay(heat.width, blur_sigmas)[0]
    num_rows, num_columns = int((column_decay >= tolerance).sum()), int((row_decay >= tolerance).sum())
    rows = torch.as_tensor((cosine_basis(heat.height) * column_decay[:, None])[:num_rows])
    columns = torch.as_tensor((cosine_basis(heat.width) * row_decay[:, None])[:num_columns])
    # All lines of all images make one matrix: one large product instead of many small ones.
    count, channels, height, width = images.shape
    halfway = (images.double().cpu().reshape(-1, width) @ columns.T).view(count * channels, height, num_columns)
    return (rows @ halfway).view(count, -1)


def squared_distances(
    first: Float[Tensor, "first coefficients"], second: Float[Tensor, "second coefficients"]
) -> Float[Tensor, "first second"]:
    """Return ‖a − b‖² for every pair, with the square expanded around the mean of ``second``.

    In float64, with c coefficients and u = 2⁻⁵³, rounding shifts a value by at most about (c + 4) u (‖a‖ + ‖b‖)², with
    norms taken from the mean: for images of 3×32×32 in [0, 1] less than 1e-10, or 1e-6 nats at δ = 0.0125.
    """
    center = second.mean(dim=0)
    first, second = first - center, second - center
    norms = first.square().sum(1)[:, None] + second.square().sum(1)
    return torch.addmm(norms, first, second.T, alpha=-2).clamp_(min=0)


def prior_kl_bounds(
    train: Iterable[Float[Tensor, "_ channel height width"]],
    test: Float[Tensor, "test channel height width"],
    heat: HeatProcess,
    sigma: float,
    deltas: Sequence[float],
) -> Float[Tensor, "deltas test"]:
    """Return the upper bound of L_K for each bandwidth and test image, in nats (paper, appendix A.3).

        L_K ≤ ln n − logsumexp_j(−KL_j),    KL_j = KL( N(F(t_K) u₀, σ² I) ‖ N(F(t_K) x_j, δ² I) )

    Args:
        train: batches of unblurred training images x_j in [0, 1], the centers of the kernel density estimate.
        test: unblurred test images u₀ in [0, 1].
        heat: the forward process; its last level is K.
        sigma: training noise σ > 0.
        deltas: bandwidths δ > 0 of the kernel density estimate.

    Raises:
        ValueError: if a noise level is not positive, as the divergence is then infinite.
    """
    for delta in deltas:
        _require_noise(sigma, delta)
    num_dims = test[0].numel()
    # The omitted part of ‖difference‖² is at most tolerance² · num_dims for images in [0, 1].
    tolerance = math.sqrt(2 * min(deltas) ** 2 * NATS_TOLERANCE / num_dims)
    test_coefficients = blurred_coefficients(test, heat, heat.num_levels, tolerance)
    log_sums = torch.full((len(deltas), len(test)), -torch.inf, dtype=torch.float64)
    num_train = 0
    for chunk in train:
        num_train += len(chunk)
        distances = squared_distances(test_coefficients, blurred_coefficients(chunk, heat, heat.num_levels, tolerance))
        for row, delta in enumerate(deltas):
            constant = num_dims * ((sigma / delta) ** 2 - 1 + 2 * math.log(delta / sigma)) / 2
            found = torch.logsumexp(distances / (-2 * delta**2), dim=1) - constant
            log_sums[row] = torch.logaddexp(log_sums[row], found)
    return math.log(num_train) - log_sums


def prior_kl_bound(
    train: Float[Tensor, "train channel height width"],
    test: Float[Tensor, "test channel height width"],
    heat: HeatProcess,
    sigma: float,
    delta: float,
) -> Float[Tensor, "test"]:
    """Return the upper bound of L_K of each test image at one bandwidth, in nats; see :func:`prior_kl_bounds`."""
    return prior_kl_bounds([train], test, heat, sigma, [delta])[0]


def transition_terms(
    squared_errors: Float[np.ndarray, "image levels"], num_dims: int, sigma: float, delta: float
) -> Float[np.ndarray, "image levels"]:
    """Return the terms of the transitions k → k−1 for k = 1…K in nats; column 0 is L_0, column k−1 is L_{k−1}.

        L_{k−1} = ½ [ (σ²/δ²) N − N + E‖μ(u_k, k) − F(t_{k−1}) u₀‖² / δ² + 2 N ln(δ/σ) ]
        L_0     = E‖μ(u_1, 1) − u₀‖² / (2 δ²) + N ln(δ √(2π))

    Args:
        squared_errors: ‖μ(u_k, k) − F(t_{k−1}) u₀‖² of each image at levels 1…K. They do not depend on δ, so one
            evaluation of the network serves every δ.
        num_dims: N, the number of channels times pixels.
        sigma: training noise σ > 0.
        delta: sampling noise δ > 0.

    Raises:
        ValueError: if a noise level is not positive.
    """
    _require_noise(sigma, delta)
    terms = squared_errors / (2 * delta**2)
    terms[:, 0] += num_dims * math.log(delta * math.sqrt(2 * math.pi))
    terms[:, 1:] += num_dims * ((sigma / delta) ** 2 - 1 + 2 * math.log(delta / sigma)) / 2
    return terms


def bits_per_dim(nats: Nats, num_dims: int) -> Nats:
    """Convert nats of an image with values in [0, 1] to bits per dimension of its 256 gray levels."""
    return nats / (num_dims * math.log(2)) + 8


def best_deltas(
    squared_errors: Float[np.ndarray, "image levels"], num_dims: int, sigma: float
) -> Float[np.ndarray, "levels"]:
    """Return for each level 1…K the δ that minimizes its term.

    The term of k ≥ 2 is smallest at δ² = σ² + E‖error‖² / N; that of k = 1, a density, at δ² = E‖error‖² / N.

    Args:
        squared_errors: of each image at levels 1…K.
        num_dims: N, the number of channels times pixels.
        sigma: training noise σ.
    """
    variances = squared_errors.mean(axis=0) / num_dims
    variances[1:] += sigma**2
    return np.sqrt(variances)


@dataclass(frozen=True)
class Bound:
    """The bound of each image for each δ in nats, and its parts.

    Attributes:
        prior: L_K for each δ and image.
        squared_errors: of each image at levels 1…K; they serve every δ.
        num_dims: N, the number of channels times pixels.
        sigma: training noise σ.
        deltas: sampling noise δ of each row of ``prior``.
    """

    prior: Float[np.ndarray, "deltas image"]
    squared_errors: Float[np.ndarray, "image levels"]
    num_dims: int
    sigma: float
    deltas: tuple[float, ...]

    def nats(self) -> Float[np.ndarray, "deltas image"]:
        """Return the bound of each image for each δ."""
        return self.prior + np.stack([self.terms(delta).sum(axis=1) for delta in self.deltas])

    def terms(self, delta: float) -> Float[np.ndarray, "image levels"]:
        """Return the terms of the transitions at one δ; see :func:`transition_terms`."""
        return transition_terms(self.squared_errors, self.num_dims, self.sigma, delta)
