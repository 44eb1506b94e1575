import math

import numpy as np
import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.metrics.estimates import (
    SHARE,
    degrees_of_freedom,
    difference_of_parts,
    error_parts,
    group_numbers,
    half_widths,
    jackknife,
    jackknife_by_photograph,
    mean_estimate,
    mean_of_defined,
    ratio_estimate,
    read_parts,
)
from ihdm.metrics.frechet_kernel import FrechetDistance, Gaussian, kernel_distance, mean_over_pairs


def test_values_that_mean_nothing_are_left_out():
    count, estimate = mean_of_defined(np.array([0.2, np.nan, 0.4]), SHARE)
    assert (count, estimate.value, estimate.standard_error) == (2, pytest.approx(0.3), pytest.approx(0.1))
    count, estimate = mean_of_defined(np.array([0.2, np.nan]), SHARE)
    assert count == 1
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)


@pytest.mark.parametrize("count", [3, 19, 20, 33, 400])
def test_the_parts_of_an_error_make_up_the_whole(count):
    rng = np.random.default_rng(0)
    values = rng.gamma(2, size=count)
    features, reference = rng.standard_normal((count, 4)), rng.standard_normal((50, 4))
    for found in (
        mean_estimate(values),
        jackknife(lambda part: float(values[part].mean() ** 2), count, 50, 0),
        kernel_distance(features, reference, mean_over_pairs(reference)),
    ):
        text = found.columns()["error_parts"]
        assert np.linalg.norm(read_parts(text)) == pytest.approx(found.standard_error, rel=1e-4)


def test_the_kernel_distance_without_a_group_is_that_of_the_others():
    rng = np.random.default_rng(0)
    features, reference = rng.standard_normal((47, 4)) * 1.2, rng.standard_normal((60, 4))
    real, groups = mean_over_pairs(reference), group_numbers(47)
    left_out = [kernel_distance(features[groups != group], reference, real).value for group in range(20)]
    whole = kernel_distance(features, reference, real, block=10)
    assert whole.parts == pytest.approx(error_parts(np.array(left_out), whole.standard_error))


def test_values_without_all_images_have_no_parts():
    assert mean_of_defined(np.array([0.2, np.nan, 0.4]))[1].parts == ()
    assert read_parts(float("nan")) == read_parts("") == ()
    assert difference_of_parts((1.0, 2.0), ()) == ()


def test_the_error_of_a_ratio_is_its_spread_over_new_images():
    rng = np.random.default_rng(0)
    below = rng.uniform(1, 3, size=(400, 50))
    above = 0.5 * below + rng.normal(size=(400, 50)) * 0.2
    found = [ratio_estimate(*pair) for pair in zip(above, below, strict=True)]
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.003)
    assert np.mean([one.standard_error for one in found]) == pytest.approx(
        np.std([one.value for one in found]), rel=0.1
    )
    assert ratio_estimate(0.7 * below[0], below[0]).standard_error == pytest.approx(0, abs=1e-12)


def test_the_error_of_squares_is_that_of_the_means_of_photographs():
    """With equally many squares of each: s/√G over G photographs, with G − 1 degrees of freedom."""
    rng, photographs = np.random.default_rng(0), np.random.default_rng(1).permutation(140) % 7
    values = rng.standard_normal(7)[photographs] + rng.standard_normal(140)
    means = [values[photographs == number].mean() for number in range(7)]
    found = mean_estimate(values, photographs=photographs)
    assert found.value == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(np.std(means, ddof=1) / np.sqrt(7))
    assert found.standard_error > 2 * mean_estimate(values).standard_error
    assert found.high - found.value == pytest.approx(2.4469 * found.standard_error, rel=1e-4)
    text = found.columns()["error_parts"]
    assert np.linalg.norm(read_parts(text)) == pytest.approx(found.standard_error, rel=1e-4)
    # A statistic and a ratio that are this mean have the same error.
    for same in (
        jackknife(lambda part: float(values[part].mean()), 140, 50, 0, photographs=photographs),
        ratio_estimate(values, np.ones(140), photographs=photographs),
    ):
        assert (same.value, same.standard_error) == pytest.approx((found.value, found.standard_error))
    with pytest.raises(UserError, match="140 images of one photograph have no standard error"):
        jackknife_by_photograph(lambda part: float(values[part].mean()), np.zeros(140, np.int64))


def test_photographs_with_few_images_do_not_spoil_the_error_of_a_biased_statistic():
    """Fréchet distances have a bias of order 1/n, so a photograph with many images moves them by its number alone."""
    reference = Gaussian.of(np.random.default_rng(1).standard_normal((4000, 16)).astype(np.float32))
    photographs = np.repeat(np.arange(7), [4, 12, 6, 12, 4, 2, 8])
    found = [
        jackknife_by_photograph(FrechetDistance(part, reference).value, photographs)
        for part in np.random.default_rng(0).standard_normal((100, 48, 16)).astype(np.float32)
    ]
    deviation = np.std([one.value for one in found])
    assert 0.8 * deviation < np.median([one.standard_error for one in found]) < 1.5 * deviation


def test_two_values_of_the_same_squares_are_compared_by_photograph():
    photographs = np.arange(140) % 7
    first, second = np.random.default_rng(0).standard_normal((2, 7))
    errors = [mean_estimate(one[photographs], photographs=photographs) for one in (first, second)]
    whole = mean_estimate((first - second)[photographs], photographs=photographs)
    assert np.linalg.norm(difference_of_parts(*(one.parts for one in errors))) == pytest.approx(whole.standard_error)


def test_half_widths_of_tables_are_those_of_intervals():
    rng = np.random.default_rng(0)
    found = [mean_estimate(rng.standard_normal(count)) for count in (5, 20, 300)]
    found.append(mean_estimate(rng.standard_normal(300), photographs=np.arange(300) % 7))
    table = pd.DataFrame([{"n": n, **one.columns()} for n, one in zip((5, 20, 300, 300), found, strict=True)])
    np.testing.assert_allclose(half_widths(table), [one.high - one.value for one in found])
    assert [degrees_of_freedom(row) for _, row in table.iterrows()] == [4, 19, 299, 6]
    np.testing.assert_allclose(
        half_widths(pd.DataFrame({"n": [300], "standard_error": [2.0]})), 2 * 1.9679, rtol=1e-4
    )  # without parts
