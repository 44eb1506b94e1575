import math

import numpy as np
import pytest

from ihdm.metrics.estimates import SHARE, mean_of_defined, ratio_estimate


def test_values_that_mean_nothing_are_left_out():
    count, estimate = mean_of_defined(np.array([0.2, np.nan, 0.4]), SHARE)
    assert (count, estimate.value, estimate.standard_error) == (2, pytest.approx(0.3), pytest.approx(0.1))
    count, estimate = mean_of_defined(np.array([0.2, np.nan]), SHARE)
    assert count == 1
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)


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
