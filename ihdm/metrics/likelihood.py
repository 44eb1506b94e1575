"""Tables of the likelihood bound of test images, from held-out errors and a prior; see :mod:`ihdm.likelihood`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.heat import heat_process
from ihdm.likelihood import Bound, best_deltas, bits_per_dim, prior_kl_bounds
from ihdm.metrics.estimates import Photographs, mean_estimate
from ihdm.metrics.heldout import HeldOutErrors, dequantize
from ihdm.metrics.monte_carlo import designs, total_error
from ihdm.prior import prior_bandwidth
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import first_images, require_one_shape
from ihdm.storage.tensors import to_tensor

CHUNK_VALUES = 2**24
"""Most numbers of training images at a time, where they are read from disk."""
TARGET_BITS = 0.01
"""Target error due to noise, in bits per dimension, for the cost of the likelihood."""


def fitting_images(
    errors: HeldOutErrors, train: Path, test: Path, num_train: int | None
) -> tuple[StoredImages, StoredImages]:
    """Return the training images of the prior, the first ``num_train`` or all, and the test images of the errors.

    Raises:
        UserError: if there are too few, or their sizes differ.
    """
    centers, images = first_images(train, num_train), first_images(test, errors.network.shape[1])
    require_one_shape({str(train): centers, str(test): images})
    if images[0].size != errors.num_dims:
        raise UserError(
            f"{test}: the errors are of images of {errors.num_dims} values, but these have {images[0].size}"
        )
    return centers, images


def bound_images(
    errors: HeldOutErrors,
    train: StoredImages,
    test: StoredImages,
    settings: LikelihoodSettings,
    ratios: Sequence[float],
) -> Bound:
    """Bound −log p of the test images at several δ, without further evaluations of the network.

    Args:
        errors: held-out errors of the first images of ``test``, at every level 1…K.
        train: the training images, the centers of the prior. As in training, they are not dequantized.
        test: the test images, which are dequantized.
        settings: process and prior.
        ratios: δ/σ.

    Raises:
        UserError: if a level is missing, because a sum over some levels is no bound; if there are errors of more
            images than test images, or of fewer than two.
    """
    num_levels = settings.process.num_levels
    if not np.array_equal(errors.levels, np.arange(1, num_levels + 1)):
        raise UserError(
            f"likelihood: the held-out errors cover {len(errors.levels)} of {num_levels} levels, but the paper's bound "
            "is a sum over all of them: measure the errors at every level"
        )
    squared_errors = errors.means()
    if not 2 <= len(squared_errors) <= len(test):
        raise UserError(
            f"likelihood: held-out errors of {len(squared_errors)} images, and {len(test)} test images; 2 or more are "
            "needed, and no more than there are test images: measure the errors on these test images"
        )
    sigma = settings.process.sigma
    heat = heat_process(settings.process, train.shape[1])
    clean = dequantize(test[: len(squared_errors)])
    deltas = tuple(ratio * sigma for ratio in ratios)
    bandwidths = [prior_bandwidth(settings.prior_noise, sigma, delta) for delta in deltas]
    prior = prior_kl_bounds(in_chunks(train), clean, heat, sigma, bandwidths).numpy()
    return Bound(prior, squared_errors, test[0].size, sigma, deltas)


def in_chunks(train: StoredImages, device: torch.device | str = "cpu") -> Iterator[Tensor]:
    """Yield training images as tensors in [0, 1], in chunks of a limited size."""
    size = max(1, CHUNK_VALUES // train[0].size)
    return (to_tensor(train[first : first + size], device) for first in range(0, len(train), size))


def likelihood_rows(
    errors: HeldOutErrors, train: StoredImages, test: StoredImages, settings: LikelihoodSettings
) -> list[dict[str, object]]:
    """Return one row for each δ: the bound in bits per dimension and in nats, and its parts, with standard errors.

    The standard error is that of the mean over test images, or over photographs if they are squares of them. The Monte
    Carlo error is the part of it due to the draw of noise, for the whole bound in bits per dimension, and for Σ L_{k−1}
    and L_0 in nats. It is NaN if there is one draw. `nats_best_levels` is the bound with the best δ at each level
    instead.

    Args:
        errors: held-out errors of the first images of ``test``.
        train: the training images, centers of the prior.
        test: the test images.
        settings: process, prior and the ratios δ/σ.

    Raises:
        UserError: if there are errors of more images than test images, or of fewer than two.
    """
    bound = bound_images(errors, train, test, settings, settings.delta_ratios)
    best = best_deltas(bound.squared_errors, bound.num_dims, bound.sigma)
    best_terms = sum(bound.terms(delta)[:, level].mean() for level, delta in enumerate(best))
    noise = _noise_errors(errors)
    rows: list[dict[str, object]] = []
    for ratio, delta, prior, nats in zip(settings.delta_ratios, bound.deltas, bound.prior, bound.nats(), strict=True):
        terms = bound.terms(delta)
        parts = {"nats": nats, "prior": prior, "transition": terms[:, 1:].sum(axis=1), "reconstruction": terms[:, 0]}
        here = {name: error / (2 * delta**2) for name, error in noise.items()}
        row = bound_row("independent", "one", ratio, parts, bound.num_dims, errors.photographs, here)
        rows.append(row | {"nats_best_levels": prior.mean() + best_terms})
    return rows


def bound_row(
    joint: str,
    variance: str,
    ratio: float,
    parts: Mapping[str, Float[np.ndarray, "image"]],
    num_dims: int,
    photographs: Photographs | None,
    noise: Mapping[str, float] | None = None,
) -> dict[str, object]:
    """Return a row of the table.

    Args:
        joint: its name.
        variance: name of its variances.
        ratio: δ/σ; NaN for none.
        parts: of each image in nats, the whole first: ``nats``, ``prior``, ``transition``, ``reconstruction``.
        num_dims: N, the number of channels times pixels.
        photographs: the photograph of each image; None if images are independent.
        noise: standard errors due to noise of the whole, the transitions and the reconstruction, if measured.
    """
    bit = num_dims * math.log(2)
    estimates = {name: mean_estimate(values, photographs=photographs) for name, values in parts.items()}
    row: dict[str, object] = {
        "joint": joint,
        "variance": variance,
        "delta_ratio": ratio,
        "n": len(parts["nats"]),
        "bits_per_dim": bits_per_dim(estimates["nats"].value, num_dims),
        "standard_error": estimates["nats"].standard_error / bit,
        **estimates["nats"].times(1 / bit).error_columns(),
    }
    if noise:
        row["monte_carlo_error"] = noise["nats"] / bit
    for name, estimate in estimates.items():
        column = name if name == "nats" else f"{name}_nats"
        row |= {column: estimate.value, f"{column}_error": estimate.standard_error}
    if noise:
        row |= {f"{name}_nats_monte_carlo_error": noise[name] for name in ("transition", "reconstruction")}
    return row


def _noise_errors(errors: HeldOutErrors) -> dict[str, float]:
    """Return the standard errors due to noise, for the squared errors of all levels and of parts of them."""
    if len(errors.network) < 2:
        return dict.fromkeys(("nats", "transition", "reconstruction"), math.nan)
    found = errors.without_noise()
    parts = {"nats": found, "transition": found[..., 1:], "reconstruction": found[..., :1]}
    return {name: total_error(part) for name, part in parts.items()}


def cost_rows(errors: HeldOutErrors, sigma: float, delta_ratio: float) -> list[dict[str, object]]:
    """Return one row per estimator: the NFE that reduces the error due to noise to 0.01 bits per dimension.

    Args:
        errors: held-out errors with two or more draws.
        sigma: training noise σ.
        delta_ratio: δ/σ > 0 of the bound; the ratios between estimators do not depend on it.
    """
    scale = 1 / (2 * (delta_ratio * sigma) ** 2 * errors.num_dims * math.log(2))
    found = designs(errors.network, errors.without_noise())
    first = next(iter(found.values()))
    return [
        {
            "delta_ratio": delta_ratio,
            "design": design,
            "evaluations": variance * (scale / TARGET_BITS) ** 2,
            "times_fewer": first / variance,
        }
        for design, variance in found.items()
    ]
