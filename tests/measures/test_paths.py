"""Merging and branching paths of one mode, against closed forms and an independent calculation on a grid."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad

from ihdm.measures import paths
from ihdm.measures.paths import (
    DELTA_RATIO,
    branched_bits,
    entropy,
    merged_bits,
    path_rows,
    posterior,
    reverse_paths,
    scales,
    shown_paths,
)

TWO = np.array([-1.0, 1.0])


def test_the_scale_is_that_of_the_slowest_mode():
    widths = np.geomspace(*paths.BLUR, paths.NUM_LEVELS)
    np.testing.assert_allclose(scales()[1:], np.exp(-((np.pi / 16) ** 2) * widths**2 / 2))
    assert scales()[0] == 1


def test_the_posterior_of_two_points_is_a_logistic_function():
    states = np.linspace(-1, 1, 7)
    expected = 1 / (1 + np.exp(-2 * 0.4 * states / 0.3**2))
    np.testing.assert_allclose(posterior(states, TWO, 0.4, 0.3)[:, 1], expected)


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0])
def test_merging_against_adaptive_quadrature(scale):
    sigma = 0.25

    def integrand(state):
        right = 1 / (1 + np.exp(-2 * scale * state / sigma**2))
        return stats.entropy([right, 1 - right], base=2) * np.mean(stats.norm.pdf(state, scale * TWO, sigma))

    reach = scale + 8 * sigma
    assert merged_bits(TWO, scale, sigma) == pytest.approx(quad(integrand, -reach, reach)[0], abs=1e-7)


def test_paths_apart_have_no_entropy_and_merged_ones_that_of_all_points():
    points = np.array(paths.POINTS)
    assert merged_bits(points, 1.0, 0.005) == pytest.approx(0, abs=1e-9)
    assert merged_bits(points, 1e-6, 0.02) == pytest.approx(2, abs=1e-6)
    np.testing.assert_allclose(entropy(np.array([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]])), [0, 1, 0.811278], atol=1e-6)


def test_branching_against_the_probability_of_the_end_on_a_grid():
    """P(end = 1 | u_k) by integrating over the noise of each step; entropies of 4000 paths agree to 0.02 bits."""
    scale, sigma, level = np.array([1.0, 0.6, 0.4, 0.2]), 0.2, 3
    grid = np.linspace(-3, 3, 1201)
    ends_right = (grid > 0).astype(float)  # the last mean is nearer to 1 where u_1 > 0
    ends_right[600] = 0.5
    for step in (2, 3):
        mean = posterior(grid, TWO, scale[step], sigma) @ (scale[step - 1] * TWO)
        kernel = stats.norm.pdf(grid[None, :], mean[:, None], DELTA_RATIO * sigma)
        ends_right = kernel @ ends_right / kernel.sum(axis=1)
    starts = np.array([-0.3, 0.0, 0.1, 0.5])
    right = np.interp(starts, grid, ends_right)
    found = branched_bits(starts, level, TWO, scale, sigma, np.random.default_rng(0), 4000)
    np.testing.assert_allclose(found, entropy(np.stack([right, 1 - right], axis=1)), atol=0.02)


def test_the_last_step_adds_no_noise():
    found = reverse_paths(np.zeros(3), 1, TWO, np.array([1.0, 0.5]), 0.2, np.random.default_rng(0))
    np.testing.assert_allclose(found, 0)


def test_paths_merge_forward_later_with_less_noise_and_branch_where_they_have_merged(monkeypatch):
    table = pd.DataFrame(path_rows())
    bits = table.pivot_table(index="level", columns=["quantity", "sigma"], values="value")
    merged, branched = bits["merged"], bits["branched"]
    assert (merged.diff(axis=0).dropna() >= -1e-9).all(axis=None)
    assert (merged.diff(axis=1).dropna(axis=1) >= -1e-9).all(axis=None)
    np.testing.assert_allclose(merged.loc[100], 2, atol=1e-3)
    assert (merged.loc[5] < 0.01).iloc[0]
    assert branched.loc[100].min() > 1
    assert branched[0.005].loc[5] == 0
    exact = table[table["quantity"] == "merged"]
    assert (exact["standard_error"] == 0).all()
    monkeypatch.setattr(paths, "ROW_EVERY", 50)
    again = pd.DataFrame(path_rows())
    pd.testing.assert_frame_equal(again, table[table["level"] % 50 == 0].reset_index(drop=True))


def test_shown_paths_start_together_and_end_at_data_points():
    shown = shown_paths()
    assert shown["forward"].shape == (4, 101)
    assert shown["reverse"].shape == (3, 24, 101)
    assert not shown["reverse"][:, :, -1].any()
    ends = shown["reverse"][0, :, 0]
    assert np.abs(ends[:, None] - shown["points"]).min(axis=1).max() < 1e-6
