"""Mean and power per DCT mode of training images, for the prediction :mod:`ihdm.predictions.whitened`."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ihdm.heat import cosine_basis, eigenvalues
from ihdm.storage.images import StoredImages

MOST_IMAGES = 10_000
"""Training images that statistics are computed from, at most: the first."""
WIDTH, NUM_RINGS = 0.7, 20
"""Width of the Gaussian that smooths the power over radial frequency, and rings that are binned, per π / height."""
LEAST_POWER = 1e-12


@dataclass(frozen=True)
class Statistics:
    """Mean and power of images in [0, 1].

    Attributes:
        mean: mean of each pixel.
        power: variance of each DCT mode, all channels together, smoothed over modes of similar radial frequency.
    """

    mean: Float[np.ndarray, "channel height width"]
    power: Float[np.ndarray, "height width"]

    @classmethod
    def of(cls, images: StoredImages) -> "Statistics":
        """Return the statistics of training images."""
        pixels = np.asarray(images[:MOST_IMAGES], dtype=np.float64).transpose(0, 3, 1, 2) / 255
        mean = pixels.mean(axis=0)
        columns, rows = (cosine_basis(size) for size in pixels.shape[2:])
        power = np.square(columns @ (pixels - mean) @ rows.T).mean(axis=(0, 1))
        return cls(mean.astype(np.float32), smoothed(power).astype(np.float32))


def smoothed(power: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return the power with its logarithm averaged over modes of similar radial frequency."""
    frequencies = np.sqrt(eigenvalues(*power.shape)) * len(power) / np.pi
    rings = np.rint(frequencies * NUM_RINGS).astype(int).ravel()
    logs, counts = (np.bincount(rings, part) for part in (np.log(np.maximum(power, LEAST_POWER)).ravel(), None))
    centers = np.arange(len(counts)) / NUM_RINGS
    weights = np.exp(-np.square((centers[:, None] - centers) / WIDTH) / 2)
    return np.exp(((weights @ logs) / (weights @ counts))[rings]).reshape(power.shape)
