import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ihdm.errors import UserError
from ihdm.measures.disentanglement import (
    color_and_structure,
    share_errors,
    share_interval,
    share_rows,
    variance_shares,
)


def grid(start: float, noise: float, interaction: float, *, size: int, dims: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        start * rng.standard_normal((size, 1, dims))
        + noise * rng.standard_normal((1, size, dims))
        + interaction * rng.standard_normal((size, size, dims))
    )


def test_known_variances_are_found():
    """σ = 2, 1, 1 for start, noise and interaction: shares 4/6, 1/6, 1/6, within a few percent over 2000 dimensions."""
    shares = variance_shares(grid(2, 1, 1, size=12, dims=2000, seed=0))
    assert shares["start"] == pytest.approx(4 / 6, abs=0.02)
    assert shares["noise"] == pytest.approx(1 / 6, abs=0.02)
    assert shares["interaction"] == pytest.approx(1 / 6, abs=0.02)


def test_shares_of_pure_interaction_are_unbiased():
    """Without correction for degrees of freedom, start and noise would each get 1/12 here."""
    shares = [variance_shares(grid(0, 0, 1, size=12, dims=50, seed=seed))["start"] for seed in range(100)]
    assert abs(np.mean(shares)) < 4 * np.std(shares) / np.sqrt(len(shares))


@given(seed=st.integers(0, 2**16), starts=st.integers(2, 6), noises=st.integers(2, 6))
@settings(deadline=None, max_examples=30)
def test_shares_sum_to_one_and_swap(seed, starts, noises):
    values = np.random.default_rng(seed).standard_normal((starts, noises, 3))
    shares, swapped = variance_shares(values), variance_shares(values.swapaxes(0, 1))
    assert shares["start"] + shares["noise"] + shares["interaction"] == pytest.approx(1)
    assert shares["start"] == pytest.approx(swapped["noise"])


def test_extremes():
    rng = np.random.default_rng(0)
    by_start = np.broadcast_to(rng.random((5, 1, 2)), (5, 4, 2))
    assert variance_shares(by_start)["start"] == pytest.approx(1)
    for constant in (1.0, np.nan, np.inf):
        with pytest.raises(UserError, match="no variance to split"), np.errstate(invalid="ignore"):
            variance_shares(np.full((3, 3, 2), constant))
    with pytest.raises(ValueError, match="at least two"):
        variance_shares(np.ones((1, 3, 2)))


@pytest.mark.parametrize("dims", [1, 64])
def test_errors_are_the_spread_over_grids(dims):
    """Of 300 grids of 12 starts and noises: the median error is the interquartile spread of the share within 20 %."""
    grids = [grid(1, 1, 0.5, size=12, dims=dims, seed=seed) for seed in range(300)]
    low, high = np.quantile([variance_shares(values)["start"] for values in grids], (0.25, 0.75))
    errors = [share_errors(values)["start"] for values in grids[:100]]
    assert np.median(errors) == pytest.approx((high - low) / 1.349, rel=0.2)


def test_two_starts_have_no_error():
    assert np.isnan(share_errors(np.random.default_rng(0).random((2, 5, 1)))["start"])


@pytest.mark.parametrize("share", [-0.01, 0.0, 0.3, 0.99, 1.0, 1.02])
@pytest.mark.parametrize("error", [0.0, 0.01, 1.0, 1e9])
def test_intervals_of_shares_hold_the_share_and_end_inside(share, error):
    low, high = share_interval(share, error)
    assert low <= share <= high
    assert low >= min(share, 0)
    assert high <= max(share, 1)


def test_color_and_structure_add_up_to_the_image():
    images = np.random.default_rng(0).random((2, 3, 4, 5, 3))
    parts = color_and_structure(images)
    np.testing.assert_allclose(parts["structure"] + parts["mean colour"][:, :, None, None], images)
    np.testing.assert_allclose(parts["structure"].mean(axis=(2, 3)), 0, atol=1e-15)


def test_images_colored_by_start_and_shaped_by_noise():
    rng = np.random.default_rng(0)
    pattern = rng.standard_normal((1, 6, 8, 8, 3))
    images = rng.random((6, 1, 1, 1, 3)) + pattern - pattern.mean(axis=(2, 3), keepdims=True)
    rows = {row["quantity"]: row for row in share_rows(images)}
    assert rows["mean colour"]["start"] == pytest.approx(1)
    assert rows["structure"]["noise"] == pytest.approx(1)
    assert (rows["structure"]["num_starts"], rows["structure"]["num_noises"]) == (6, 6)
