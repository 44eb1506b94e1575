"""The Fréchet distance between Gaussians fitted to two sets of features (Dowson and Landau, 1982).

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

With Inception features it is the FID; in other features it must not be called so.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.metrics.features import Features


@dataclass(frozen=True)
class Gaussian:
    """The Gaussian of a reference: mean μ₂, and the root Σ₂^½ of the unbiased covariance."""

    mean: Float[np.ndarray, "feature"]
    root: Float[np.ndarray, "feature feature"]

    @classmethod
    def of(cls, features: Features) -> "Gaussian":
        """Return the Gaussian with mean and covariance of features.

        Raises:
            UserError: if there are fewer than two images.
        """
        _require_two(len(features))
        return cls(features.mean(axis=0), symmetric_root(np.atleast_2d(np.cov(features, rowvar=False))))


class FrechetDistance:
    """The distances of a set of features, and of parts of it, from a reference.

    A part's covariance is AᵀA of its centered features A, so the roots of the eigenvalues of Σ₁ Σ₂ are the singular
    values of A Σ₂^½, found from the smaller of its two products with itself. The whole set is taken from the
    reference's mean and multiplied by its root once, so that a part is centered and no more. Covariances are unbiased.

    Args:
        features: features of the set.
        reference: the reference.
    """

    def __init__(self, features: Features, reference: Gaussian) -> None:
        self._differences = features - reference.mean
        self._squares = np.square(self._differences).sum(axis=1)
        self._projected = self._differences @ reference.root
        self._reference_trace = float(np.square(reference.root).sum())

    def value(self, part: Int[np.ndarray, "part"]) -> float:
        """Return the squared distance d² ≥ 0 of some images of the set.

        Args:
            part: numbers of these images.

        Raises:
            UserError: if there are fewer than two images.
        """
        count = len(part)
        _require_two(count)
        projected = self._projected[part]
        centered = projected - projected.mean(axis=0)
        product = centered @ centered.T if count < centered.shape[1] else centered.T @ centered
        singular_values = np.sqrt(np.clip(np.linalg.eigvalsh(product / (count - 1)), 0, None))
        between = float(np.square(self._differences[part].mean(axis=0)).sum())
        trace = float(self._squares[part].sum() - count * between) / (count - 1)
        # Between sets that are alike, rounding alone could bring it below zero.
        return max(0.0, between + trace + self._reference_trace - 2 * float(singular_values.sum()))


def _require_two(count: int) -> None:
    if count < 2:
        raise UserError(f"Fréchet distance: {count} images have no covariance; at least 2 are needed")


def symmetric_root(matrix: Float[np.ndarray, "feature feature"]) -> Float[np.ndarray, "feature feature"]:
    """Return the root of a positive semidefinite matrix; eigenvalues below zero are rounding errors and become zero."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T
