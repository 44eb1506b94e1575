import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal, kl_divergence

from ihdm.config.processes import HeatSettings
from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.heat import HeatProcess, blur_schedule
from ihdm.likelihood import bits_per_dim, prior_kl_bounds, transition_terms
from ihdm.metrics.heldout import HeldOutErrors, dequantize
from ihdm.metrics.likelihood import likelihood_rows


def test_golden_prior(golden):
    values = golden("prior_kl")
    schedule = blur_schedule(
        float(values["blur_sigma_min"]), float(values["blur_sigma_max"]), int(values["num_levels"])
    )
    (bound,) = prior_kl_bounds(
        torch.as_tensor(values["train"]).split(7),
        torch.as_tensor(values["test"]),
        HeatProcess(schedule, 16, 16),
        float(values["sigma"]),
        [float(values["delta"])],
    )
    np.testing.assert_allclose(bound.numpy(), values["prior_kl_nats"], rtol=1e-4)


@pytest.mark.parametrize("sigma_max", [0.6, 3.0, 20.0])
def test_prior_equals_distances_in_pixels(sigma_max):
    """Whatever survives the blur: all coefficients, some, or only the mean."""
    rng = np.random.default_rng(0)
    train = torch.as_tensor(rng.random((30, 2, 12, 9), dtype=np.float32))
    test = torch.as_tensor(rng.random((5, 2, 12, 9), dtype=np.float32))
    heat = HeatProcess(blur_schedule(0.5, sigma_max, 10), 12, 9, dtype=torch.float64)
    sigma, delta = 0.05, 0.07
    blurred_train, blurred_test = heat.blur(train, 10), heat.blur(test, 10)
    divergences = torch.stack(
        [
            kl_divergence(Independent(Normal(image, sigma), 3), Independent(Normal(blurred_train, delta), 3))
            for image in blurred_test
        ]
    )
    expected = math.log(30) - torch.logsumexp(-divergences, dim=1)
    (found,) = prior_kl_bounds([train], test, heat, sigma, [delta])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-4)


def test_one_centre_gives_the_divergence_itself():
    image = torch.full((1, 1, 4, 4), 0.5)
    heat = HeatProcess([0.0, 2.0], 4, 4)
    equal, wider = prior_kl_bounds([image], image, heat, 0.1, [0.1, 0.2])
    assert float(equal) == pytest.approx(0, abs=1e-9)
    expected = 16 * 0.5 * ((0.1 / 0.2) ** 2 - 1 + 2 * math.log(2))
    assert float(wider) == pytest.approx(expected)


def test_transition_terms_are_gaussian_divergences():
    """L_{k−1} is KL( N(F(t_{k−1}) u₀, σ² I) ‖ N(μ, δ² I) ), and L_0 is −log N(u₀ | μ, δ² I)."""
    rng = np.random.default_rng(1)
    target, mean = torch.as_tensor(rng.random((2, 3, 7))), torch.as_tensor(rng.random((2, 3, 7)))
    sigma, delta = 0.03, 0.05
    squared_errors = (mean - target).square().sum(-1).numpy()
    terms = transition_terms(squared_errors, 7, sigma, delta)
    divergence = kl_divergence(Independent(Normal(target, sigma), 1), Independent(Normal(mean, delta), 1))
    np.testing.assert_allclose(terms[:, 1:], divergence.numpy()[:, 1:])
    log_density = stats.norm(mean.numpy(), delta).logpdf(target.numpy()).sum(-1)
    np.testing.assert_allclose(terms[:, 0], -log_density[:, 0])
    assert (squared_errors == (mean - target).square().sum(-1).numpy()).all()  # the input is not changed


