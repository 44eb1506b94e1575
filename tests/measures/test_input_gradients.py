import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.measures.input_gradients import inner_pixels, input_gradient_rows, measures

GRID = np.array([[row, column] for row in (4, 8, 12) for column in (4, 8, 12)])


def table(gradients, pixels=GRID, levels=(10, 1)):
    found = pd.DataFrame(input_gradient_rows(np.array(levels), pixels, {"residual": gradients}))
    return found.set_index(["stage", "quantity"])


def around(pixels, shape, image_count=3, size=16):
    """The gradients that have this shape around each pixel, as functions of rows and columns away from it."""
    rows, columns = np.mgrid[:size, :size]
    one = np.stack([shape(rows - row, columns - column) for row, column in pixels])
    return np.repeat(one[:, None], image_count, axis=1)[None].repeat(2, axis=0).astype(np.float32)


def test_a_single_pixel_has_no_width():
    found = table(around(GRID, lambda row, column: (row == 0) & (column == 0)))["value"][0]
    assert found.to_dict() == {
        "within_1": 1, "within_2": 1, "within_3": 1, "effective_radius": 0, "centre": 1, "neighbours": 0,
    }  # fmt: skip


def test_a_small_cross_against_explicit_sums():
    """Two at the center, minus one at its four neighbours, one at distance two, below."""

    def cross(row, column):
        return 2.0 * ((row == 0) & (column == 0)) - (np.hypot(row, column) == 1) + ((row == 2) & (column == 0))

    found = table(around(GRID, cross))["value"][1]
    assert found["within_1"] == pytest.approx(6 / 7)
    assert found["within_2"] == 1
    assert found["effective_radius"] == pytest.approx((4 * 1 + 2) / 7)
    assert found["centre"] == 1
    assert found["neighbours"] == -0.5


def test_a_gaussian_has_the_radius_of_the_rayleigh_distribution():
    """Its mean is width √(π/2); on a wide grid, the sum over pixels is close to the integral."""
    rows, columns = np.mgrid[:61, :61] - 30
    gradient = np.exp(-(rows**2 + columns**2) / (2 * 3.0**2))[None]
    found = measures(gradient, 30, 30)
    assert found["effective_radius"][0] == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.01)
    assert found["within_3"][0] == pytest.approx(1 - np.exp(-0.5), abs=0.03)


def test_the_null_is_that_of_an_even_gradient():
    even = table(np.ones((2, 9, 4, 16, 16), dtype=np.float32))
    np.testing.assert_allclose(even["value"], even["null"], rtol=1e-6)
    assert even["null"][0]["within_1"] == pytest.approx(5 / 256)
    assert even["null"][0]["centre"] == 1


def test_pixels_near_a_border_do_not_count():
    assert inner_pixels(GRID, 16, 16) == list(range(9))
    assert inner_pixels(GRID, 15, 16) == [0, 1, 2, 3, 4, 5]
    small = np.array([[row, column] for row in (1, 3, 6) for column in (1, 3, 6)])
    assert inner_pixels(small, 8, 8) == [4]
    assert inner_pixels(small, 6, 6) == [4]  # where none lies inside, the middle one


def test_images_without_gradient_are_left_out_and_errors_are_over_images():
    gradients = np.abs(np.random.default_rng(0).normal(size=(1, 9, 4, 16, 16))).astype(np.float32)
    gradients[:, :, 0] = 0
    found = table(gradients, levels=(10,))
    assert set(found["n"]) == {3}
    by_image = [
        np.mean([measures(gradients[0, p, [i]], *GRID[p].tolist())["within_2"][0] for p in range(9)]) for i in (1, 2, 3)
    ]
    assert found["value"][0]["within_2"] == pytest.approx(np.mean(by_image), rel=1e-5)
    assert found["standard_error"][0]["within_2"] == pytest.approx(np.std(by_image, ddof=1) / np.sqrt(3), rel=1e-4)
    gradients[:] = 0
    assert table(gradients, levels=(10,))["value"].isna().all()


def test_gradients_must_belong_to_levels_and_pixels():
    with pytest.raises(UserError, match="'residual' holds 1 × 9 stages and pixels, not 2 × 9"):
        table(np.zeros((1, 9, 2, 16, 16), dtype=np.float32))
