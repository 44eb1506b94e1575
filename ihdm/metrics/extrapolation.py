"""Extrapolation of the Fréchet distance to infinitely many images (after Chong and Forsyth, 2020).

The distance of n images is too large by a term that decreases as 1/n. A line in 1/n through the distances of parts of a
set reaches 1/n = 0 at the distance without that term. The bias from the size of the reference remains.

Parts of one size are disjoint and cover the whole set, so that their mean depends little on the choice of parts.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from ihdm.metrics.estimates import Estimate
from ihdm.seeds import generator

MAX_PARTS = 4
"""The set counts whole and in two, three and four parts."""
NUM_REPEATS = 4
"""Random choices of the parts."""


def can_extrapolate(num_images: int, num_features: int) -> bool:
    """Return whether the smallest part has more images than features.

    With fewer its covariance is singular, and the distance does not follow a line in 1/n.
    """
    return num_images // MAX_PARTS > num_features


def extrapolate(
    distance: Callable[[Int[np.ndarray, "part"]], float], num_images: int, whole: Estimate, seed: int
) -> Estimate:
    """Return the intercept of a straight line in 1/n with its standard error.

    Other images would shift the distances of the parts like that of the whole set. So the standard error is
    that of the whole set plus that of the choice of parts. This computes 36 distances of parts, which take as long as
    12 of the whole set.

    Args:
        distance: maps numbers of images, all different, to the distance.
        num_images: n, number of images in the set.
        whole: distance of the whole set.
        seed: seed of the choice of parts.
    """
    rng = generator(seed, "parts of a set")
    intercepts = []
    for _ in range(NUM_REPEATS):
        values = [whole.value]
        for num_parts in range(2, MAX_PARTS + 1):
            parts = np.array_split(rng.permutation(num_images), num_parts)
            values.append(float(np.mean([distance(part) for part in parts])))
        intercepts.append(np.polyfit(np.arange(1, MAX_PARTS + 1) / num_images, values, 1)[1])
    choice = np.std(intercepts, ddof=1) / np.sqrt(NUM_REPEATS)
    return Estimate(float(np.mean(intercepts)), float(np.hypot(whole.standard_error, choice)))
