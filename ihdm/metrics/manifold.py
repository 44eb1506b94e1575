"""Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020).

A set's manifold is the union of balls around its images, each reaching to the k-th nearest neighbour:

    precision   share of samples inside the real manifold
    recall      share of real images inside the manifold of samples
    density     real balls that hold a sample, averaged over samples, divided by k; may exceed one
    coverage    share of real images whose ball holds a sample
"""

import numpy as np

from ihdm.errors import UserError
from ihdm.metrics.estimates import NOT_NEGATIVE, SHARE, Estimate, mean_estimate
from ihdm.metrics.features import Features
from ihdm.metrics.neighbours import distance_blocks, neighbour_radii


def manifold_measures(features: Features, reference: Features, num_neighbours: int) -> dict[str, Estimate]:
    """Return precision, recall, density and coverage of a set.

    The standard errors are those of a mean over the images that are counted, samples for precision and density, real
    ones for recall and coverage, with both manifolds taken as given.

    Args:
        features: of the samples.
        reference: of real images; recall and coverage depend on how many there are, so keep it equal between sets.
        num_neighbours: k.

    Raises:
        UserError: if a set has no k-th neighbour.
    """
    if min(len(features), len(reference)) <= num_neighbours:
        raise UserError(
            f"precision and recall with {num_neighbours} neighbours need {num_neighbours + 1} images or more on each "
            f"side, not {len(features)} and {len(reference)}"
        )
    real_radii, sample_radii = neighbour_radii(reference, num_neighbours), neighbour_radii(features, num_neighbours)
    balls, recalled, covered = np.zeros(len(features)), [], []
    for here, distances in distance_blocks(reference, features):
        inside = distances <= real_radii[here, None]
        balls += inside.sum(axis=0)
        covered.append(inside.any(axis=1))
        recalled.append((distances <= sample_radii).any(axis=1))
    return {
        "precision": mean_estimate((balls > 0).astype(float), SHARE),
        "recall": mean_estimate(np.concatenate(recalled).astype(float), SHARE),
        "density": mean_estimate(balls / num_neighbours, NOT_NEGATIVE),
        "coverage": mean_estimate(np.concatenate(covered).astype(float), SHARE),
    }
