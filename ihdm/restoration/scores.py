"""Scores of restored images: error, and calibration of the spread of posterior samples."""

import numpy as np
from jaxtyping import Float

Pictures = Float[np.ndarray, "image height width channel"]

LARGEST_WINDOW = 7
"""Side of the SSIM window in pixels; on smaller images the largest odd number that fits."""


def psnr(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the peak signal-to-noise ratio of each image in dB, −10 log₁₀ of the mean squared error in [0, 1]."""
    error = np.square(found.astype(np.float64) - truth).mean(axis=(1, 2, 3))
    return -10 * np.log10(np.maximum(error, 1e-12))


def ssim(found: Pictures, truth: Pictures) -> Float[np.ndarray, "image"]:
    """Return the structural similarity of each image (Wang et al., 2004), by scikit-image."""
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
    """Return the mean squared error of the mean of n samples, and (1 + 1/n) times their mean variance.

    Both have the same expectation for samples of the true posterior, as the truth is then one more sample.
    """
    count = draws.shape[1]
    error = np.square(draws.mean(axis=1) - truth).mean(axis=(1, 2, 3))
    return error, (1 + 1 / count) * draws.var(axis=1, ddof=1).mean(axis=(1, 2, 3))


def spread(errors: Float[np.ndarray, "image"], expected: Float[np.ndarray, "image"]) -> float:
    """Return the ratio of the sums over images: 1 for calibrated samples, larger for overconfident ones.

    A mean of ratios would be biased upward, as few samples estimate the variance of an image poorly.
    """
    return float(errors.sum() / max(expected.sum(), 1e-12))
