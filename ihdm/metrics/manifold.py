"""Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020).

A set's manifold is the union of balls around its images, each reaching to the k-th nearest neighbor:

    precision   share of samples inside the real manifold
    recall      share of real images inside the manifold of samples
    density     mean number of real balls around a sample, divided by k; may exceed one
    coverage    share of real images whose ball contains a sample
"""

import numpy as np
from jaxtyping import Bool, Float

from ihdm.errors import UserError
from ihdm.metrics.estimates import NOT_NEGATIVE, SHARE, Estimate, mean_estimate, share_estimate
from ihdm.metrics.features import Features
from ihdm.metrics.neighbours import distance_blocks, neighbour_radii

NUM_PARTS = 10
"""Parts of the samples, each of which is left out once for the errors of recall and coverage."""
MOST_IMAGES = 10_000
"""With more samples these errors are those of a share of real images, as each part left out takes n² distances."""


def manifold_measures(features: Features, reference: Features, num_neighbors: int) -> dict[str, Estimate]:
    """Return precision, recall, density and coverage of a set.

    The standard errors of precision and density are those of a share and a mean over samples, with the manifold of the
    real images taken as fixed. Recall and coverage depend on all samples together: their errors come from leaving out
    one tenth of the samples at a time.

    Args:
        features: features of the samples.
        reference: features of real images; recall and coverage depend on their number, so keep it equal between sets.
        num_neighbors: k.

    Raises:
        UserError: if a set has no k-th neighbor.
    """
    if min(len(features), len(reference)) <= num_neighbors:
        raise UserError(
            f"precision and recall with {num_neighbors} neighbours need {num_neighbors + 1} images or more on each "
            f"side, not {len(features)} and {len(reference)}"
        )
    real_radii = neighbour_radii(reference, num_neighbors)
    balls = np.zeros(len(features))
    for here, distances in distance_blocks(reference, features):
        balls += (distances <= real_radii[here, None]).sum(axis=0)
    whole = np.stack(covered_and_recalled(features, reference, real_radii, num_neighbors))
    parts = np.arange(len(features)) % NUM_PARTS
    coverage, recall = map(share_estimate, whole)
    if len(features) <= MOST_IMAGES and np.bincount(parts).max() + num_neighbors < len(features):
        left_out = [
            np.mean(covered_and_recalled(features[parts != part], reference, real_radii, num_neighbors), axis=1)
            for part in range(NUM_PARTS)
        ]
        errors = np.sqrt((NUM_PARTS - 1) * np.var(left_out, axis=0)).tolist()
        coverage, recall = (
            Estimate(value, error, SHARE, NUM_PARTS - 1.0)
            for value, error in zip(whole.mean(axis=1).tolist(), errors, strict=True)
        )
    return {
        "precision": share_estimate(balls > 0),
        "recall": recall,
        "density": mean_estimate(balls / num_neighbors, NOT_NEGATIVE),
        "coverage": coverage,
    }


def covered_and_recalled(
    features: Features, reference: Features, real_radii: Float[np.ndarray, "reference"], num_neighbors: int
) -> tuple[Bool[np.ndarray, "reference"], Bool[np.ndarray, "reference"]]:
    """Return which real images have a sample in their ball, and which are in the ball of some sample."""
    radii, covered, recalled = neighbour_radii(features, num_neighbors), [], []
    for here, distances in distance_blocks(reference, features):
        covered.append((distances <= real_radii[here, None]).any(axis=1))
        recalled.append((distances <= radii).any(axis=1))
    return np.concatenate(covered), np.concatenate(recalled)
