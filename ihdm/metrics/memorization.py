"""Memorization: distances of samples to training images, compared with those of held-out images."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int

from ihdm.metrics.estimates import (
    NOT_NEGATIVE,
    SHARE,
    Estimate,
    Photographs,
    jackknife_by_photograph,
    mean_estimate,
    share_estimate,
)
from ihdm.metrics.neighbours import Points, distance_blocks

NEAR = 0.05
"""Quantile of the held-out images' distances below which an image counts as near."""


def nearest_distances(points: Points, train: Points, chunk: int) -> Float[np.ndarray, "_"]:
    """Return the distance of each point to the nearest training image.

    Args:
        points: features or pixels of images, floats or integers; distances of integers are exact.
        train: features or pixels of the training images; may be memory-mapped.
        chunk: number of training images in memory at a time.
    """
    nearest = np.full(len(points), np.inf)
    for first in range(0, len(train), chunk):
        for here, distances in distance_blocks(points, np.asarray(train[first : first + chunk])):
            nearest[here] = np.minimum(nearest[here], distances.min(axis=1))
    return nearest


def memorization_measures(
    samples: Float[np.ndarray, "_"], held_out: Float[np.ndarray, "_"], photographs: Photographs | None = None
) -> dict[str, dict[str, Estimate]]:
    """Return, for samples and held-out images, the mean distance to the nearest training image and the share near one.

    Near means closer than 95 % of the held-out images: 5 % of these are near by definition, and about as many samples
    unless the model repeats training images. The error of the share is binomial, with two counts added on either
    side (Agresti and Coull, 1998), plus the error of the threshold, which depends on the held-out images: the change of
    the share if the threshold moves by its standard error.

    Args:
        samples: distance of each sample to its nearest training image.
        held_out: the same for held-out images.
        photographs: the photograph of each held-out image, if they are squares of photographs: the error by the
            threshold is then a jackknife over these, and its degrees of freedom are those of Welch (1947).
    """
    counted = share_estimate(samples <= np.quantile(held_out, NEAR))
    if photographs is None:
        step = np.sqrt(NEAR * (1 - NEAR) / len(held_out))
        lower, upper = np.quantile(held_out, [max(NEAR - step, 0), NEAR + step])
        by_threshold, degrees = (np.mean(samples <= upper) - np.mean(samples <= lower)) / 2, math.inf
    else:

        def share_near(part: Int[np.ndarray, "part"]) -> float:
            return float(np.mean(samples <= np.quantile(held_out[part], NEAR)))

        found = jackknife_by_photograph(share_near, photographs)
        by_threshold = found.standard_error
        part = by_threshold / math.hypot(counted.standard_error, by_threshold)
        degrees = found.degrees / part**4 if part > 0 else math.inf
    share = Estimate(counted.value, math.hypot(counted.standard_error, by_threshold), SHARE, degrees)
    return {
        "samples": {"nearest_distance": mean_estimate(samples, NOT_NEGATIVE), "share_near": share},
        "test": {
            "nearest_distance": mean_estimate(held_out, NOT_NEGATIVE, photographs),
            "share_near": Estimate(NEAR, np.nan, SHARE),
        },
    }


def memorization_rows(
    spaces: Mapping[tuple[str, str], Mapping[str, Points]],
    report: Callable[[int], None] = lambda _done: None,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return one row for each space, set and measure.

    Args:
        spaces: points of `samples`, `test` and `train`, by the name of their space and the hash of the
            weights behind it.
        report: called with the number of finished spaces.
        photographs: the photograph of each image of `test`; None if images are independent.
    """
    rows: list[dict[str, object]] = []
    for done, ((space, sha256), points) in enumerate(spaces.items(), start=1):
        train = points["train"]
        chunk = max(1, 2**25 // train.shape[1])
        # Stored pixels are compared exactly, as integers, and scaled to [0, 1] afterwards.
        unit = 255 if np.issubdtype(train.dtype, np.integer) else 1
        distances = {name: nearest_distances(points[name], train, chunk) / unit for name in ("samples", "test")}
        found = memorization_measures(distances["samples"], distances["test"], photographs)
        for name, measures in found.items():
            named = {"extractor": space, "extractor_sha256": sha256, "n": len(points[name]), "n_reference": len(train)}
            for metric, estimate in measures.items():
                rows.append({"set": name, "metric": metric, **named, **estimate.columns()})
        report(done)
    return rows
