from dataclasses import replace

import numpy as np
import pytest
import torch

from ihdm.config.processes import HeatSettings
from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.heat import heat_process
from ihdm.measures.psd import NOISE_LEVELS, forward_spectra
from ihdm.metrics.heldout import HeldOutErrors, dequantize, held_out_errors, level_rows
from ihdm.seeds import normal_draws

PROCESS = HeatSettings(kind="heat", sigma=0.05, num_levels=6, blur_sigma_max=4.0)
SETTINGS = ErrorSettings(process=PROCESS, seed=1, num_images=200, micro_batch=64)
IMAGES = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3), dtype=np.uint8)


def nothing(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(images)


@pytest.fixture(scope="module")
def clean() -> torch.Tensor:
    return dequantize(IMAGES)


@pytest.fixture(scope="module")
def errors(clean) -> HeldOutErrors:
    """Those of a network that predicts nothing."""
    return held_out_errors(nothing, clean, SETTINGS)


def test_saved_and_read(clean, tmp_path):
    errors = held_out_errors(nothing, clean[:3], SETTINGS)
    path = tmp_path / "errors.npz"
    errors.save(path, PROCESS)
    found = HeldOutErrors.read(path, PROCESS)
    for name in ("network", "baseline", "controls", "num_dims"):
        np.testing.assert_array_equal(getattr(found, name), getattr(errors, name))
    assert found.photographs is None
    replace(errors, photographs=np.array([4, 2, 4])).save(path, PROCESS)
    assert HeldOutErrors.read(path, PROCESS).photographs.tolist() == [4, 2, 4]
    np.savez(path, **{**np.load(path), "photographs": np.array([4, 2])})
    with pytest.raises(UserError, match="photographs of 2 images, but errors of 3"):
        HeldOutErrors.read(path, PROCESS)
    errors.save(path, PROCESS)
    with pytest.raises(UserError, match=r"errors.npz: was made for sigma 0.05, not sigma 0.06"):
        HeldOutErrors.read(path, PROCESS.model_copy(update={"sigma": 0.06}))
    np.savez(path, **{**np.load(path), "baseline": errors.baseline[:, :2]})
    with pytest.raises(UserError, match="they do not belong together"):
        HeldOutErrors.read(path, PROCESS)


def test_predicting_nothing_is_the_baseline(errors):
    np.testing.assert_array_equal(errors.network, errors.baseline)


def test_baseline_in_closed_form(clean, errors):
    """E‖F(t_k) u + σε − F(t_{k−1}) u‖² = ‖F(t_k) u − F(t_{k−1}) u‖² + N σ², at the right levels, within 4 errors."""
    heat, num_dims = heat_process(PROCESS, 8), 8 * 8 * 3
    for level in range(1, 7):
        step = (heat.blur(clean, level) - heat.blur(clean, level - 1)).square().sum((1, 2, 3)).numpy()
        exact = errors.baseline[0, :, level - 1] - errors.controls[0, :, level - 1, 0]
        np.testing.assert_allclose(exact, step + num_dims * PROCESS.sigma**2, rtol=1e-5)
        excess = errors.baseline[0, :, level - 1] - step - num_dims * PROCESS.sigma**2
        assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(excess))


def test_controls_have_mean_zero(errors):
    """Within 4.5 standard errors of the mean over 200 images × 6 levels; and each varies."""
    controls = errors.controls[0].reshape(-1, errors.controls.shape[-1])
    deviation = controls.std(axis=0)
    assert (deviation > 0).all()
    assert (np.abs(controls.mean(axis=0)) < 4.5 * deviation / np.sqrt(len(controls))).all()


def test_bands_add_up_to_the_noise(errors):
    """The powers in all bands are the noise's energy: Σ_bands = σ² (‖ε‖² − N), at every level and image."""
    for level in range(1, 7):
        noise = normal_draws(SETTINGS.seed, "held-out noise", [(i, level, 0) for i in range(20)], (3, 8, 8))
        expected = PROCESS.sigma**2 * (np.square(noise.astype(np.float64)).sum(axis=(1, 2, 3)) - 8 * 8 * 3)
        np.testing.assert_allclose(errors.controls[0, :20, level - 1, 1:].sum(axis=-1), expected, atol=1e-5)


