"""The Fréchet distance between two sets of features, each taken for a Gaussian (Dowson and Landau, 1982).

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

With Inception features this is the FID; in any other space it is not, and must not be called so.
"""

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.metrics.features import Features

Moments = tuple[Float[np.ndarray, "feature"], Float[np.ndarray, "feature feature"]]


def moments(features: Features) -> Moments:
    """Return mean and unbiased covariance of a set of features.

    Raises:
        UserError: if there are fewer than two images.
    """
    _require_two(features)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _require_two(features: Features) -> None:
    if len(features) < 2:
        raise UserError(f"Fréchet distance: {len(features)} images have no covariance; at least 2 are needed")


class FrechetDistance:
    """The distance of sets of features from one reference, whose root is taken once.

    A set's covariance is AᵀA of its centred features A, so the roots of the eigenvalues of Σ₁ Σ₂ are the singular
    values of A Σ₂^½, found from the smaller of its two products with itself.

    Args:
        reference: the reference's features.
    """

    def __init__(self, reference: Features) -> None:
        self._mean, covariance = moments(reference)
        self._root = symmetric_root(covariance)
        self._trace = float(np.trace(covariance))

    def value(self, features: Features, weights: Float[np.ndarray, "image"] | None = None) -> float:
        """Return the squared distance.

        Args:
            features: of at least two images.
            weights: how often each image counts; by default once.

        Raises:
            UserError: if there are fewer than two images.
        """
        _require_two(features)
        if weights is not None:
            features, weights = features[weights > 0], weights[weights > 0]
        else:
            weights = np.ones(len(features))
        total = weights.sum()
        mean = weights @ features / total
        scaled = (features - mean) * np.sqrt(weights / (total - 1))[:, None]
        projected = scaled @ self._root
        product = projected @ projected.T if len(projected) < projected.shape[1] else projected.T @ projected
        singular_values = np.sqrt(np.clip(np.linalg.eigvalsh(product), 0, None))
        difference = mean - self._mean
        return float(difference @ difference + np.square(scaled).sum() + self._trace - 2 * singular_values.sum())


def symmetric_root(matrix: Float[np.ndarray, "feature feature"]) -> Float[np.ndarray, "feature feature"]:
    """Return the root of a positive semidefinite matrix; eigenvalues below zero are rounding errors and become zero."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return the squared distance d² between two Gaussians given by their moments.

    The trace of (Σ₁ Σ₂)^½ is the sum of roots of the eigenvalues of Σ₁^½ Σ₂ Σ₁^½, which is symmetric, so no general
    matrix root is needed and nothing turns complex.
    """
    (mean_1, covariance_1), (mean_2, covariance_2) = first, second
    root = symmetric_root(covariance_1)
    eigenvalues = np.linalg.eigvalsh(root @ covariance_2 @ root)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    difference = mean_1 - mean_2
    return float(difference @ difference + np.trace(covariance_1) + np.trace(covariance_2) - 2 * trace_of_root)
