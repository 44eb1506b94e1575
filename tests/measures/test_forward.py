"""What heat and noise do to images, against what is known beforehand."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from ihdm.errors import UserError
from ihdm.measures import forward
from ihdm.measures.forward import forward_rows, half_widths


def natural(count=40, size=16, power_law=2.0):
    """Images of random phase with a given power law, as 8-bit."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    frequency[0, 0] = 1
    waves = np.fft.fft2(rng.standard_normal((count, size, size))) * frequency ** (-power_law / 2)
    images = np.fft.ifft2(waves).real
    images *= 0.1 / images.std()
    return np.clip(np.rint(255 * (0.5 + images)), 0, 255).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame(forward_rows(natural(), 20, 0))


def test_heat_is_a_gaussian_filter_away_from_borders(table):
    found = table[table["quantity"] == "gaussian_difference"]
    assert found["strength"].tolist() == [1.0, 1.5, 2.0]  # of 3 pixels nothing is left inside 16
    assert (found["high"] < 0.01).all()
    assert (found["value"] > 0).all()


def test_another_blur_differs_from_a_gaussian_filter(monkeypatch):
    monkeypatch.setattr(
        "scipy.ndimage.gaussian_filter", lambda images, width, mode: gaussian_filter(images, 1.1 * np.array(width))
    )
    found = pd.DataFrame(forward_rows(natural(), 20, 0))
    assert (found.loc[found["quantity"] == "gaussian_difference", "low"] > 0.02).all()


def test_noise_adds_its_variance_to_every_band(table):
    found = table[table["quantity"] == "added_power"]
    assert len(found) == 3 * 6
    np.testing.assert_allclose(found["value"], 1, atol=0.03)
    assert (found["standard_error"] > 0).all()


def test_fine_detail_goes_first(table):
    orders = table[table["quantity"] == "order"].set_index("process")["value"]
    assert orders.to_dict() == {"heat": 1.0, "noise": 1.0}
    widths = table[(table["quantity"] == "halving") & (table["process"] == "heat")]
    assert (np.diff(widths["value"]) < 0).all()


def test_noise_drowns_coarse_detail_first_where_there_is_less_of_it():
    found = pd.DataFrame(forward_rows(natural(power_law=-2.0), 20, 0))
    orders = found[found["quantity"] == "order"].set_index("process")["value"]
    assert orders["noise"] == -1.0
    assert orders["heat"] == 1.0


def test_half_of_a_gaussian_is_left_at_its_half_width():
    """exp(−λ σ_B²) = 1/2 at σ_B = √(ln 2 / λ)."""
    blurs = np.geomspace(0.1, 16, 400)
    eigenvalues = np.array([0.1, 1.0, 5.0])
    found = half_widths(blurs, np.exp(-np.outer(blurs**2, eigenvalues)))
    np.testing.assert_allclose(found, np.sqrt(np.log(2) / eigenvalues), rtol=1e-4)


def test_noise_is_an_images_own_and_few_values_are_drawn_of_large_ones(monkeypatch):
    monkeypatch.setattr(forward, "MOST_VALUES", 1)
    found = pd.DataFrame(forward_rows(natural(), 20, 0))
    once = found[found["quantity"] == "added_power"]
    assert once["standard_error"].mean() > 0.01  # one draw for each image


def test_flat_images_are_refused():
    with pytest.raises(UserError, match="no power in some"):
        forward_rows(np.full((4, 8, 8, 1), 100, dtype=np.uint8), 20, 0)
