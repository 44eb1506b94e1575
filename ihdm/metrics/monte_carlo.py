"""Monte Carlo error of held-out squared errors, and its reduction.

Of the errors e of images i at levels k, each with a few draws d of noise, only Σ_k E e is needed, averaged over a
fixed set of images. Only the noise is random.
"""

import numpy as np
from jaxtyping import Float, Int

Draws = Float[np.ndarray, "draw image levels"]
"""NaN where a level has fewer draws than another."""
Controls = Float[np.ndarray, "draw image levels control"]
MIN_DIFFERENCES = 10
"""Fewest differences between draws, for each control, that slopes are fitted to."""


def remove_noise(errors: Draws, controls: Controls) -> Draws:
    """Subtract the part of the errors that the noise explains (control variates).

    The expectation of the controls is zero, so the mean does not change. The slopes are least-squares fits, at
    each level, to the differences between the draws of an image. They fit these draws better than any others, and
    are uncertain themselves: of m differences and c controls the mean over images has the variance

        v · m / (m − c) · (m − 1) / (m − c − 1)

    where v is what the remaining spread between draws gives (Lavenberg and Welch, 1981). What remains of the
    differences is therefore scaled by the root of these factors, which keeps the mean of every image. A level with
    m < 10 c has too few differences for slopes; its errors are not changed.

    Args:
        errors: errors of the network. With one draw there are no differences.
        controls: known quantities of the same noise.
    """
    num_controls = controls.shape[-1]
    cleaned = errors.copy()
    for level in range(errors.shape[2]):
        found, known = errors[..., level], controls[..., level, :]
        is_drawn = np.isfinite(found)
        freedom = int((is_drawn.sum(axis=0) - 1).sum())
        if freedom < MIN_DIFFERENCES * num_controls:
            continue
        differences = (known - np.nanmean(known, axis=0))[is_drawn]
        slopes, *_ = np.linalg.lstsq(differences, (found - np.nanmean(found, axis=0))[is_drawn])
        remaining = found - known @ slopes
        means = np.nanmean(remaining, axis=0)
        factor = freedom / (freedom - num_controls) * (freedom - 1) / (freedom - num_controls - 1)
        cleaned[..., level] = means + (remaining - means) * np.sqrt(factor)
    return cleaned


def draw_variance(errors: Draws) -> Float[np.ndarray, "image levels"]:
    """Return the variance of a single draw for each image and level, from the spread between draws.

    Raises:
        ValueError: if there is only one draw.
    """
    if len(errors) < 2:
        raise ValueError("one draw has no spread; at least 2 are needed")
    return np.nanvar(errors, axis=0, ddof=1)


def total_error(errors: Draws) -> float:
    """Return the standard error due to noise of Σ_k E e, averaged over the images."""
    counts = np.isfinite(errors).sum(axis=0)
    return float(np.sqrt((draw_variance(errors) / counts).sum()) / errors.shape[1])


def allocate(variances: Float[np.ndarray, "levels"], total: int) -> Int[np.ndarray, "levels"]:
    """Distribute draws over levels in proportion to their standard deviation, which minimizes the variance.

    If nothing varies, all levels get the same number.

    Args:
        variances: variance of a single draw at each level.
        total: number of draws, all of which are distributed, by largest remainder.
    """
    deviations = np.sqrt(variances) if variances.any() else np.ones_like(variances)
    shares = total * deviations / deviations.sum()
    counts = np.floor(shares).astype(np.int64)
    rest = np.argsort(counts - shares, kind="stable")[: total - counts.sum()]
    counts[rest] += 1
    return counts


def designs(errors: Draws, without_noise: Draws) -> dict[str, float]:
    """Return estimators of Σ_k E e over fixed images by name, usually from the costliest to the cheapest.

    Each has its variance with one network evaluation; n evaluations have an n-th of it.

    Args:
        errors: with two draws or more.
        without_noise: the same after :func:`remove_noise`.
    """
    num_levels = errors.shape[2]
    plain, controlled = draw_variance(errors), draw_variance(without_noise)
    means = np.nanmean(errors, axis=0)
    mean_variance = plain / np.isfinite(errors).sum(axis=0)
    # K e at one random level: the spread over levels comes on top of the noise. Means over a few draws still hold some
    # of the noise, which is no spread over levels: their squares are that much too large.
    squares = (np.square(means) - mean_variance).mean() * num_levels**2
    squared_sums = (np.square(means.sum(axis=1)) - mean_variance.sum(axis=1)).mean()
    level_variance = max(0.0, squares - squared_sums)
    uniform = level_variance + num_levels**2 * plain.mean()
    return {
        "uniform random levels": float(uniform),
        "every level": float(num_levels**2 * plain.mean()),
        "every level, control variates": float(num_levels**2 * controlled.mean()),
        "levels by variance": float(np.sqrt(plain.mean(axis=0)).sum() ** 2),
        "levels by variance, control variates": float(np.sqrt(controlled.mean(axis=0)).sum() ** 2),
    }
