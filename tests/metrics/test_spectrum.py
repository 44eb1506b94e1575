import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import idctn

from ihdm.errors import UserError
from ihdm.metrics import spectrum
from ihdm.metrics.spectrum import (
    BANDS,
    MeanPower,
    band_power,
    band_rows,
    coefficient_power,
    fit_alpha,
    power_spectrum,
    radial_frequencies,
    real_band_rows,
)


def test_white_noise_is_flat():
    """Noise of variance s² has power s² at every frequency, within four standard errors."""
    images = np.random.default_rng(0).standard_normal((300, 16, 16, 3)) * 0.2
    frequencies, power = power_spectrum(images, 20)
    counts = np.histogram(radial_frequencies(16, 16).ravel()[1:], np.linspace(0, np.sqrt(2) * np.pi, 21))[0]
    errors = 0.2**2 * np.sqrt(2 / (300 * 3 * counts[counts > 0]))
    assert len(frequencies) == (counts > 0).sum()
    assert (np.abs(power - 0.2**2) < 4 * errors).all()


def test_alpha_of_a_known_power_law():
    frequencies = radial_frequencies(64, 64)
    amplitude = np.where(frequencies > 0, np.maximum(frequencies, 1e-9) ** -1.2, 0)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(8, 64, 64))
    images = idctn(signs * amplitude, axes=(1, 2), norm="ortho")[..., None]
    alpha = fit_alpha(*power_spectrum(images, 50), 0.5, np.pi)
    assert alpha == pytest.approx(2.4, abs=0.03)


@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 2**16))
@settings(deadline=None, max_examples=40)
def test_power_is_energy(height, width, seed):
    """Parseval: the power of all coefficients is the energy of the pixels."""
    images = np.random.default_rng(seed).random((2, height, width, 3))
    energy = np.square(images).sum(axis=(1, 2)).mean(axis=-1)
    np.testing.assert_allclose(coefficient_power(images).sum(axis=(1, 2)), energy)


def test_bands_split_the_plane():
    frequencies = radial_frequencies(16, 16)
    inside = [(frequencies >= low) & (frequencies < high) for low, high in BANDS.values()]
    assert (np.sum(inside, axis=0) == 1).all()


def test_a_cosine_has_its_power_in_its_band():
    coefficients = np.zeros((1, 16, 16))
    coefficients[0, 0, 10] = 1  # frequency 10π/16, between π/2 and 3π/4
    power = band_power(idctn(coefficients, axes=(1, 2), norm="ortho")[..., None])
    assert power[0, 2] > 0
    np.testing.assert_allclose(power[0, [0, 1, 3]], 0, atol=1e-25)


def test_rows_are_relative_to_the_reference():
    rng = np.random.default_rng(0)
    real = rng.integers(100, 150, (200, 8, 8, 1), dtype=np.uint8)
    rougher = ((real.astype(float) - 125) * 2 + 125).astype(np.uint8)
    sets = {"same": real[:100], "rougher": rougher}
    rows = {(row["set"], row["band"]): row for row in band_rows(sets, MeanPower.of(real), 20)}
    for band in BANDS:
        assert rows["same", band]["low"] < 1 < rows["same", band]["high"]
        assert rows["rougher", band]["value"] == pytest.approx(4, rel=0.1)


def test_resamples_reach_the_spectral_distance():
    real, samples = np.random.default_rng(0).integers(0, 256, (2, 60, 8, 8, 1), dtype=np.uint8)
    power = MeanPower.of(real)
    few, many = ({row["band"]: row for row in band_rows({"x": samples}, power, number)} for number in (20, 100))
    assert few["all"]["value"] == many["all"]["value"]
    assert few["all"]["standard_error"] != many["all"]["standard_error"]
    assert few["low"] == many["low"]


def test_no_frequency_in_a_band():
    small = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), dtype=np.uint8)
    for size in (2, 4):
        with pytest.raises(UserError, match=rf"images of {size} × {size} pixels have no frequency .* 5 × 5 pixels"):
            MeanPower.of(small[:, :size, :size])
    band_power(np.zeros((1, 5, 5, 1)))
    with pytest.raises(UserError, match="two are needed"):
        fit_alpha(np.array([1.0, 2.0]), np.array([1.0, 1.0]), 5.0, 6.0)
    with pytest.raises(UserError, match="no power at some frequency"):
        fit_alpha(np.array([1.0, 2.0]), np.array([1.0, 0.0]), 0.0, 6.0)


@pytest.mark.parametrize("gray", [0, 37, 255])
def test_a_reference_without_power_is_refused(gray):
    flat = np.full((20, 8, 8, 1), gray, np.uint8)
    with pytest.raises(UserError, match="no power in some"):
        MeanPower.of(flat)
    # One pixel that is one gray level off is enough.
    flat = np.repeat(flat, 50, axis=0)
    flat[3, 2, 1] ^= 1
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    assert len(band_rows({"x": images}, MeanPower.of(flat), 20)) == 5


def test_the_mean_power_of_training_images_is_found_once(tmp_path, ihdm, monkeypatch):
    """Stored, it is read and not found again, and rows are what they are without the store."""
    train, test = np.random.default_rng(0).integers(0, 256, (2, 60, 8, 8, 1), dtype=np.uint8)
    for name, images in (("train", train), ("test", test)):
        np.save(tmp_path / f"{name}.npy", images)
    expected = real_band_rows(train, test, MeanPower.of(train), 20, 20)
    ihdm("metrics", "mean-power", "--train", tmp_path / "train.npy", "--output", tmp_path / "power.npz")
    counted: list[int] = []

    def count(images: np.ndarray) -> np.ndarray:
        counted.append(len(images))
        return coefficient_power(images)

    monkeypatch.setattr(spectrum, "coefficient_power", count)
    ihdm("metrics", "spectrum-real", "--power", tmp_path / "power.npz", "--settings",
        '{"num_images": 20, "num_resamples": 20}',
        "--train", tmp_path / "train.npy", "--test", tmp_path / "test.npy", "--output", tmp_path / "x.csv",
    )  # fmt: skip
    assert set(counted) == {20, 40}  # the first of both splits, and the others of the training images
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "x.csv")["value"], [row["value"] for row in expected])
