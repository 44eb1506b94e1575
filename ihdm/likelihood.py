"""A bound on −log p(u₀) in nats: L_K + Σ_{k=2..K} L_{k−1} + L_0 (paper, equation 9 and appendix A)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.heat import HeatProcess, cosine_basis, decay, heat_process
from ihdm.heldout import HeldOutErrors, dequantise
from ihdm.metrics.estimates import mean_estimate
from ihdm.metrics.monte_carlo import designs, total_error
from ihdm.prior import prior_bandwidth
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor

Nats = TypeVar("Nats", float, Float[np.ndarray, "deltas image"])

NATS_TOLERANCE = 1e-4
"""What leaving out the smallest coefficients may change in one KL divergence, in nats."""
CHUNK_VALUES = 2**24
"""Most numbers of training images at a time, where they are read from disk."""
TARGET_BITS = 0.01
"""The error from noise, in bits per dimension, that the cost of the likelihood is told for."""


def _require_noise(sigma: float, delta: float) -> None:
    if sigma <= 0 or delta <= 0:
        raise ValueError(f"the bound is infinite without noise: sigma is {sigma} and delta {delta}, both must be > 0")


def blurred_coefficients(
    images: Float[Tensor, "batch channel height width"], heat: HeatProcess, level: int, tolerance: float
) -> Float[Tensor, "batch coefficients"]:
    """Return the DCT coefficients of F(t_k) u that survive the blur, in float64.

    The basis is orthonormal, so distances between blurred images are distances between these few numbers. A coefficient
    is left out where the blur scales it below ``tolerance``, in every image alike.
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
    centre = second.mean(dim=0)
    first, second = first - centre, second - centre
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
        train: unblurred training images x_j in [0, 1], the centres of the kernel density estimate, some at a time.
        test: unblurred test images u₀ in [0, 1].
        heat: the forward process; its last level is K.
        sigma: training noise σ > 0.
        deltas: bandwidths δ > 0 of the kernel density estimate.

    Raises:
        ValueError: if a noise level is not positive: the divergence is then infinite.
    """
    for delta in deltas:
        _require_noise(sigma, delta)
    num_dims = test[0].numel()
    # What is left out of ‖difference‖² is at most tolerance² · num_dims for images in [0, 1].
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
    """Turn nats of an image with values in [0, 1] into bits per dimension of its 256 grey levels."""
    return nats / (num_dims * math.log(2)) + 8


def best_deltas(
    squared_errors: Float[np.ndarray, "image levels"], num_dims: int, sigma: float
) -> Float[np.ndarray, "levels"]:
    """Return for each level 1…K the δ that makes its term smallest.

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
    """The bound of each image for each δ in nats, and what it is made of.

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
        terms = [transition_terms(self.squared_errors, self.num_dims, self.sigma, delta) for delta in self.deltas]
        return self.prior + np.stack([part.sum(axis=1) for part in terms])


def bound_images(
    squared_errors: Float[np.ndarray, "image levels"],
    train: StoredImages,
    test: StoredImages,
    settings: LikelihoodSettings,
    ratios: Sequence[float],
) -> Bound:
    """Bound −log p of the test images at several δ; none costs a further evaluation of the network.

    Args:
        squared_errors: held-out errors of the first images of ``test`` at levels 1…K.
        train: the training images, centres of the prior. They are not dequantised, as in training.
        test: the test images, which are.
        settings: process and prior.
        ratios: δ/σ.

    Raises:
        UserError: if there are errors of more images than test images, or of fewer than two.
    """
    if not 2 <= len(squared_errors) <= len(test):
        raise UserError(
            f"likelihood: held-out errors of {len(squared_errors)} images, and {len(test)} test images; 2 or more are "
            "needed, and no more than there are test images: measure the errors on these test images"
        )
    sigma = settings.process.sigma
    heat = heat_process(settings.process, train.shape[1])
    clean = dequantise(test[: len(squared_errors)])
    deltas = tuple(ratio * sigma for ratio in ratios)
    bandwidths = [prior_bandwidth(settings.prior_noise, sigma, delta) for delta in deltas]
    size = max(1, CHUNK_VALUES // train[0].size)
    chunks = (to_tensor(train[first : first + size]) for first in range(0, len(train), size))
    prior = prior_kl_bounds(chunks, clean, heat, sigma, bandwidths).numpy()
    return Bound(prior, squared_errors, test[0].size, sigma, deltas)


def likelihood_rows(
    errors: HeldOutErrors, train: StoredImages, test: StoredImages, settings: LikelihoodSettings
) -> list[dict[str, object]]:
    """Return one row for each δ: the bound in bits per dimension and in nats, and its parts, with standard errors.

    The standard error is that of the mean over test images; the Monte-Carlo error is the part of it that another draw
    of noise would bring with the same images, of the whole in bits per dimension, and of Σ L_{k−1} and L_0 in nats. It
    is NaN if there is one draw. `nats_best_levels` is the bound with the best δ at each level instead.

    Args:
        errors: held-out errors of the first images of ``test``.
        train: the training images, centres of the prior.
        test: the test images.
        settings: process, prior and the ratios δ/σ.

    Raises:
        UserError: if there are errors of more images than test images, or of fewer than two.
    """
    bound = bound_images(errors.means(), train, test, settings, settings.delta_ratios)
    best = best_deltas(bound.squared_errors, bound.num_dims, bound.sigma)
    best_terms = sum(
        transition_terms(bound.squared_errors, bound.num_dims, bound.sigma, delta)[:, level].mean()
        for level, delta in enumerate(best)
    )
    bit = bound.num_dims * math.log(2)
    noise = _noise_errors(errors)
    rows: list[dict[str, object]] = []
    for ratio, delta, prior, nats in zip(settings.delta_ratios, bound.deltas, bound.prior, bound.nats(), strict=True):
        terms = transition_terms(bound.squared_errors, bound.num_dims, bound.sigma, delta)
        parts = {"nats": nats, "prior": prior, "transition": terms[:, 1:].sum(axis=1), "reconstruction": terms[:, 0]}
        estimates = {name: mean_estimate(values) for name, values in parts.items()}
        row: dict[str, object] = {
            "delta_ratio": ratio,
            "n": len(nats),
            "bits_per_dim": bits_per_dim(estimates["nats"].value, bound.num_dims),
            "standard_error": estimates["nats"].standard_error / bit,
            "monte_carlo_error": noise["nats"] / (2 * delta**2) / bit,
        }
        for name, estimate in estimates.items():
            column = name if name == "nats" else f"{name}_nats"
            row |= {column: estimate.value, f"{column}_error": estimate.standard_error}
        for name in ("transition", "reconstruction"):
            row[f"{name}_nats_monte_carlo_error"] = noise[name] / (2 * delta**2)
        rows.append(row | {"nats_best_levels": prior.mean() + best_terms})
    return rows


def _noise_errors(errors: HeldOutErrors) -> dict[str, float]:
    """Return the standard errors that noise leaves in the squared errors of all levels, and of parts of them."""
    if len(errors.network) < 2:
        return dict.fromkeys(("nats", "transition", "reconstruction"), math.nan)
    found = errors.without_noise()
    parts = {"nats": found, "transition": found[..., 1:], "reconstruction": found[..., :1]}
    return {name: total_error(part) for name, part in parts.items()}


def cost_rows(errors: HeldOutErrors, sigma: float, delta_ratio: float) -> list[dict[str, object]]:
    """Return one row for each way to spend evaluations: how many bring the noise's error to 0.01 bits per dimension.

    Args:
        errors: with two draws or more.
        sigma: training noise σ.
        delta_ratio: δ/σ > 0 of the bound; their ratios do not depend on it.
    """
    scale = 1 / (2 * (delta_ratio * sigma) ** 2 * errors.num_dims * math.log(2))
    found = designs(errors.network, errors.without_noise())
    return [
        {
            "delta_ratio": delta_ratio,
            "design": design.name,
            "evaluations": design.variance * (scale / TARGET_BITS) ** 2,
            "times_fewer": found[0].variance / design.variance,
        }
        for design in found
    ]
