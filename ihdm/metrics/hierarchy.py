"""Similarity of samples by the level at which their paths split (paper, figure 7): distances between leaves of trees.

Every tree has one start. Its paths split in two at several levels and have independent noise afterwards.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist

from ihdm.errors import UserError
from ihdm.metrics.estimates import NOT_NEGATIVE, mean_estimate

Leaves = Float[np.ndarray, "tree leaf height width channel"]


def hierarchy_rows(levels: Int[np.ndarray, "split"], leaves: Leaves) -> list[dict[str, object]]:
    """Return one row per split: the mean distance, over trees, of leaves that separate there.

    The distance of two leaves is the root mean square difference of their pixels, averaged over all pairs of a tree
    that part at this split. `null` is the mean distance of leaves of different trees.

    Args:
        levels: the level of each split, descending; the first is K.
        leaves: 2^splits in each tree; bit s of a leaf's number, the most significant first, gives the branch that it
            took at split s.

    Raises:
        UserError: if there are fewer than two trees, or another number of leaves.
    """
    num_trees, num_leaves = leaves.shape[:2]
    if num_trees < 2 or num_leaves != 2 ** len(levels):
        raise UserError(
            f"hierarchy: {num_trees} trees of {num_leaves} leaves that split at {len(levels)} levels; two trees of "
            "2^levels leaves are needed"
        )
    points = leaves.reshape(num_trees, num_leaves, -1).astype(np.float64)
    points /= np.sqrt(points.shape[2])  # so that Euclidean distances are root mean squares
    splits = split_of_pairs(len(levels))
    within = np.stack([cdist(tree, tree) for tree in points])
    across = [cdist(points[i], points[j]).mean() for i in range(num_trees) for j in range(i)]
    rows: list[dict[str, object]] = []
    for split, level in enumerate(levels.tolist()):
        estimate = mean_estimate(within[:, splits == split].mean(axis=1), NOT_NEGATIVE)
        named = {"split": split, "level": level, "fraction": level / int(levels[0]), "n": num_trees}
        rows.append({**named, **estimate.columns(), "null": float(np.mean(across))})
    return rows


def split_of_pairs(num_splits: int) -> Int[np.ndarray, "leaf leaf"]:
    """Return the split at which each pair of leaves separates, and ``num_splits`` for a leaf with itself."""
    numbers = np.arange(2**num_splits)
    differing = numbers[:, None] ^ numbers[None, :]
    # The number of bits up to the highest that differs: frexp gives it exactly, and 0 for 0.
    return num_splits - np.frexp(differing)[1].astype(np.int64)
