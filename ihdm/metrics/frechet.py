"""The Fréchet distance between two sets of features, each taken for a Gaussian (Dowson and Landau, 1982).

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

With Inception features this is the FID; in any other space it is not, and must not be called so.
"""

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.metrics.features import Features


class FrechetDistance:
    """The distance of sets of features from one reference, whose root is taken once.

    A set's covariance is AᵀA of its centred features A, so the roots of the eigenvalues of Σ₁ Σ₂ are the singular
    values of A Σ₂^½, found from the smaller of its two products with itself. Covariances are the unbiased ones.

    Args:
        reference: the reference's features.

    Raises:
        UserError: if there are fewer than two images.
    """

    def __init__(self, reference: Features) -> None:
        _require_two(reference)
        covariance = np.atleast_2d(np.cov(reference, rowvar=False))
        self._mean = reference.mean(axis=0)
        self._root = symmetric_root(covariance)
        self._trace = float(np.trace(covariance))

    def value(self, features: Features) -> float:
        """Return the squared distance d² of a set.

        Raises:
            UserError: if there are fewer than two images.
        """
        _require_two(features)
        mean = features.mean(axis=0)
        scaled = (features - mean) / np.sqrt(len(features) - 1)
        projected = scaled @ self._root
        product = projected @ projected.T if len(projected) < projected.shape[1] else projected.T @ projected
        singular_values = np.sqrt(np.clip(np.linalg.eigvalsh(product), 0, None))
        difference = mean - self._mean
        return float(difference @ difference + np.square(scaled).sum() + self._trace - 2 * singular_values.sum())


def _require_two(features: Features) -> None:
    if len(features) < 2:
        raise UserError(f"Fréchet distance: {len(features)} images have no covariance; at least 2 are needed")


def symmetric_root(matrix: Float[np.ndarray, "feature feature"]) -> Float[np.ndarray, "feature feature"]:
    """Return the root of a positive semidefinite matrix; eigenvalues below zero are rounding errors and become zero."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T
