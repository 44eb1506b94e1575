from dataclasses import asdict

import numpy as np
import pytest
import torch

from ihdm.calibration import Calibration, estimate_coefficients, measure
from ihdm.config.processes import BlurringSettings, DiffusionSettings, HeatSettings
from ihdm.errors import UserError
from ihdm.predictions import prediction_of
from ihdm.processes import build_process
from ihdm.seeds import generator

SIZE = 6
SETTINGS = {
    "heat": HeatSettings(kind="heat", sigma=0.02, num_levels=30, blur_sigma_min=0.3, blur_sigma_max=3.0),
    "diffusion": DiffusionSettings(kind="diffusion", num_levels=30),
    "blurring": BlurringSettings(kind="blurring", num_levels=30, blur_sigma_max=3.0),
}
LEVELS = (1, 7, 30)
IMAGES = torch.rand((60, 2, SIZE, SIZE), generator=torch.Generator().manual_seed(0))


def network(noisy, levels):
    """Mix neighbours and levels, so that estimates are neither right nor useless."""
    return 0.5 * noisy.roll(1, dims=-1) - 0.3 * noisy + 0.01 * levels.view(-1, 1, 1, 1)


def calibrate(kind, *, network=network, images=IMAGES, levels=LEVELS, seed=0, batch_size=60):
    return measure(network, build_process(SETTINGS[kind], SIZE), images, levels, seed, batch_size)


def exact_gain(process, level):
    return np.exp(-np.broadcast_to(process.log_scale(prediction_of(None, process).reference(level)), (SIZE, SIZE)))


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_mode_is_regressed_on_its_estimate(kind):
    """By least squares, where the gain is found to be above zero and below that of an exact network."""
    process, found = build_process(SETTINGS[kind], SIZE), calibrate(kind)
    clean = process.transform(process.to_range(IMAGES)).double().numpy()
    assert found.levels.tolist() == list(LEVELS)
    regressed = clipped = silenced = 0
    for level in LEVELS:
        draws = [generator(0, "calibration noise", number, level, 0) for number in range(60)]
        noise = np.stack([rng.standard_normal((2, SIZE, SIZE), dtype=np.float32) for rng in draws])
        noisy = process.draw(IMAGES, torch.full((60,), level), torch.as_tensor(noise))
        estimates = process.transform(prediction_of(None, process).estimate(network, noisy, level)).double().numpy()
        exact = exact_gain(process, level)
        measured = found.at(level)
        for mode in np.ndindex(SIZE, SIZE):
            x, m = clean[(..., *mode)].ravel(), estimates[(..., *mode)].ravel()
            (slope, _), *_ = np.linalg.lstsq(np.stack([m, np.ones_like(m)], axis=1), x, rcond=None)
            correlation = np.corrcoef(x, m)[0, 1]
            if abs(correlation) < 3 / np.sqrt(60) or slope < 0:
                expected, silenced = 0.0, silenced + 1
            elif slope > exact[mode]:
                expected, clipped = exact[mode], clipped + 1
            else:
                expected, regressed = slope, regressed + 1
            left = x - expected * m
            assert measured.gain[mode] == pytest.approx(expected, rel=1e-6)
            assert measured.offset[mode] == pytest.approx(left.mean(), abs=1e-6)
            assert measured.residual[mode] == pytest.approx(left.var(), rel=1e-6)
            assert measured.power[mode] == pytest.approx(x.var(), rel=1e-6)
    assert min(regressed, clipped, silenced) > 0


@pytest.mark.parametrize("kind", SETTINGS)
def test_an_exact_network_is_measured_as_one(kind, exact_network):
    """Of Gaussian images, each mode of a variance of its own."""
    process = build_process(SETTINGS[kind].model_copy(update={"clip": False} if kind == "diffusion" else {}), SIZE)
    rng = np.random.default_rng(0)
    power = 10 ** rng.uniform(-2, 0, (SIZE, SIZE))
    coefficients = torch.as_tensor(np.sqrt(power) * rng.standard_normal((4000, 1, SIZE, SIZE)), dtype=torch.float32)
    images = process.from_range(process.inverse(coefficients))

    def share(level):
        scale, variance = np.exp(np.broadcast_to(process.log_scale(level), (SIZE, SIZE))), process.deviation(level) ** 2
        return scale * power / (scale**2 * power + variance), variance / (scale**2 * power + variance)

    def posterior_mean(noisy, level):
        return noisy * torch.as_tensor(share(level)[0]).float()

    levels = (1, 10, 20)
    found = measure(exact_network(process, posterior_mean), process, images, levels, 0, 500)
    np.testing.assert_allclose(found.power, power, rtol=0.15)
    for level in levels:
        at = found.at(level)
        np.testing.assert_allclose(at.residual, power * share(level)[1], rtol=0.15)
        exact = exact_gain(process, level)
        certain = share(level)[1] < 0.1
        assert certain.any() or level > 1
        np.testing.assert_allclose(at.gain[certain], exact[certain], rtol=0.03)
        assert (at.gain >= 0).all()
        assert (at.gain <= exact).all()


