"""Intervals by resampling images with replacement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ihdm.seeds import generator

NORMAL_95 = 1.959964
"""Half the width of a 95 % interval, in standard errors."""


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and 95 % interval."""

    value: float
    standard_error: float

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - NORMAL_95 * self.standard_error

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + NORMAL_95 * self.standard_error

    def columns(self) -> dict[str, float]:
        """Return the columns of a table that hold this estimate."""
        return {"value": self.value, "standard_error": self.standard_error, "low": self.low, "high": self.high}


def mean_estimate(values: Float[np.ndarray, "image"]) -> Estimate:
    """Return the mean over independent images with its standard error.

    Raises:
        ValueError: if there are fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"{len(values)} values have no standard error; at least 2 are needed")
    return Estimate(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def bootstrap(
    statistic: Callable[[Float[np.ndarray, "image"]], float], num_images: int, num_resamples: int, seed: int
) -> Estimate:
    """Estimate a statistic of a set of images and its standard error.

    The interval is centred on the value itself: a resample holds fewer distinct images, which shifts biased statistics
    like the Fréchet distance, so the resamples' own quantiles would lie too high.

    Args:
        statistic: from how often each image counts (floats that sum to ``num_images``) to the value.
        num_images: images in the set.
        num_resamples: how many resamples the standard error comes from, 2 or more.
        seed: seed of the resampling.
    """
    rng = generator(seed, "bootstrap")
    resamples = rng.multinomial(num_images, np.full(num_images, 1 / num_images), size=num_resamples).astype(np.float64)
    values = [statistic(weights) for weights in resamples]
    return Estimate(statistic(np.ones(num_images)), float(np.std(values, ddof=1)))
