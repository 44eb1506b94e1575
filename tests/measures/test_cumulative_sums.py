import numpy as np
import pandas as pd
import pytest
from scipy.fft import idctn

from ihdm.errors import UserError
from ihdm.measures.cumulative_sums import cumulative_sum_rows
from ihdm.metrics.spectrum import MAX_FREQUENCY, radial_frequencies


def wave(row, column, size=8):
    coefficients = np.zeros((size, size))
    coefficients[row, column] = 3.0
    return idctn(coefficients, norm="ortho")[..., None]


def test_a_wave_has_all_its_power_in_its_own_band_and_the_constant_counts_for_none():
    sums = np.stack([np.stack([wave(1, 0) + 100, wave(0, 1)]), np.stack([wave(7, 7), wave(6, 7)])])
    found = pd.DataFrame(cumulative_sum_rows(np.array([9, 4, 0]), sums))
    assert found[["level_from", "level_to"]].drop_duplicates().to_numpy().tolist() == [[9, 4], [4, 0]]
    shares = found.pivot_table(index="range", columns="band", values="value").to_numpy()
    expected = np.zeros((2, 6))
    expected[0, 0] = 1
    expected[1, [int(6 * np.pi * np.hypot(row, 7) / 8 / MAX_FREQUENCY) for row in (7, 6)]] += 1
    np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("size", [8, 16])
def test_white_noise_fills_bands_by_their_number_of_frequencies(size):
    sums = np.random.default_rng(0).normal(size=(1, 300, size, size, 1))
    found = pd.DataFrame(cumulative_sum_rows(np.array([5, 0]), sums))
    frequencies = radial_frequencies(size, size).ravel()[1:]
    counts, _ = np.histogram(frequencies, bins=6, range=(0, MAX_FREQUENCY))
    np.testing.assert_allclose(found["value"], counts / counts.sum(), atol=0.01)
    assert found["value"].sum() == pytest.approx(1)
    assert ((found["value"] - counts / counts.sum()).abs() < 4 * found["standard_error"]).all()


def test_images_without_power_are_left_out():
    sums = np.random.default_rng(1).normal(size=(1, 3, 8, 8, 1)).astype(np.float32)
    sums[0, 0] = 0
    assert [row["n"] for row in cumulative_sum_rows(np.array([5, 0]), sums)] == [2] * 6
    with pytest.raises(UserError, match="1 ranges between 3 levels"):
        cumulative_sum_rows(np.array([5, 1, 0]), sums)
