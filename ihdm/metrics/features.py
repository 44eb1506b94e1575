"""Feature spaces for small images. None of them is Inception, so no distance measured in them is an FID."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.fft import dctn

from ihdm.images import StoredImages

Features = Float[np.ndarray, "_ feature"]


@runtime_checkable
class FeatureSpace(Protocol):
    """A named map from images to vectors."""

    name: str

    def transform(self, images: StoredImages) -> Features:
        """Return one float64 vector an image."""
        ...


class CosineFeatures:
    """All orthonormal DCT-II coefficients of the image in [0, 1]: a rotation of its pixels."""

    def __init__(self, train: StoredImages) -> None:
        self.name = f"dct{train[0].size}"

    def transform(self, images: StoredImages) -> Features:
        """Return one float64 vector an image."""
        coefficients = dctn(images.astype(np.float64) / 255, axes=(1, 2), norm="ortho")
        return coefficients.reshape(len(images), -1)


class PrincipalFeatures:
    """The leading principal components of real training images, each scaled to unit variance.

    Scaling lets fine detail, whose variance is small, count as much as the overall colour.
    """

    NUM_COMPONENTS = 64

    def __init__(self, train: StoredImages) -> None:
        from sklearn.decomposition import PCA

        self.name = f"pca{self.NUM_COMPONENTS}"
        self._pca = PCA(self.NUM_COMPONENTS, whiten=True, svd_solver="covariance_eigh")
        self._pca.fit(self._pixels(train))

    @staticmethod
    def _pixels(images: StoredImages) -> Features:
        return images.reshape(len(images), -1).astype(np.float64) / 255

    def transform(self, images: StoredImages) -> Features:
        """Return one float64 vector an image."""
        features: Features = self._pca.transform(self._pixels(images))
        return features


FEATURE_SPACES: dict[str, type[CosineFeatures] | type[PrincipalFeatures]] = {
    "dct": CosineFeatures,
    "pca": PrincipalFeatures,
}