def test_a_network_that_returns_nan_is_named(clean):
    """Not taken for draws that were not made: level and images are told."""

    def broken(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        found = torch.zeros_like(images)
        if int(levels[0]) == 3 and len(images) == 64:
            found[[1, 5]] = torch.nan
        return found

    with pytest.raises(UserError, match=r"error at level 3 is not finite for image 1, 5, 65, 69, 129 and 1 more"):
        held_out_errors(broken, clean, SETTINGS)
    with pytest.raises(UserError, match="level 1 is not finite"):
        held_out_errors(lambda images, levels: images / 0, clean, SETTINGS)


def test_a_network_that_knows_the_answer_has_no_error(clean):
    """The answer at level k is F(t_{k−1}) u; a network that gives it there and only there has error zero."""
    heat, seen = heat_process(PROCESS, 8), {"first": 0}

    def oracle(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        here = clean[seen["first"] : seen["first"] + len(images)]
        seen["first"] = (seen["first"] + len(images)) % len(clean)
        return heat.blur(here, levels - 1) - images

    errors = held_out_errors(oracle, clean, SETTINGS)
    assert errors.network.max() < 1e-9
    assert errors.baseline.min() > 0.1


def test_batches_do_not_matter(clean):
    settings = (SETTINGS, SETTINGS.model_copy(update={"micro_batch": 7}))
    whole, small = (held_out_errors(lambda images, _: -0.1 * images, clean, one) for one in settings)
    np.testing.assert_allclose(whole.network, small.network, rtol=1e-5)


def test_level_rows():
    rng = np.random.default_rng(0)
    errors = HeldOutErrors(
        rng.random((2, 50, 6)), rng.random((2, 50, 6)) + 1, np.zeros((2, 50, 6, 1)), np.arange(1, 7), 64
    )
    rows = level_rows(errors, PROCESS)
    assert [row["level"] for row in rows] == list(range(1, 7))
    assert rows[0]["blur_sigma"] == pytest.approx(0.5)
    assert rows[5]["blur_sigma"] == pytest.approx(4.0)
    assert rows[2]["loss"] == pytest.approx(errors.network[:, :, 2].mean())
    assert rows[2]["baseline_standard_error"] == pytest.approx(
        errors.baseline.mean(axis=0)[:, 2].std(ddof=1) / np.sqrt(50)
    )


def test_spectra_under_noise_and_heat():
    """Noise of standard deviation s adds s² to the power at every frequency; heat multiplies it by less than one."""
    rows = forward_spectra(IMAGES, PROCESS)
    clean = {row["frequency"]: row["power"] for row in rows if row["process"] == "none"}
    strongest = [row for row in rows if row["process"] == "noise" and row["strength"] == NOISE_LEVELS[-1]]
    added = np.mean([row["power"] - clean[row["frequency"]] for row in strongest])
    assert added == pytest.approx(1, rel=0.05)
    by_strength = sorted({row["strength"] for row in rows if row["process"] == "heat"})
    assert len(by_strength) == 6  # all six levels of this process
    for strength in by_strength:
        blurred = [row for row in rows if row["process"] == "heat" and row["strength"] == strength]
        assert len(blurred) == len(clean)
        assert all(row["power"] < clean[row["frequency"]] for row in blurred)


def test_losses_of_squares_have_errors_over_photographs(errors):
    """SE² = 1/G Σ (l_g − l)²/(n/m_g − 1), with the mean loss l_g of the m_g squares of each of G photographs."""
    photographs = np.arange(200) % 7
    found = level_rows(replace(errors, photographs=photographs), PROCESS)
    for row, independent in zip(found, level_rows(errors, PROCESS), strict=True):
        losses = errors.network[0, :, row["level"] - 1]
        squares = [
            (losses[photographs == number].mean() - losses.mean()) ** 2 / (200 / (photographs == number).sum() - 1)
            for number in range(7)
        ]
        assert row["loss"] == independent["loss"]
        assert row["loss_standard_error"] == pytest.approx(np.sqrt(np.mean(squares)))
        assert (row["degrees"], independent["degrees"]) == (6, 199)
