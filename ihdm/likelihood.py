"""A bound on −log p(u₀) in nats: L_K + Σ_{k=2..K} L_{k−1} + L_0 (paper, equation 9 and appendix A)."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import HeatProcess, cosine_basis, decay, heat_process
from ihdm.heldout import dequantise
from ihdm.images import StoredImages
from ihdm.metrics.bootstrap import mean_estimate
from ihdm.prior import prior_bandwidth
from ihdm.settings import LikelihoodSettings
from ihdm.tensors import to_tensor

NATS_TOLERANCE = 1e-4
"""What leaving out the smallest coefficients may change in one KL divergence, in nats."""


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
    return (rows @ images.double().cpu() @ columns.T).flatten(1)


def prior_kl_bound(
    train: Float[Tensor, "train channel height width"],
    test: Float[Tensor, "test channel height width"],
    heat: HeatProcess,
    sigma: float,
    delta: float,
) -> Float[Tensor, "test"]:
    """Return the upper bound of L_K for each test image, in nats (paper, appendix A.3).

        L_K ≤ ln n − logsumexp_j(−KL_j),    KL_j = KL( N(F(t_K) u₀, σ² I) ‖ N(F(t_K) x_j, δ² I) )

    Args:
        train: unblurred training images x_j in [0, 1], the centres of the kernel density estimate.
        test: unblurred test images u₀ in [0, 1].
        heat: the forward process; its last level is K.
        sigma: training noise σ > 0.
        delta: bandwidth δ > 0 of the kernel density estimate.

    Raises:
        ValueError: if a noise level is not positive: the divergence is then infinite.
    """
    _require_noise(sigma, delta)
    num_dims = test[0].numel()
    # What is left out of ‖difference‖² is at most tolerance² · num_dims for images in [0, 1].
    tolerance = math.sqrt(2 * delta**2 * NATS_TOLERANCE / num_dims)
    test_coefficients = blurred_coefficients(test, heat, heat.num_levels, tolerance)
    log_sum = torch.full((len(test),), -torch.inf, dtype=torch.float64)
    constant = num_dims * ((sigma / delta) ** 2 - 1 + 2 * math.log(delta / sigma)) / 2
    for chunk in train.split(4096):
        train_coefficients = blurred_coefficients(chunk, heat, heat.num_levels, tolerance)
        # The differences are formed explicitly: expanding the square would cancel the digits that matter.
        distances = torch.cdist(test_coefficients, train_coefficients, compute_mode="donot_use_mm_for_euclid_dist")
        log_sum = torch.logaddexp(log_sum, torch.logsumexp(-(constant + distances.square() / (2 * delta**2)), dim=1))
    return math.log(len(train)) - log_sum


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


def bits_per_dim(nats: float, num_dims: int) -> float:
    """Turn nats of an image with values in [0, 1] into bits per dimension of its 256 grey levels."""
    return nats / (num_dims * math.log(2)) + 8


def likelihood_rows(
    squared_errors: Float[np.ndarray, "image levels"],
    train: StoredImages,
    test: StoredImages,
    settings: LikelihoodSettings,
) -> list[dict[str, object]]:
    """Return one row for each δ: the bound in bits per dimension with its standard error, in nats, and its parts.

    Args:
        squared_errors: held-out errors of the first images of ``test`` at levels 1…K.
        train: the training images, centres of the prior. They are not dequantised, as in training.
        test: the test images, which are.
        settings: process, prior and the ratios δ/σ.
    """
    sigma = settings.process.sigma
    heat = heat_process(settings.process, train.shape[1])
    clean, centres = dequantise(test[: len(squared_errors)], settings.seed), to_tensor(train)
    num_dims = test[0].size
    rows: list[dict[str, object]] = []
    for ratio in settings.delta_ratios:
        delta = ratio * sigma
        bandwidth = prior_bandwidth(settings.prior_noise, sigma, delta)
        prior = prior_kl_bound(centres, clean, heat, sigma, bandwidth).numpy()
        terms = transition_terms(squared_errors, num_dims, sigma, delta)
        bound = mean_estimate(prior + terms.sum(axis=1))
        rows.append(
            {
                "delta_ratio": ratio,
                "n": len(prior),
                "bits_per_dim": bits_per_dim(bound.value, num_dims),
                "standard_error": bound.standard_error / (num_dims * math.log(2)),
                "nats": bound.value,
                "prior_nats": prior.mean(),
                "transition_nats": terms[:, 1:].sum(axis=1).mean(),
                "reconstruction_nats": terms[:, 0].mean(),
            }
        )
    return rows
