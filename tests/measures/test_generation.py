import numpy as np
import pandas as pd
import pytest
from scipy.fft import dctn, idctn
from scipy.stats import spearmanr

from ihdm.errors import UserError
from ihdm.measures.generation import generation_rows, reached
from ihdm.metrics.spectrum import annulus_power, radial_frequencies, rank_correlation

LEVELS = np.arange(20, -1, -1)


def generated(gain, size=8, num_images=6):
    """Final images, and estimates whose coefficient power is gain(frequency, done) of theirs."""
    final = np.random.default_rng(0).normal(size=(num_images, size, size, 2))
    frequencies = radial_frequencies(size, size)[None, :, :, None]
    coefficients = np.sqrt([gain(frequencies, 1 - level / 20) for level in LEVELS[:-1]])
    spectrum = dctn(final, axes=(1, 2), norm="ortho")
    return np.stack([idctn(c * spectrum, axes=(1, 2), norm="ortho") for c in coefficients]), final


@pytest.mark.parametrize("size", [8, 16])
def test_each_band_is_reached_when_its_gain_is_a_half(size):
    """Power that grows linearly with what is done, in all bands alike: half of it is there half-way."""
    estimates, final = generated(lambda frequency, done: np.full_like(frequency, done), size)
    found = pd.DataFrame(generation_rows(LEVELS, estimates, final, 20, 0))
    assert len(found) == 7
    bands = found.iloc[:-1]
    np.testing.assert_allclose(bands["value"], 0.5, atol=1e-9)
    np.testing.assert_allclose(bands["level"], 10, atol=1e-6)
    np.testing.assert_allclose(bands["standard_error"], 0, atol=1e-9)
    np.testing.assert_allclose(bands["frequency"], annulus_power(final, 6)[0])


@pytest.mark.parametrize(("sign", "order"), [(1, 1.0), (-1, -1.0)])
def test_order_is_one_from_coarse_to_fine_and_minus_one_the_other_way(sign, order):
    def gain(frequency, done):
        place = frequency / np.sqrt(2) / np.pi
        return np.clip(done * 4 - 3 * (place if sign > 0 else 1 - place), 0, 1)

    found = pd.DataFrame(generation_rows(LEVELS, *generated(gain), 30, 0))
    assert found.iloc[-1]["band"] == "order"
    assert found.iloc[-1]["value"] == order
    assert (np.sign(np.diff(found["value"][:-1])) == sign).all()


def test_components_unrelated_to_the_image_do_not_count():
    """Strong noise in early estimates, as of a network that sees nothing yet, leaves the place where it was."""
    estimates, final = generated(lambda frequency, done: np.full_like(frequency, done), 16, 200)
    noise = 5 * np.random.default_rng(1).normal(size=estimates[:5].shape)
    estimates[:5] += noise
    found = pd.DataFrame(generation_rows(LEVELS, estimates, final, 20, 0)).iloc[:-1]
    np.testing.assert_allclose(found["value"], 0.5, atol=1e-9)


def test_what_is_there_at_once_has_zero_and_what_never_comes_one():
    done = np.array([0.0, 0.25, 0.5])
    power = np.array([[2.0, 0.0, 0.0], [2.0, 0.1, 3.0], [1.0, 0.2, 3.0]])
    np.testing.assert_allclose(reached(done, power / 2), [0.0, 1.0, 0.25 / 3])


def test_the_last_time_counts():
    """A band that is reached, lost and reached again."""
    power = np.array([0.0, 2.0, 0.0, 2.0])[:, None]
    assert reached(np.linspace(0, 0.75, 4), power / 2)[0] == pytest.approx(0.625)


def test_rank_correlation_against_scipy_and_without_order():
    rng = np.random.default_rng(1)
    for _ in range(5):
        first, second = rng.normal(size=6), rng.integers(0, 4, 6).astype(float)
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic)
    assert rank_correlation(first, np.ones(6)) == 0


def test_errors_cover_the_spread_of_new_images():
    """Bootstrap errors against the spread of the value over independent sets of images."""

    def one(seed):
        rng = np.random.default_rng(seed)
        final = rng.normal(size=(40, 8, 8, 1))
        growth = rng.uniform(0.5, 2, size=(40, 1, 1, 1))
        estimates = np.stack([np.sqrt((1 - k / 20) ** growth) * final for k in LEVELS[:-1]])
        return pd.DataFrame(generation_rows(LEVELS, estimates, final, 60, 0)).iloc[1]

    found = pd.DataFrame([one(seed) for seed in range(30)])
    assert found["standard_error"].mean() == pytest.approx(found["value"].std(), rel=0.35)


def test_estimates_and_levels_must_belong_together():
    with pytest.raises(UserError, match="3 estimates of 4 images at 3 levels"):
        generation_rows(np.array([2, 1, 0]), np.zeros((3, 4, 8, 8, 1)), np.zeros((4, 8, 8, 1)), 20, 0)