@pytest.mark.parametrize("kind", ["diffusion", "blurring", "heat"])
def test_a_zero_network_has_the_full_residual_variance(kind):
    """One whose estimate is the same for every image."""
    process = build_process(SETTINGS[kind], SIZE)

    def silent(noisy, levels):
        # The estimate is zero: heat's is u + f, and that of the others (u − s f) / a.
        return -noisy if kind == "heat" else noisy / process.deviation(int(levels[0]))

    found = calibrate(kind, network=silent)
    assert not found.gain[:, 1:, 1:].any()
    np.testing.assert_allclose(found.residual, np.broadcast_to(found.power, found.residual.shape), rtol=1e-4)
    clean = process.transform(process.to_range(IMAGES)).double().numpy()
    np.testing.assert_allclose(found.offset, np.broadcast_to(clean.mean(axis=(0, 1)), found.offset.shape), atol=1e-4)


def test_the_same_seed_measures_the_same_and_progress_is_reported():
    done = []
    again = measure(network, build_process(SETTINGS["heat"], SIZE), IMAGES, LEVELS, 0, 60, done.append)
    assert done == [1, 2, 3]
    first, other = (calibrate("heat", seed=seed) for seed in (0, 1))
    for name in ("levels", "gain", "offset", "residual", "power"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.residual, other.residual)


@pytest.mark.parametrize("kind", SETTINGS)
def test_batches_and_other_levels_do_not_matter(kind):
    whole, parts = calibrate(kind), calibrate(kind, batch_size=7)
    for name in ("gain", "offset", "residual", "power"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-6)
    alone = calibrate(kind, levels=[7])
    assert np.array_equal(alone.gain[0], whole.at(7).gain)


def test_noise_is_of_an_image_a_level_a_draw_and_a_purpose():
    process = build_process(SETTINGS["diffusion"], SIZE)

    def estimates(images=IMAGES, level=7, first=0, draw=0, purpose="calibration noise"):
        return estimate_coefficients(network, process, images, level, 0, first, draw, purpose)

    everything = estimates()
    np.testing.assert_allclose(estimates(IMAGES[10:20], first=10), everything[10:20], atol=1e-5)
    for other in (estimates(level=8), estimates(draw=1), estimates(first=1), estimates(purpose="bound noise")):
        assert np.abs(other - everything).max() > 0.1


def test_a_level_that_was_not_measured_is_refused():
    with pytest.raises(UserError, match="not calibrated at level 8; run `models calibrate` again"):
        calibrate("heat").at(8)


def test_few_images_say_too_little():
    with pytest.raises(UserError, match="9 training images are too few"):
        calibrate("heat", images=IMAGES[:9])
    assert np.isfinite(calibrate("heat", images=IMAGES[:10]).residual).all()


def test_equal_images_have_no_residual_variance():
    found = calibrate("heat", images=IMAGES[:1, :1].expand(12, -1, -1, -1))
    assert not found.gain.any()
    assert not found.residual.any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_is_not_finite_is_refused(value):
    with pytest.raises(UserError, match="not finite"):
        calibrate("heat", network=lambda noisy, _levels: noisy + value)


def test_what_is_saved_is_read_again_but_not_for_another_process_or_size(tmp_path):
    found, process, path = calibrate("heat"), SETTINGS["heat"], tmp_path / "calibration.npz"
    found.save(path, process)
    again = Calibration.read(path, process, SIZE)
    for name in ("levels", "gain", "offset", "residual", "power"):
        assert np.array_equal(getattr(again, name), getattr(found, name))
    found.save(tmp_path / "again.npz", process)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
    with pytest.raises(UserError, match=r"was made for sigma 0.02, not sigma 0.01"):
        Calibration.read(path, SETTINGS["heat"].model_copy(update={"sigma": 0.01}), SIZE)
    with pytest.raises(UserError, match=r"was made for .*heat.*, not .*diffusion"):
        Calibration.read(path, SETTINGS["diffusion"], SIZE)
    with pytest.raises(UserError, match=rf"calibration.npz: was measured on images of {SIZE}×{SIZE}, not 5×5; run"):
        Calibration.read(path, SETTINGS["heat"], 5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda one: {"gain": one.gain[:2]}, "its arrays differ in size"),
        (lambda one: {"power": one.power[:3]}, "its arrays differ in size"),
        (lambda one: {"levels": one.levels[:, None]}, "its arrays differ in size"),
        (lambda one: {"residual": np.full_like(one.residual, np.nan)}, "array residual has values that are not finite"),
        (lambda one: {"gain": one.gain.astype(int)}, "values that are not finite numbers"),
        (lambda one: {"levels": one.levels[::-1]}, "do not ascend within 1 and K = 30"),
        (lambda one: {"levels": one.levels - 1}, "do not ascend within 1 and K = 30"),
    ],
)
def test_a_damaged_calibration_is_refused(tmp_path, change, problem):
    found, process = calibrate("heat"), SETTINGS["heat"]
    np.savez(tmp_path / "calibration.npz", **(asdict(found) | change(found)), process=process.model_dump_json())
    with pytest.raises(UserError, match=f"calibration.npz: .*{problem}"):
        Calibration.read(tmp_path / "calibration.npz", SETTINGS["heat"], SIZE)


def test_what_is_no_calibration_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", gain=np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("other.npz", "text.npz", "absent.npz"):
        with pytest.raises(UserError, match=name):
            Calibration.read(tmp_path / name, SETTINGS["heat"], SIZE)
