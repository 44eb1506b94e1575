"""The Fréchet distance of infinitely many images (Chong and Forsyth, 2020).

The distance of n images is too large by a term that falls like 1/n. A line in 1/n through the distances of parts of a
set meets 1/n = 0 at the distance without that term. The reference stays as it is, and so does the bias that its size
causes.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.metrics.bootstrap import Estimate
from ihdm.seeds import generator

NUM_SIZES = 8
MIN_IMAGES = 50


def extrapolate(
    distance: Callable[[Float[np.ndarray, "image"]], float], num_images: int, seed: int, num_repeats: int = 4
) -> Estimate:
    """Return the intercept of a straight line in 1/n with its standard error.

    Args:
        distance: from how often each image counts (here 0 or 1) to the distance.
        num_images: images in the set.
        seed: seed of the choice of parts.
        num_repeats: how often all parts are chosen anew; the standard error is that of the mean over the repeats.
            It leaves out what all share, the set itself.

    Raises:
        UserError: if the smallest part, a quarter of the set, would hold fewer than 50 images.
    """
    if num_images < 4 * MIN_IMAGES:
        raise UserError(f"extrapolating a distance needs {4 * MIN_IMAGES} images or more, not {num_images}")
    rng = generator(seed, "parts of a set")
    # Evenly spaced in 1/n, from a quarter of the images to all.
    sizes = np.rint(1 / np.linspace(4 / num_images, 1 / num_images, NUM_SIZES)).astype(int)
    intercepts = []
    for _ in range(num_repeats):
        values = []
        for size in sizes:
            chosen = np.zeros(num_images)
            chosen[rng.choice(num_images, size, replace=False)] = 1
            values.append(distance(chosen))
        intercepts.append(np.polyfit(1 / sizes, values, 1)[1])
    return Estimate(float(np.mean(intercepts)), float(np.std(intercepts, ddof=1) / np.sqrt(num_repeats)))
