"""Distances between sets of images and a reference, with intervals."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from ihdm.images import StoredImages
from ihdm.metrics.bootstrap import Estimate, bootstrap
from ihdm.metrics.features import FEATURE_SPACES, Features
from ihdm.metrics.frechet import frechet_distance, moments
from ihdm.metrics.kid import KernelDistance


def measure_distances(features: Features, reference: Features, *, num_resamples: int, seed: int) -> dict[str, Estimate]:
    """Return the Fréchet and the kernel distance of a set from a reference.

    The intervals tell how much the values would change with other images in the set; the reference is taken as given,
    as it is in the protocol that papers use.
    """
    reference_moments = moments(reference)

    def frechet(weights: Float[np.ndarray, "image"]) -> float:
        return frechet_distance(moments(np.repeat(features, weights.astype(int), axis=0)), reference_moments)

    kernel = KernelDistance(features, reference)
    return {
        "frechet_distance": bootstrap(frechet, len(features), num_resamples, seed),
        "kernel_distance": bootstrap(kernel.value, len(features), num_resamples, seed),
    }


def distance_rows(
    sets: Mapping[str, StoredImages],
    reference: StoredImages,
    *,
    feature_space: str,
    num_resamples: int,
    seed: int,
) -> list[dict[str, object]]:
    """Return one row for each set and metric; the space is fitted on the reference and named in every row.

    Args:
        sets: the sets to compare, by name.
        reference: real images that no set contains.
        feature_space: a name in ``FEATURE_SPACES``.
        num_resamples: bootstrap resamples behind each standard error.
        seed: seed of the resampling.
    """
    space = FEATURE_SPACES[feature_space](reference)
    reference_features = space.transform(reference)
    rows: list[dict[str, object]] = []
    for name, images in sets.items():
        estimates = measure_distances(
            space.transform(images), reference_features, num_resamples=num_resamples, seed=seed
        )
        for metric, estimate in estimates.items():
            rows.append(
                {
                    "set": name,
                    "metric": metric,
                    "feature_space": space.name,
                    "n": len(images),
                    "n_reference": len(reference),
                    **estimate.columns(),
                }
            )
    return rows
