"""The power law of natural images: power ∝ 1/f^α, with α near 2 (paper, section 3.4)."""

import numpy as np
from jaxtyping import Int

from ihdm.data.encoded import picture_numbers
from ihdm.metrics.estimates import NOT_NEGATIVE, jackknife, jackknife_by_picture, mean_estimate
from ihdm.metrics.spectrum import annulus_power, fit_alpha
from ihdm.storage.images import StoredImages

MAX_IMAGES = 500
FIT_HIGH = np.pi
"""Frequencies beyond π, in radians per pixel, occur on the diagonals only."""

CHUNK = 32


def power_law_rows(images: StoredImages, num_resamples: int, seed: int, squares: int = 1) -> list[dict[str, object]]:
    """Return rows of quantity ``power``, one for each annulus of frequency, and a row ``alpha``, with 95 % intervals.

    Powers are averaged over the first 500 images, or all if there are fewer. α is fitted by least squares on log-log
    axes over all annuli up to π; its interval comes from leaving images out, or whole pictures where images are squares
    of them.

    Args:
        images: stored images.
        num_resamples: resamples behind the interval of α.
        seed: seed of the resampling.
        squares: how many images were cut from each picture; ``images`` are then all of a split, or its first ones.

    Raises:
        UserError: if there are fewer than two images, or pictures.
    """
    num_bins = min(50, 2 * images.shape[1])
    starts = range(0, min(MAX_IMAGES, len(images)), CHUNK)
    parts = [annulus_power(images[first : min(first + CHUNK, MAX_IMAGES)] / 255, num_bins) for first in starts]
    frequencies, power = parts[0][0], np.concatenate([values for _, values in parts])
    count = len(power)

    def fitted_alpha(part: Int[np.ndarray, "part"]) -> float:
        return fit_alpha(frequencies, power[part].mean(axis=0), 0.0, FIT_HIGH)

    pictures = picture_numbers(len(images), squares)[:count]
    if squares > 1:
        alpha = jackknife_by_picture(fitted_alpha, pictures)
    else:
        alpha = jackknife(fitted_alpha, count, num_resamples, seed)
    fitted = frequencies[frequencies <= FIT_HIGH]
    return [
        {
            "quantity": "power",
            "low_frequency": frequency,
            "high_frequency": frequency,
            "n": count,
            **mean_estimate(values, NOT_NEGATIVE).columns(),
        }
        for frequency, values in zip(frequencies, power.T, strict=True)
    ] + [
        {
            "quantity": "alpha",
            "low_frequency": fitted[0],
            "high_frequency": fitted[-1],
            "n": count,
            **alpha.columns(),
        }
    ]
