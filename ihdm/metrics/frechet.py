"""The Fréchet distance between two sets of features, each taken for a Gaussian (Dowson and Landau, 1982).

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

With Inception features this is the FID; in any other space it is not, and must not be called so.
"""

import numpy as np
from jaxtyping import Float

from ihdm.metrics.features import Features

Moments = tuple[Float[np.ndarray, "feature"], Float[np.ndarray, "feature feature"]]


def moments(features: Features) -> Moments:
    """Return mean and unbiased covariance of a set of features.

    Raises:
        ValueError: if there are fewer than two images.
    """
    if len(features) < 2:
        raise ValueError(f"{len(features)} images have no covariance; at least 2 are needed")
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


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
