"""Compare samples by the level at which their paths split (paper, figure 7): distances between leaves of trees.

Every tree has one start. Its paths split in two at several levels and have independent noise afterwards.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts
from ihdm.metrics.estimates import NOT_NEGATIVE, mean_estimate
from ihdm.storage.reading import read_arrays

Leaves = Float[np.ndarray, "tree leaf height width channel"]


def compute(files: Files, settings: Resampling) -> Results:
    """Return the distances of samples that separate at each split."""
    stored = read_arrays(files["tree"], {"levels": 1, "leaves": 5})
    return {"hierarchy": hierarchy_rows(stored["levels"], stored["leaves"])}


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
    from scipy.spatial.distance import cdist

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


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and level where paths split."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "split at level": table["level"],
            "of all levels": table["fraction"].map("{:.0%}".format),
            "starts": table["n"],
            "distance": interval_texts(table),
            "other starts": table["null"].map("{:.3g}".format),
        }
    )


MEASURE = diagnostic_measure(
    "hierarchy",
    compute,
    {"tree": diagnostic("tree.npz", "the trees of samples, .npz")},
    Table(
        heading="Similarity of samples with split paths",
        explanation=(
            "From each start, sampling paths split in two repeatedly, with independent noise afterwards. The table "
            "has the root mean square distance of samples whose paths split at a level, for pixels in [0, 1], with "
            "95 % intervals over starts. It measures the part of the image that is decided after the split. Other "
            "starts: distance of samples of different starts, the expected maximum."
        ),
        columns={
            "split": "number of the split, from the start",
            "level, fraction": "its level, and the share of all levels",
            "value": "root mean square difference of samples that split there, for pixel values from 0 to 1",
        },
        summarize=summarize,
        notes=(
            "Null: `null`, the distance of samples from different starts. Errors are those of a mean over starts "
            "(trees); n is their number."
        ),
    ),
    job="diagnostics",
)
