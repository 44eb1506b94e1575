"""Moments of the reference for all distances, computed once per reference and stored."""

from dataclasses import dataclass
from pathlib import Path

from ihdm.errors import UserError
from ihdm.metrics.features import Features
from ihdm.metrics.frechet import Gaussian
from ihdm.metrics.kernel import mean_over_pairs
from ihdm.storage.arrays import save_arrays
from ihdm.storage.reading import read_archive


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
