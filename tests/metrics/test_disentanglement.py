import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ihdm.measures.disentanglement import colour_and_structure, share_error, share_rows, variance_shares


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
    assert shares.start == pytest.approx(4 / 6, abs=0.02)
    assert shares.noise == pytest.approx(1 / 6, abs=0.02)
    assert shares.interaction == pytest.approx(1 / 6, abs=0.02)


def test_shares_of_pure_interaction_are_unbiased():
    """Without correction for degrees of freedom, start and noise would each get 1/12 here."""
    shares = [variance_shares(grid(0, 0, 1, size=12, dims=50, seed=seed)).start for seed in range(100)]
    assert abs(np.mean(shares)) < 4 * np.std(shares) / np.sqrt(len(shares))


@given(seed=st.integers(0, 2**16), starts=st.integers(2, 6), noises=st.integers(2, 6))
@settings(deadline=None, max_examples=30)
def test_shares_sum_to_one_and_swap(seed, starts, noises):
    values = np.random.default_rng(seed).standard_normal((starts, noises, 3))
    shares, swapped = variance_shares(values), variance_shares(values.swapaxes(0, 1))
    assert shares.start + shares.noise + shares.interaction == pytest.approx(1)
    assert shares.start == pytest.approx(swapped.noise)


def test_extremes():
    rng = np.random.default_rng(0)
    by_start = np.broadcast_to(rng.random((5, 1, 2)), (5, 4, 2))
    assert variance_shares(by_start).start == pytest.approx(1)
    with pytest.raises(ValueError, match="do not vary"):
        variance_shares(np.ones((3, 3, 2)))
    with pytest.raises(ValueError, match="at least two"):
        variance_shares(np.ones((1, 3, 2)))


def test_errors_are_those_of_few_starts_and_noises():
    """Of one number an image, starts and noises varying alike: the spread of the share over 2000 grids, within a tenth.

    Unlikely grids aside, the formula is of first order: the interquartile range tells.
    """
    size = 40
    found = [variance_shares(grid(1, 1, 0, size=size, dims=1, seed=seed)).start for seed in range(2000)]
    low, high = np.quantile(found, (0.25, 0.75))
    assert share_error(0.5, size, size) == pytest.approx((high - low) / 1.349, rel=0.1)


def test_a_share_that_is_all_or_nothing_has_no_error():
    assert share_error(-0.01, 5, 5) == share_error(1.01, 5, 5) == 0


def test_colour_and_structure_add_up_to_the_image():
    images = np.random.default_rng(0).random((2, 3, 4, 5, 3))
    parts = colour_and_structure(images)
    np.testing.assert_allclose(parts["structure"] + parts["mean colour"][:, :, None, None], images)
    np.testing.assert_allclose(parts["structure"].mean(axis=(2, 3)), 0, atol=1e-15)


def test_images_coloured_by_start_and_shaped_by_noise():
    rng = np.random.default_rng(0)
    pattern = rng.standard_normal((1, 6, 8, 8, 3))
    images = rng.random((6, 1, 1, 1, 3)) + pattern - pattern.mean(axis=(2, 3), keepdims=True)
    rows = {row["quantity"]: row for row in share_rows(images)}
    assert rows["mean colour"]["start"] == pytest.approx(1)
    assert rows["structure"]["noise"] == pytest.approx(1)
    assert (rows["structure"]["num_starts"], rows["structure"]["num_noises"]) == (6, 6)
