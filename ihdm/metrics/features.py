"""Features of images, stored with the name and weights of their extractor.

The two extractors here are for small images and need no network. Neither is Inception, so no distance measured in them
is an FID.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.storage.arrays import save_arrays
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive

Features = Float[np.ndarray, "_ feature"]

CHUNK_VALUES = 2**22
"""Most numbers in the images that are transformed at a time."""
MAX_COVARIANCE = 4096
"""Most values an image may have for its covariance to be formed."""


@runtime_checkable
class FeatureExtractor(Protocol):
    """A named map from images to vectors, with the hash of its weights."""

    name: str
    sha256: str

    def transform(self, images: StoredImages) -> Features:
        """Return one vector per image."""
        ...


def weights_sha256(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of weights in arrays; without arrays, that of an empty file."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    return digest.hexdigest()


class CosineFeatures:
    """All orthonormal DCT-II coefficients of the image in [0, 1]: a rotation of its pixels.

    Raises:
        UserError: if an image has more than 4096 values, whose covariance would take too long.
    """

    def __init__(self, num_features: int) -> None:
        if num_features > MAX_COVARIANCE:
            raise UserError(
                f"dct has one feature for each of the {num_features} values of an image, and at most {MAX_COVARIANCE} "
                "are possible; use 'pca', 'efficientnet' or 'inception'"
            )
        self.name = f"dct{num_features}"
        self.sha256 = weights_sha256()

    def transform(self, images: StoredImages) -> Features:
        """Return one float64 vector per image."""
        from scipy.fft import dctn  # not needed to merge tables or to plan

        coefficients = dctn(images.astype(np.float64) / 255, axes=(1, 2), norm="ortho")
        return coefficients.reshape(len(images), -1)


MIN_VARIANCE = 1e-12
"""Variance of a component, relative to the largest, below which it is rounding error."""


class PrincipalFeatures:
    """The leading principal components of real images, each scaled to unit variance.

    Scaling lets fine detail, whose variance is small, count as much as the overall color.

    Args:
        mean: mean of the fitted images, flattened, in [0, 1].
        components: the components, each divided by its standard deviation.
    """

    NUM_COMPONENTS = 64
    MAX_LARGE = 2048
    """Larger images are fitted on this many, by a randomized decomposition."""

    def __init__(self, mean: Float[np.ndarray, "values"], components: Float[np.ndarray, "components values"]) -> None:
        self.name = f"pca{len(components)}"
        self.sha256 = weights_sha256(mean, components)
        self.mean = mean
        self.components = components

    @classmethod
    def fit(cls, reference: StoredImages) -> "PrincipalFeatures":
        """Fit the components to real images.

        Raises:
            UserError: if there are too few images, or too few varying values, for 64 components.
        """
        from sklearn.decomposition import PCA

        num_values = reference[0].size
        if min(len(reference), num_values) < cls.NUM_COMPONENTS:
            raise UserError(
                f"pca needs {cls.NUM_COMPONENTS} reference images and as many values in each; there are "
                f"{len(reference)} images of {num_values} values; use 'dct', or more images"
            )
        is_small = num_values <= MAX_COVARIANCE
        pca = PCA(cls.NUM_COMPONENTS, svd_solver="covariance_eigh" if is_small else "randomized", random_state=0)
        pca.fit(_pixels(reference) if is_small else _pixels(reference[: cls.MAX_LARGE], np.float32))
        rank = int((pca.explained_variance_ > MIN_VARIANCE * pca.explained_variance_[0]).sum())
        if rank < cls.NUM_COMPONENTS:
            raise UserError(
                f"pca needs {cls.NUM_COMPONENTS} components that vary, and these images have {rank} (some pixels are "
                "constant); use 'dct', or other images"
            )
        scale = np.sqrt(pca.explained_variance_)[:, None]
        return cls(pca.mean_.astype(np.float64), (pca.components_ / scale).astype(np.float64))

    def transform(self, images: StoredImages) -> Features:
        """Return one float64 vector per image."""
        features: Features = (_pixels(images) - self.mean) @ self.components.T
        return features


def _pixels(images: StoredImages, dtype: type[np.floating] = np.float64) -> Features:
    pixels: Features = images.reshape(len(images), -1).astype(dtype)
    pixels /= 255
    return pixels


def extract(
    extractor: FeatureExtractor, images: StoredImages, report: Callable[[int], None] = lambda _done: None
) -> "StoredFeatures":
    """Return the features of images, which may be memory-mapped, in batches; report the number of finished images."""
    size = max(1, CHUNK_VALUES // images[0].size)
    num_features = extractor.transform(images[:1]).shape[1]
    values = np.empty((len(images), num_features), dtype=np.float32)
    for first in range(0, len(images), size):
        values[first : first + size] = extractor.transform(images[first : first + size])
        report(min(first + size, len(images)))
    return StoredFeatures(values, extractor.name, extractor.sha256)


@dataclass(frozen=True)
class StoredFeatures:
    """The features of a set of images, float32, with the name of their extractor and the SHA-256 of its weights."""

    values: Float[np.ndarray, "image feature"]
    extractor: str
    sha256: str

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice) -> Features:
        return self.values[part].astype(np.float64)

    def save(self, path: Path) -> None:
        """Write the features as .npz."""
        save_arrays(path, values=self.values, extractor=self.extractor, sha256=self.sha256)

    @classmethod
    def read(cls, path: Path) -> "StoredFeatures":
        """Read stored features.

        Raises:
            UserError: if the file has no features.
        """
        stored = read_archive(path, ("values", "extractor", "sha256"))
        values = stored["values"]
        if values.ndim != 2 or values.dtype != np.float32:
            raise UserError(
                f"{path}: holds {values.dtype} of shape {values.shape}, not float32 features, one row an image"
            )
        return cls(values, str(stored["extractor"]), str(stored["sha256"]))


def require_one_extractor(origins: Iterable[tuple[str, tuple[str, str]]]) -> None:
    """Raise an error if extractors differ.

    Args:
        origins: pairs of the name of a file or row, and its extractor with the hash of its weights.

    Raises:
        UserError: if they differ; it names the first two.
    """
    origins = list(origins)
    for name, (extractor, sha256) in origins:
        first, (expected, digest) = origins[0]
        if (extractor, sha256) != (expected, digest):
            if name == first:
                first, name = f"one row of {first}", "another"
            raise UserError(
                f"{first} is of '{expected}' (weights {digest[:12]}…) but {name} of '{extractor}' (weights "
                f"{sha256[:12]}…): only features of one extractor can be compared; extract all of them with the same "
                "extractor"
            )
