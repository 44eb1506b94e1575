"""Distances to nearest neighbours, block by block: memory does not grow with the number of pairs."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Num

Points = Num[np.ndarray, "_ feature"]
BLOCK_VALUES = 2**24
"""Most numbers in a block of points, and most pairs in a block of distances."""


def distance_blocks(points: Points, others: Points) -> Iterator[tuple[slice, Float[np.ndarray, "block others"]]]:
    """Yield the Euclidean distances of some points to all others, and which points they are.

    The square is expanded around a common centre, in float64: rounding shifts a squared distance by about 1e-15 of the
    squared norms. Between integers, as pixels are, squared distances are exact, as their centre is one of integers.
    """
    centre = others.mean(axis=0, dtype=np.float64)
    if np.issubdtype(others.dtype, np.integer):
        centre = np.rint(centre)
    others = others - centre
    norms = np.square(others).sum(axis=1)
    size = max(1, BLOCK_VALUES // max(len(others), points.shape[1]))
    for first in range(0, len(points), size):
        here = slice(first, min(first + size, len(points)))
        block = points[here] - centre
        squares = np.square(block).sum(axis=1)[:, None] + norms - 2 * block @ others.T
        yield here, np.sqrt(np.clip(squares, 0, None))


def neighbour_radii(points: Points, rank: int) -> Float[np.ndarray, "_"]:
    """Return the distance of each point to its ``rank``-th nearest neighbour among the others of its own set."""
    radii = np.empty(len(points))
    for here, distances in distance_blocks(points, points):
        # Itself comes first, at distance zero but for rounding.
        distances[np.arange(len(distances)), np.arange(here.start, here.stop)] = 0
        radii[here] = np.partition(distances, rank, axis=1)[:, rank]
    return radii
