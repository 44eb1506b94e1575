"""The kernel distance: an unbiased estimate of the squared maximum mean discrepancy (Bińkowski et al., 2018).

With Inception features this is the KID. The kernel is k(x, y) = (x·y / dim + 1)³.
"""

import numpy as np
from jaxtyping import Float

from ihdm.metrics.features import Features

Weights = Float[np.ndarray, "image"]


class KernelDistance:
    """The kernel distance of one set of images from a reference, and of its resamples.

    Args:
        features: the set's features, two images or more.
        reference: the reference's features, two images or more.
    """

    def __init__(self, features: Features, reference: Features) -> None:
        if min(len(features), len(reference)) < 2:
            raise ValueError(f"{len(features)} against {len(reference)} images; at least 2 are needed on each side")
        self._within = polynomial_kernel(features, features)
        self._across = np.mean(polynomial_kernel(features, reference), axis=1)
        self._reference = mean_over_pairs(reference)

    def value(self, weights: Weights | None = None) -> float:
        """Return the unbiased squared distance.

        Args:
            weights: how often each image of the set counts, for the bootstrap; by default once. Pairs of an image
                with its own copy are left out, as pairs of an image with itself are.
        """
        if weights is None:
            weights = np.ones(len(self._within))
        total = weights.sum()
        pairs = weights @ self._within @ weights - (weights**2) @ np.diag(self._within)
        num_pairs = total**2 - (weights**2).sum()
        return float(pairs / num_pairs + self._reference - 2 * (weights @ self._across) / total)


def polynomial_kernel(first: Features, second: Features) -> Float[np.ndarray, "first second"]:
    """Return (x·y / dim + 1)³ for every pair of features."""
    kernel: Float[np.ndarray, "first second"] = (first @ second.T / first.shape[1] + 1) ** 3
    return kernel


def mean_over_pairs(features: Features, block: int = 1024) -> float:
    """Return the mean kernel over all pairs of different images, block by block: memory grows with n, not with n²."""
    total = sum(
        polynomial_kernel(features[first : first + block], features).sum() for first in range(0, len(features), block)
    )
    with_itself = ((np.square(features).sum(axis=1) / features.shape[1] + 1) ** 3).sum()
    return float((total - with_itself) / (len(features) * (len(features) - 1)))
