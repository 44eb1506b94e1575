"""Distances to nearest neighbors, block by block, so that memory does not grow with the number of pairs."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Num

Points = Num[np.ndarray, "_ feature"]
BLOCK_VALUES = 2**24
"""Most numbers in a block of points, and most pairs in a block of distances."""


def distance_blocks(points: Points, others: Points) -> Iterator[tuple[slice, Float[np.ndarray, "block others"]]]:
    """Yield blocks of points with their Euclidean distances to all others.

    The square is expanded around a common center, in float64: rounding shifts a squared distance by about 1e-15 of the
    squared norms. Squared distances of integers, such as pixels, are exact, as their center has integers, too.
    """
    center = others.mean(axis=0, dtype=np.float64)
    if np.issubdtype(others.dtype, np.integer):
        center = np.rint(center)
    others = others - center
    norms = np.square(others).sum(axis=1)
    size = max(1, BLOCK_VALUES // max(len(others), points.shape[1]))
    for first in range(0, len(points), size):
        here = slice(first, min(first + size, len(points)))
        block = points[here] - center
        squares = np.square(block).sum(axis=1)[:, None] + norms - 2 * block @ others.T
        yield here, np.sqrt(np.clip(squares, 0, None))


def neighbour_radii(points: Points, rank: int) -> Float[np.ndarray, "_"]:
    """Return the distance of each point to its ``rank``-th nearest neighbor in the same set."""
    radii = np.empty(len(points))
    for here, distances in distance_blocks(points, points):
        # The point itself comes first, at distance zero up to rounding.
        distances[np.arange(len(distances)), np.arange(here.start, here.stop)] = 0
        radii[here] = np.partition(distances, rank, axis=1)[:, rank]
    return radii


def nearest(
    points: Points, others: Points, number: int, chunk: int
) -> tuple[Int[np.ndarray, "points number"], Float[np.ndarray, "points number"]]:
    """Return the nearest neighbors of each point and their distances, the nearest first; ties go to the earlier one.

    Args:
        points: the points whose neighbors are searched.
        others: the candidates; may be memory-mapped.
        number: number of neighbors, at most the number of candidates.
        chunk: number of candidates in memory at a time.
    """
    places = np.empty((len(points), 0), dtype=np.int64)
    distances = np.empty((len(points), 0))
    for first in range(0, len(others), chunk):
        blocks = [block for _, block in distance_blocks(points, np.asarray(others[first : first + chunk]))]
        found = np.concatenate([distances, np.concatenate(blocks)], axis=1)
        here = np.arange(first, min(first + chunk, len(others)))
        known = np.concatenate([places, np.broadcast_to(here, (len(points), len(here)))], axis=1)
        order = np.argsort(found, axis=1, kind="stable")[:, :number]
        places, distances = np.take_along_axis(known, order, axis=1), np.take_along_axis(found, order, axis=1)
    return places, distances
