import math

import numpy as np
import pytest

from ihdm.metrics.estimates import (
    SHARE,
    difference_of_parts,
    error_parts,
    group_numbers,
    jackknife,
    mean_estimate,
    mean_of_defined,
    ratio_estimate,
    read_parts,
)
from ihdm.metrics.kernel import kernel_distance, mean_over_pairs


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
