"""The kernel distance: an unbiased estimate of the squared maximum mean discrepancy (Bińkowski et al., 2018).

With Inception features this is the KID. The kernel is k(x, y) = (x·y / dim + 1)³.
"""

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.metrics.estimates import Estimate, error_parts, group_numbers
from ihdm.metrics.features import Features

BLOCK = 1024
"""Rows of a kernel matrix that exist at a time: memory grows with n, not with n²."""


def kernel_distance(features: Features, reference: Features, reference_mean: float, block: int = BLOCK) -> Estimate:
    """Return the unbiased squared distance with its standard error.

    Given the reference, the estimate is a mean of h(x, y) = k(x, y) − a(x) − a(y) over pairs of images, where a(x) is
    the mean kernel of x with the reference. Such a U-statistic has the variance

        (4 (n − 2) ζ₁ + 2 ζ₂) / (n (n − 1)),    ζ₁ = Var E[h | x],    ζ₂ = Var h

    whose second term matters where the sets are alike (Serfling, 1980, section 5.2).

    Args:
        features: features of the set.
        reference: features of the reference, taken as fixed.
        reference_mean: mean kernel over pairs of the reference, from :func:`mean_over_pairs`.
        block: rows computed at a time; it affects only memory.

    Raises:
        UserError: if there are fewer than three images in the set.
    """
    count = len(features)
    if count < 3:
        raise UserError(f"kernel distance: {count} images are too few; at least 3 are needed")
    firsts = range(0, count, block)
    across = np.concatenate(
        [polynomial_kernel(features[first : first + block], reference).mean(axis=1) for first in firsts]
    )
    groups = group_numbers(count)
    members = np.eye(groups.max() + 1)[groups]
    sums, total_square = np.empty((count, members.shape[1])), 0.0  # of each image with each group
    for first in firsts:
        here = slice(first, first + block)
        pairs = polynomial_kernel(features[here], features) - across[here, None] - across
        pairs[np.arange(len(pairs)), np.arange(first, first + len(pairs))] = 0  # an image with itself
        sums[here] = pairs @ members
        total_square += float(np.square(pairs).sum())
    num_pairs = count * (count - 1)
    between = members.T @ sums
    sums = sums.sum(axis=1)
    mean = sums.sum() / num_pairs
    pair_variance = total_square / num_pairs - mean**2
    # The variance of an image's mean over its pairs includes a part of the variance of the pairs.
    image_variance = max(0.0, (np.var(sums / (count - 1), ddof=1) * (count - 1) - pair_variance) / (count - 2))
    variance = (4 * (count - 2) * image_variance + 2 * pair_variance) / num_pairs
    standard_error = float(np.sqrt(variance))
    kept = count - members.sum(axis=0)
    left_out = (between.sum() - 2 * between.sum(axis=1) + between.diagonal()) / (kept * (kept - 1))
    return Estimate(float(mean + reference_mean), standard_error, parts=error_parts(left_out, standard_error))


def polynomial_kernel(first: Features, second: Features) -> Float[np.ndarray, "first second"]:
    """Return (x·y / dim + 1)³ for every pair of features."""
    inner = first @ second.T
    inner /= first.shape[1]
    inner += 1
    kernel: Float[np.ndarray, "first second"] = inner * inner * inner
    return kernel


def mean_over_pairs(features: Features, block: int = BLOCK) -> float:
    """Return the mean kernel over all pairs of different images, block by block.

    Raises:
        UserError: if there are fewer than two images.
    """
    if len(features) < 2:
        raise UserError(f"kernel distance: {len(features)} images make no pair; at least 2 are needed")
    total = sum(
        polynomial_kernel(features[first : first + block], features).sum() for first in range(0, len(features), block)
    )
    with_itself = ((np.square(features).sum(axis=1) / features.shape[1] + 1) ** 3).sum()
    return float((total - with_itself) / (len(features) * (len(features) - 1)))