def test_without_noise_there_is_no_bound():
    heat, image = HeatProcess([0.0, 1.0], 4, 4), torch.zeros(1, 1, 4, 4)
    for sigma, delta in ((0.0, 0.1), (0.1, 0.0)):
        with pytest.raises(ValueError, match="infinite without noise"):
            prior_kl_bounds([image], image, heat, sigma, [delta])
        with pytest.raises(ValueError, match="infinite without noise"):
            transition_terms(np.ones((1, 2)), 4, sigma, delta)


def test_bits_of_uniform_noise():
    """The density of the uniform distribution on [0, 1] is one: 0 nats, which is 8 bits of 256 gray levels."""
    assert bits_per_dim(0.0, 100) == 8
    assert bits_per_dim(100 * math.log(2), 100) == pytest.approx(9)


def test_dequantized_images_round_down_to_themselves():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    values = dequantize(images)
    assert float(values.min()) >= 0
    assert float(values.max()) < 1
    np.testing.assert_array_equal(np.floor(values.permute(0, 2, 3, 1).numpy() * 256).astype(np.uint8), images)
    assert torch.equal(dequantize(images[:2]), values[:2])


SETTINGS = LikelihoodSettings(
    process=HeatSettings(kind="heat", sigma=0.01, num_levels=5, blur_sigma_max=4.0),
    prior_noise="delta",
    delta_ratios=(1.0, 1.25),
)


def errors_of_images(count: int, draws: int = 2) -> HeldOutErrors:
    rng = np.random.default_rng(2)
    network, baseline = rng.random((2, draws, count, 5))
    return HeldOutErrors(network, baseline, np.zeros((draws, count, 5, 1)), np.arange(1, 6), 64)


def images_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def test_rows_add_up():
    rows = likelihood_rows(errors_of_images(6), images_of(20), images_of(6), SETTINGS)
    assert [row["delta_ratio"] for row in rows] == [1.0, 1.25]
    for row in rows:
        parts = row["prior_nats"] + row["transition_nats"] + row["reconstruction_nats"]
        assert row["nats"] == pytest.approx(parts)
        assert row["bits_per_dim"] == pytest.approx(row["nats"] / (64 * math.log(2)) + 8)
        assert row["standard_error"] == pytest.approx(row["nats_error"] / (64 * math.log(2)))
        assert row["nats_best_levels"] < row["nats"]
        assert row["n"] == 6


def test_errors_from_noise_of_the_parts():
    """Levels have noise of their own, so the squares of the parts' errors add up; with one draw nothing is known."""
    errors = errors_of_images(6)
    for row in likelihood_rows(errors, images_of(20), images_of(6), SETTINGS):
        parts = [row[f"{name}_nats_monte_carlo_error"] for name in ("transition", "reconstruction")]
        assert math.hypot(*parts) == pytest.approx(row["monte_carlo_error"] * 64 * math.log(2))
        spread = np.sqrt(errors.network[:, :, 0].var(axis=0, ddof=1).sum() / 2) / 6
        assert parts[1] == pytest.approx(spread / (2 * (row["delta_ratio"] * 0.01) ** 2))
    (row, _) = likelihood_rows(errors_of_images(6, draws=1), images_of(20), images_of(6), SETTINGS)
    assert math.isnan(row["monte_carlo_error"])
    assert math.isnan(row["transition_nats_monte_carlo_error"])


def test_a_sum_over_some_levels_is_no_bound():
    errors = errors_of_images(6)
    some = {name: getattr(errors, name)[:, :, ::2] for name in ("network", "baseline", "controls")}
    with pytest.raises(UserError, match="cover 3 of 5 levels"):
        likelihood_rows(replace(errors, levels=errors.levels[::2], **some), images_of(20), images_of(6), SETTINGS)


@pytest.mark.parametrize(("measured", "there"), [(6, 5), (1, 5)])
def test_numbers_of_images_that_do_not_fit(measured, there):
    with pytest.raises(UserError, match=f"errors of {measured} images, and {there} test images; 2 or more are needed"):
        likelihood_rows(errors_of_images(measured), images_of(20), images_of(there), SETTINGS)
