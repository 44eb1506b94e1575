import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.measures.interpolation import interpolation_rows, measures, shuffle


def table(paths, **others):
    return pd.DataFrame(interpolation_rows({"pixels": paths, **others}, seed=0))


def test_straight_and_even_paths_have_ratios_of_one():
    ends = np.random.default_rng(0).normal(size=(4, 2, 6))
    along = np.linspace(0, 1, 9)[None, :, None]
    found = table(((1 - along) * ends[:, :1] + along * ends[:, 1:]).astype(np.float32))
    assert found["value"].to_numpy() == pytest.approx(1, abs=1e-6)
    assert found["standard_error"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert found["n"].tolist() == [4, 4]


def test_half_a_circle_and_a_jump_against_closed_forms():
    angles = np.linspace(0, np.pi, 5)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert measures(circle[None])["path_ratio"][0] == pytest.approx(4 * np.sin(np.pi / 8))
    jump = np.array([0.0, 0.0, 0.0, 1.0, 1.0])[None, :, None]
    found = measures(jump)
    assert found["path_ratio"][0] == 1
    assert found["largest_step"][0] == 4  # of four steps, one goes all the way


def test_spaces_and_scales_of_features_do_not_matter():
    paths = np.random.default_rng(1).normal(size=(5, 6, 3))
    found = table(paths, features=1000 * paths)
    assert found["space"].tolist() == ["pixels", "pixels", "features", "features"]
    np.testing.assert_allclose(found["value"][:2], found["value"][2:])


def test_the_null_keeps_the_ends_and_takes_inner_positions_from_other_pairs():
    labels = np.stack(np.broadcast_arrays(np.arange(5)[:, None], np.arange(4)), axis=2)
    found = shuffle(labels.astype(float), np.random.default_rng(0)).astype(int)
    np.testing.assert_array_equal(found[:, [0, -1]], labels[:, [0, -1]])
    np.testing.assert_array_equal(found[..., 1], labels[..., 1])
    assert (found[:, 1:-1, 0] != labels[:, 1:-1, 0]).all()


def test_the_null_of_independent_points_is_the_value_itself():
    """Paths whose points are independent stay what they are; steps are √(2 d), as the ends are apart."""
    paths = np.random.default_rng(2).normal(size=(40, 5, 400))
    found = table(paths).set_index("quantity")
    assert found.loc["path_ratio", "value"] == pytest.approx(4, rel=0.02)
    np.testing.assert_allclose(found["null"], found["value"], rtol=0.02)
    pd.testing.assert_frame_equal(table(paths), table(paths))


def test_pairs_that_coincide_are_left_out():
    paths = np.random.default_rng(3).normal(size=(4, 5, 3))
    paths[0, -1] = paths[0, 0]
    paths[1] = 1.0
    assert table(paths)["n"].tolist() == [2, 3]
    with pytest.raises(UserError, match="1 pairs of samples"):
        table(paths[:1])
