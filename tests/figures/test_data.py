import numpy as np
import pytest
from scipy.fft import idctn

from ihdm.measures.data_spectrum import FIT_HIGH, power_law_rows
from ihdm.metrics.spectrum import annulus_power, power_spectrum, radial_frequencies


def images_of_power_law(alpha, count=200, size=32, seed=0):
    """Gray images whose DCT coefficients are independent, normal and of variance ∝ 1/f^α."""
    frequencies = radial_frequencies(size, size)
    scale = np.zeros_like(frequencies)
    scale[frequencies > 0] = frequencies[frequencies > 0] ** (-alpha / 2)
    coefficients = np.random.default_rng(seed).standard_normal((count, size, size)) * scale
    pixels = 0.5 + 0.1 * idctn(coefficients, axes=(1, 2), norm="ortho")
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)[..., None]


@pytest.mark.parametrize("alpha", [1.0, 2.0, 2.5])
def test_alpha_of_a_power_law_comes_back_within_its_interval(alpha):
    # One interval in twenty misses; over these seeds at least 16 of 20 hit with probability 0.997.
    rows = [power_law_rows(images_of_power_law(alpha, 60, 16, seed), 60, seed)[-1] for seed in range(20)]
    assert {row["quantity"] for row in rows} == {"alpha"}
    hits = sum(row["low"] - 0.01 <= alpha <= row["high"] + 0.01 for row in rows)
    assert hits >= 16
    assert np.mean([row["value"] for row in rows]) == pytest.approx(alpha, abs=0.03)


def test_rows_say_over_which_frequencies_and_how_many_images():
    rows = power_law_rows(images_of_power_law(2.0), 20, 0)
    alpha, powers = rows[-1], rows[:-1]
    fitted = [row["low_frequency"] for row in powers if row["low_frequency"] <= FIT_HIGH]
    assert (alpha["low_frequency"], alpha["high_frequency"]) == (min(fitted), max(fitted))
    assert {row["n"] for row in rows} == {200}
    assert all(row["low"] < row["value"] < row["high"] for row in powers)


def test_the_mean_over_images_is_the_power_spectrum():
    images = images_of_power_law(2.0, count=9) / 255
    frequencies, power = annulus_power(images, 50)
    expected = power_spectrum(images, 50)
    np.testing.assert_allclose(frequencies, expected[0])
    np.testing.assert_allclose(power.mean(axis=0), expected[1])
    assert power.shape == (9, len(frequencies))
