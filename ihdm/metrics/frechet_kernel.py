"""Fréchet and kernel distance of a set of features from a reference, whose moments are computed once and stored.

The Fréchet distance between Gaussians fitted to both sets (Dowson and Landau, 1982) is

    d² = ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½)

The kernel distance is an unbiased estimate of the squared maximum mean discrepancy with the kernel
k(x, y) = (x·y / dim + 1)³ (Bińkowski et al., 2018). With Inception features they are FID and KID; in other
features they must not be called so.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.metrics.estimates import Estimate, error_parts, group_numbers
from ihdm.metrics.features import Features
from ihdm.storage.arrays import save_arrays
from ihdm.storage.reading import read_archive

BLOCK = 1024
"""Rows of a kernel matrix that exist at a time: memory grows with n, not with n²."""


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
        # The root of the covariance; eigenvalues below zero are rounding errors.
        eigenvalues, vectors = np.linalg.eigh(np.atleast_2d(np.cov(features, rowvar=False)))
        return cls(features.mean(axis=0), (vectors * np.sqrt(np.clip(eigenvalues, 0, None))) @ vectors.T)


class FrechetDistance:
    """The distances of a set of features, and of parts of it, from a reference.

    A part's covariance is AᵀA of its centered features A, so the roots of the eigenvalues of Σ₁ Σ₂ are the singular
    values of A Σ₂^½, found from the smaller of its two products with itself. The whole set is taken from the
    reference's mean and multiplied by its root once, so that a part is centered and no more. Covariances are unbiased.
    """

    def __init__(self, features: Features, reference: Gaussian) -> None:
        self._differences = features - reference.mean
        self._squares = np.square(self._differences).sum(axis=1)
        self._projected = self._differences @ reference.root
        self._reference_trace = float(np.square(reference.root).sum())

    def value(self, part: Int[np.ndarray, "part"]) -> float:
        """Return the squared distance d² ≥ 0 of the images of the set with these numbers.

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


@dataclass(frozen=True)
class Moments:
    """The Gaussian of a reference's features, and the mean kernel over all pairs of different images."""

    gaussian: Gaussian
    mean_kernel: float

    @classmethod
    def of(cls, features: Features) -> "Moments":
        """Return the moments of features; the kernel of n images needs n² products.

        Raises:
            UserError: if there are fewer than two images.
        """
        return cls(Gaussian.of(features), mean_over_pairs(features))

    def save(self, path: Path, features_sha256: str) -> None:
        """Write the moments as .npz, with the SHA-256 of their file of features."""
        save_arrays(
            path,
            mean=self.gaussian.mean,
            root=self.gaussian.root,
            mean_kernel=self.mean_kernel,
            features_sha256=features_sha256,
        )

    @classmethod
    def read(cls, path: Path, features_sha256: str) -> "Moments":
        """Read stored moments.

        Raises:
            UserError: if the file has no moments, or those of other features.
        """
        stored = read_archive(path, ("mean", "root", "mean_kernel", "features_sha256"))
        if (found := str(stored["features_sha256"])) != features_sha256:
            raise UserError(
                f"{path}: holds the moments of features with SHA-256 {found[:12]}…, but the reference has "
                f"{features_sha256[:12]}…; run `metrics moments` on the reference"
            )
        mean, root, kernel = (stored[name] for name in ("mean", "root", "mean_kernel"))
        if mean.ndim != 1 or root.shape != 2 * mean.shape or kernel.ndim != 0:
            raise UserError(
                f"{path}: its mean and root are of shapes {mean.shape} and {root.shape}, which do not belong together; "
                "run `metrics moments` on the reference"
            )
        return cls(Gaussian(mean, root), float(kernel))
