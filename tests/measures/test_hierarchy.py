import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.measures.hierarchy import hierarchy_rows, split_of_pairs

LEVELS = np.array([20, 10, 4])


def grown(num_trees, scales, seed=0, size=32):
    """Leaves that get a draw of their own at the root and after every split."""
    rng = np.random.default_rng(seed)
    leaves = rng.normal(size=(num_trees, 1, size, size, 1)) * scales[0]
    for scale in scales[1:]:
        leaves = np.repeat(leaves, 2, axis=1)
        leaves = leaves + scale * rng.normal(size=leaves.shape)
    return leaves.astype(np.float32)


def test_two_leaves_part_where_their_numbers_first_differ():
    found = split_of_pairs(3)
    texts = [format(number, "03b") for number in range(8)]
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            expected = next((s for s in range(3) if first[s] != second[s]), 3)
            assert found[i, j] == expected


def test_distances_of_branching_noise_against_the_closed_form():
    """Leaves that part at split s differ by two draws of it and of all later ones: √(2 Σ scale²)."""
    scales = (1.0, 0.5, 0.3, 0.1)
    found = pd.DataFrame(hierarchy_rows(LEVELS, grown(6, scales)))
    for split in range(3):
        expected = np.sqrt(2 * sum(scale**2 for scale in scales[split + 1 :]))
        assert found.loc[split, "value"] == pytest.approx(expected, rel=0.02)
    assert found["null"].unique() == pytest.approx(np.sqrt(2 * np.sum(np.square(scales))), rel=0.02)
    assert found["level"].tolist() == LEVELS.tolist()
    assert found["fraction"].tolist() == [1.0, 0.5, 0.2]
    assert (found["n"] == 6).all()


def test_errors_are_those_over_trees():
    leaves = grown(4, (1.0, 0.5), size=4)
    found = hierarchy_rows(np.array([5]), leaves)[0]
    distances = [np.sqrt(np.mean((tree[0].astype(float) - tree[1]) ** 2)) for tree in leaves]
    assert found["value"] == pytest.approx(np.mean(distances))
    assert found["standard_error"] == pytest.approx(np.std(distances, ddof=1) / 2)


@pytest.mark.parametrize(("trees", "leaves"), [(1, 8), (3, 4)])
def test_too_few_trees_or_leaves_are_refused(trees, leaves):
    with pytest.raises(UserError, match=f"{trees} trees of {leaves} leaves"):
        hierarchy_rows(LEVELS, np.zeros((trees, leaves, 4, 4, 1), dtype=np.float32))
