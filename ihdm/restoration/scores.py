"""How good restored pictures are: how near the truth, and as unsure as they should be. Arrays alone."""

import numpy as np
from jaxtyping import Float

Pictures = Float[np.ndarray, "image height width channel"]

LARGEST_WINDOW = 7
"""Side of SSIM's window in pixels; on smaller pictures it is the largest odd number that fits."""


def psnr(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the peak signal-to-noise ratio of each picture in dB, −10 log₁₀ of the mean squared error in [0, 1]."""
    error = np.square(found.astype(np.float64) - truth).mean(axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(error, 1e-12))


def ssim(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the structural similarity of each picture (Wang et al., 2004), by scikit-image."""
    from skimage.metrics import structural_similarity

    window = min(LARGEST_WINDOW, min(found.shape[1:3]) - (1 - min(found.shape[1:3]) % 2))
    return np.array(
        [
            structural_similarity(one, other, win_size=window, data_range=1.0, channel_axis=-1)
            for one, other in zip(found.astype(np.float64), truth.astype(np.float64), strict=True)
        ]
    )


def errors_and_expected(
    draws: Float[np.ndarray, "image draw height width channel"], truth: Pictures
) -> tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]:
    """Return how wrong the mean of samples is, and how wrong it should be by how they differ.

    The squared error of the mean of n samples, and (1 + 1/n) times their variance, as means over a picture. Of samples
    of the true posterior, the truth is one more sample, so that both are the same on average.
    """
    count = draws.shape[1]
    error = np.square(draws.mean(axis=1) - truth).mean(axis=(1, 2, 3))
    return error, (1 + 1 / count) * draws.var(axis=1, ddof=1).mean(axis=(1, 2, 3))


def spread(errors: Float[np.ndarray, "image"], expected: Float[np.ndarray, "image"]) -> float:
    """Return the ratio of sums of both over images: 1 if samples are as unsure as they should be, above it if too sure.

    A mean of ratios would be above 1 for samples of the true posterior, too, as few samples do not tell the variance of
    an image well.
    """
    return float(errors.sum() / max(expected.sum(), 1e-12))
