"""The Fréchet distance of infinitely many images (after Chong and Forsyth, 2020).

The distance of n images is too large by a term that falls like 1/n. A line in 1/n through the distances of parts of a
set meets 1/n = 0 at the distance without that term. The reference stays as it is, and so does the bias that its size
causes.

Parts of one size are disjoint and hold the whole set between them, so that their mean varies little with the choice.
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

    Other images in the set shift the distances of its parts as they shift that of the whole, so the standard error is
    that of the whole, and of the choice of parts on top of it. This takes 36 distances of parts, together as long as
    12 of the whole set.

    Args:
        distance: from the numbers of the images that count, all different, to the distance.
        num_images: n, images in the set.
        whole: the distance of all of them.
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
