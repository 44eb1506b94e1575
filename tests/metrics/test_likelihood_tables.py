"""The bound as a whole: against closed forms, and against evaluating it directly."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy.optimize import minimize_scalar

from ihdm.config.processes import HeatSettings
from ihdm.config.stages import ErrorSettings, LikelihoodSettings
from ihdm.heat import HeatProcess, cosine_basis, decay, heat_process
from ihdm.likelihood import best_deltas, prior_kl_bounds, squared_distances, transition_terms
from ihdm.measures import reported
from ihdm.measures.sweep import SweptExperiment, SweptExperiments
from ihdm.metrics.heldout import dequantize, held_out_errors
from ihdm.metrics.likelihood import bound_images, cost_rows
from ihdm.metrics.monte_carlo import allocate, designs, draw_variance, remove_noise, total_error

PROCESS = HeatSettings(kind="heat", sigma=0.05, num_levels=6, blur_sigma_max=3.0)
SIZE = 6
NUM_DIMS = SIZE * SIZE


class GaussianToy:
    """Images whose DCT coefficients are independent Gaussians: the best network is linear and its errors are known.

    Given û = F_k u₀ + σ ε, the mean of F_{k−1} u₀ has, in each coefficient of variance s², the error variance
    f_{k−1}² s² σ² / (f_k² s² + σ²).
    """

    def __init__(self) -> None:
        basis = cosine_basis(SIZE)
        self.basis = torch.as_tensor(np.kron(basis, basis))
        heat = heat_process(PROCESS, SIZE)
        decays = decay(SIZE, heat.blur_sigmas)
        self.decays = torch.as_tensor(np.einsum("kn,km->knm", decays, decays).reshape(len(decays), -1))
        frequencies = np.add.outer(np.arange(SIZE) ** 2, np.arange(SIZE) ** 2).ravel()
        self.deviations = torch.as_tensor(0.4 / (1 + frequencies))

    def images(self, count: int) -> torch.Tensor:
        coefficients = torch.as_tensor(np.random.default_rng(0).standard_normal((count, NUM_DIMS))) * self.deviations
        return (coefficients @ self.basis).float().view(count, 1, SIZE, SIZE)

    def network(self, images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        level = int(levels[0])
        coarse, fine, variance = self.decays[level], self.decays[level - 1], self.deviations**2
        gain = fine * coarse * variance / (coarse**2 * variance + PROCESS.sigma**2)
        coefficients = images.double().flatten(1) @ self.basis.T
        return ((coefficients * gain) @ self.basis).float().view_as(images) - images

    def errors(self) -> np.ndarray:
        coarse, fine, variance = self.decays[1:], self.decays[:-1], self.deviations**2
        return (fine**2 * variance * PROCESS.sigma**2 / (coarse**2 * variance + PROCESS.sigma**2)).sum(1).numpy()


def error_settings(count: int, draws: int = 2, extra: int = 0) -> ErrorSettings:
    return ErrorSettings(process=PROCESS, seed=1, num_images=count, micro_batch=500, num_draws=draws, extra_draws=extra)


@pytest.fixture(scope="module")
def toy() -> GaussianToy:
    return GaussianToy()


def test_exact_on_a_gaussian_toy(toy):
    """Errors and bound of the best network are those in closed form, within four standard errors."""
    measured = held_out_errors(toy.network, toy.images(3000), error_settings(3000)).means()
    expected = toy.errors()
    error = measured.std(axis=0) / np.sqrt(len(measured))
    assert (np.abs(measured.mean(axis=0) - expected) < 4 * error).all()
    for ratio in (1.0, 1.25, 2.0):
        found = transition_terms(measured, NUM_DIMS, PROCESS.sigma, ratio * PROCESS.sigma).sum(axis=1)
        exact = transition_terms(expected[None], NUM_DIMS, PROCESS.sigma, ratio * PROCESS.sigma).sum()
        assert abs(found.mean() - exact) < 4 * found.std() / np.sqrt(len(found))


def test_no_network_beats_the_best_one(toy):
    images = toy.images(1000)
    best = held_out_errors(toy.network, images, error_settings(1000)).means().mean(axis=0)
    for factor in (0.5, 1.5):
        worse = held_out_errors(lambda u, k, f=factor: f * toy.network(u, k), images, error_settings(1000))
        assert (worse.means().mean(axis=0) > best).all()


def test_extra_draws_make_the_total_more_certain(toy):
    """The same images with further draws: the total agrees, and its error shrinks as the variance promises."""
    images = toy.images(200)
    few, many = (held_out_errors(toy.network, images, error_settings(200, 2, extra)) for extra in (0, 6))
    totals = [errors.means().sum(axis=1).mean() for errors in (few, many)]
    errors = [total_error(errors.without_noise()) for errors in (few, many)]
    assert errors[1] < 0.6 * errors[0]  # by √(2/8) = 0.5, if levels were alike
    assert abs(totals[0] - totals[1]) < 4 * errors[0]
    counts = np.isfinite(many.network[:, 0]).sum(axis=0)
    assert counts.sum() == 8 * 6
    assert counts.min() >= 2
    np.testing.assert_array_equal(many.network[:2], few.network)


def test_the_error_from_noise_is_the_spread_over_seeds(toy):
    images = toy.images(40)
    runs = [
        held_out_errors(toy.network, images, error_settings(40).model_copy(update={"seed": seed})) for seed in range(60)
    ]
    for control in (False, True):
        found = [run.without_noise() if control else run.network for run in runs]
        spread = np.std([np.nanmean(errors, axis=0).sum(axis=1).mean() for errors in found], ddof=1)
        claimed = np.sqrt(np.mean([total_error(errors) ** 2 for errors in found]))
        assert claimed == pytest.approx(spread, rel=0.3)  # a standard deviation of 60 values is known to about 9 %


def test_control_variates_keep_the_mean_and_lower_the_variance():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 5000, 3, 2))
    images = 5 * rng.random((5000, 3))  # images differ far more than draws
    errors = images + 0.8 * noise[..., 0] - 0.3 * noise[..., 1] + 0.1 * rng.standard_normal((2, 5000, 3))
    cleaned = remove_noise(errors, noise)
    np.testing.assert_allclose(draw_variance(cleaned).mean(axis=0), 0.01, rtol=0.1)
    np.testing.assert_allclose(cleaned.mean(axis=(0, 1)), images.mean(axis=0), atol=4 * 0.1 / np.sqrt(10_000))


@given(seed=st.integers(0, 2**16), draws=st.integers(1, 4), images=st.integers(1, 40))
@hypothesis_settings(deadline=None, max_examples=40)
def test_control_variates_are_fitted_only_to_enough_differences(seed, draws, images):
    """Ten for each control; with fewer nothing changes, and what is fitted keeps each image's mean less its noise."""
    rng = np.random.default_rng(seed)
    errors, controls = rng.standard_normal((draws, images, 2)), rng.standard_normal((draws, images, 2, 3))
    cleaned = remove_noise(errors, controls)
    if (draws - 1) * images < 30:
        np.testing.assert_array_equal(cleaned, errors)
        return
    for level in range(2):
        removed = (errors - cleaned).mean(axis=0)[:, level]
        known = controls.mean(axis=0)[:, level]
        np.testing.assert_allclose(known @ np.linalg.lstsq(known, removed)[0], removed, atol=1e-9)


@pytest.mark.parametrize("images", [2, 10, 50, 200])
@pytest.mark.parametrize("usefulness", [0.0, 1.0])
def test_control_variates_claim_what_they_give(images, usefulness):
    """The claimed error of the total is its spread over 1000 runs, known to about 2 %, for useless controls too.

    Six levels of five controls. Without the factors for what fitting takes, 50 images would claim 0.9 of the spread,
    10 images half of it and 2 images nothing at all.
    """
    rng = np.random.default_rng(0)
    totals, claimed = [], []
    for _ in range(1000):
        controls = rng.standard_normal((2, images, 6, 5))
        errors = 3 + rng.standard_normal((2, images, 6)) + usefulness * controls.sum(axis=-1)
        cleaned = remove_noise(errors, controls)
        totals.append(cleaned.mean(axis=0).sum(axis=1).mean())
        claimed.append(total_error(cleaned) ** 2)
    assert np.sqrt(np.mean(claimed)) == pytest.approx(np.std(totals), rel=0.06)
    assert np.mean(totals) == pytest.approx(18, abs=4 * np.std(totals) / np.sqrt(1000))
    plain = np.sqrt(6 * (1 + 5 * usefulness) / (2 * images))
    if images == 200 and usefulness:
        assert np.std(totals) < 0.5 * plain


def test_designs_are_their_definitions():
    """Variance of an evaluation, by drawing it: one random level for each image, or each level in turn."""
    rng = np.random.default_rng(0)
    means, deviations = rng.random((30, 8)) * 3, rng.random(8) + 0.2
    errors = means + deviations * rng.standard_normal((400, 30, 8))
    found = designs(errors, errors)
    levels = rng.integers(8, size=(4000, 30))
    image = np.arange(30)
    uniform = 8 * (means[image, levels] + deviations[levels] * rng.standard_normal((4000, 30)))
    assert uniform.mean(axis=1).var() * 30 == pytest.approx(found["uniform random levels"], rel=0.1)
    every = means + deviations * rng.standard_normal((4000, 30, 8))
    assert every.sum(axis=2).mean(axis=1).var() * 30 * 8 == pytest.approx(found["every level"], rel=0.1)
    assert found["levels by variance"] == pytest.approx(deviations.sum() ** 2, rel=0.05)
    assert found["levels by variance"] <= found["every level"]


@pytest.mark.parametrize("spread_of_levels", [0.0, 1.0])
def test_two_draws_do_not_pass_for_differences_between_levels(spread_of_levels):
    """The mean over 200 runs of what two draws make of uniform levels is that of the known means and variances.

    If levels are alike there is no spread between them, and the noise in means of two draws must not look like one.
    """
    rng = np.random.default_rng(0)
    means, deviations = 1 + spread_of_levels * rng.random((50, 8)), 0.5 + rng.random(8)
    exact = 64 * np.square(means).mean() - np.square(means.sum(axis=1)).mean() + 64 * np.square(deviations).mean()
    found = []
    for _ in range(200):
        errors = means + deviations * rng.standard_normal((2, 50, 8))
        found.append(designs(errors, errors)["uniform random levels"])
    assert np.mean(found) == pytest.approx(exact, rel=0.03)  # without the correction 40 % too large for equal levels


@given(
    variances=st_numpy.arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-6, 1e6)), total=st.integers(0, 500)
)
def test_all_draws_are_shared_out(variances, total):
    counts = allocate(variances, total)
    assert counts.sum() == total
    exact = total * np.sqrt(variances) / np.sqrt(variances).sum()
    assert (np.abs(counts - exact) <= 1 + 1e-9).all()
    assert allocate(np.zeros(3), 7).sum() == 7


@given(
    squared=st.lists(st.floats(1e-3, 10), min_size=2, max_size=5),
    sigma=st.floats(0.005, 0.2),
    num_dims=st.integers(4, 400),
)
@hypothesis_settings(deadline=None, max_examples=40)
def test_best_deltas_are_the_minima(squared, sigma, num_dims):
    """δ² = σ² + E‖error‖² / N at levels above the first, E‖error‖² / N there: against a numerical search."""
    errors = np.array([squared, squared])
    best = best_deltas(errors, num_dims, sigma)
    for level, delta in enumerate(best):

        def term(log_delta: float, level: int = level) -> float:
            return float(transition_terms(errors, num_dims, sigma, math.exp(log_delta))[0, level])

        center = math.log(delta)
        found = minimize_scalar(term, bounds=(center - 2, center + 2), method="bounded", options={"xatol": 1e-8})
        assert math.exp(found.x) == pytest.approx(delta, rel=1e-3)
    assert best[1] ** 2 == pytest.approx(sigma**2 + squared[1] / num_dims)


def test_stored_errors_give_any_delta():
    """The bound at a δ from stored errors, and evaluated directly from the network's means: equal to 1e-6."""
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (count, 6, 6, 1), dtype=np.uint8) for count in (30, 4))
    settings = LikelihoodSettings(process=PROCESS, prior_noise="delta", delta_ratios=(1.3,))

    def network(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        return -0.1 * images

    seen: list[torch.Tensor] = []

    def watched(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return network(images, levels)

    errors = held_out_errors(watched, dequantize(test), error_settings(4, draws=1))
    raw = replace(errors, controls=np.zeros_like(errors.controls))  # nothing of the noise is removed
    bound = bound_images(raw, train, test, settings, [1.0, 1.3])
    heat, delta, sigma = heat_process(PROCESS, 6), 1.3 * PROCESS.sigma, PROCESS.sigma
    from ihdm.storage.tensors import to_tensor

    clean = dequantize(test)
    direct = prior_kl_bounds([to_tensor(train)], clean, heat, sigma, [delta])[0]
    for level, noisy in enumerate(seen, start=1):
        mean, target = (noisy + network(noisy, torch.tensor([level]))).double(), heat.blur(clean, level - 1).double()
        if level == 1:
            density = torch.distributions.Normal(mean, delta).log_prob(target).flatten(1).sum(1)
            direct = direct - density
        else:
            step = torch.distributions.kl_divergence(
                torch.distributions.Normal(target, sigma), torch.distributions.Normal(mean, delta)
            )
            direct = direct + step.flatten(1).sum(1)
    np.testing.assert_allclose(bound.nats()[1], direct.numpy(), rtol=1e-6)


def test_expanded_squares_stay_within_their_error_bound():
    rng = np.random.default_rng(0)
    first, second = torch.as_tensor(rng.random((40, 18)) * 30 + 500), torch.as_tensor(rng.random((60, 18)) * 30 + 500)
    second[0] = first[0]
    exact = (first[:, None] - second).square().sum(-1)
    center = second.mean(0)
    norms = ((first - center).norm(dim=1)[:, None] + (second - center).norm(dim=1)) ** 2
    # Centring itself rounds each coefficient by u times its size.
    allowed = (18 + 4) * 2.0**-53 * (norms + 2 * norms.sqrt() * 530)
    assert ((squared_distances(first, second) - exact).abs() <= allowed).all()


def test_copies_of_training_images_do_not_break_the_prior():
    """A test image that is a training image: KL is that of the noise alone, and nothing is negative or NaN."""
    rng = np.random.default_rng(0)
    train = torch.as_tensor(rng.random((50, 3, 8, 8), dtype=np.float32))
    heat = HeatProcess([0.0, 0.1, 0.2], 8, 8)  # hardly any blur: all other images are far away
    found = prior_kl_bounds([train], train[:5], heat, 0.01, [0.01])[0]
    torch.testing.assert_close(found, torch.full((5,), math.log(50), dtype=torch.float64), atol=1e-6, rtol=0)


def test_cost_rows_report_evaluations(toy):
    rows = cost_rows(held_out_errors(toy.network, toy.images(100), error_settings(100)), PROCESS.sigma, 1.25)
    assert rows[0]["design"] == "uniform random levels"
    assert rows[0]["times_fewer"] == 1
    for row in rows:
        assert row["times_fewer"] == pytest.approx(rows[0]["evaluations"] / row["evaluations"])


def test_one_draw_of_noise_leaves_empty_cells(tmp_path, ihdm):
    """Its error cannot be told: no cell says nan, and everything that is made of the tables is made all the same."""
    images = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 1), dtype=np.uint8)
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", images[:5])
    (tmp_path / "e").mkdir()
    errors = held_out_errors(lambda u, k: -0.1 * u, dequantize(images[:5]), error_settings(5, draws=1))
    errors.save(tmp_path / "errors.npz", PROCESS)
    settings = LikelihoodSettings(process=PROCESS, prior_noise="delta", delta_ratios=(1.0, 1.25))
    experiment = SweptExperiment(
        base="e", swept=None, is_departure=False, dataset="d", sampler="paper", sigma=0.05, num_levels=6,
        blur_sigma_max=3.0, num_train=None, seed=0, levels="uniform", prior_noise="delta", rounding="nearest",
    )  # fmt: skip
    splits = ["--train", tmp_path / "train.npy", "--test", tmp_path / "test.npy"]
    common = ["--errors", tmp_path / "errors.npz", "--output"]

    def labelled(**values: object) -> str:
        return json.dumps({"labels": {"experiment": "e"}, **values})

    process = labelled(process=PROCESS.model_dump(mode="json"))
    ihdm("metrics", "levels", "--settings", process, *common, tmp_path / "levels.csv")
    bound = settings.model_dump(mode="json")
    ihdm("metrics", "likelihood", "--settings", labelled(**bound), *splits, *common, tmp_path / "e/likelihood.csv")
    ihdm("metrics", "minimum-likelihood", "--settings", labelled(**bound, num_resamples=20), *splits,
        *common, f"curve={tmp_path / 'curve.csv'}", "--output", f"minimum={tmp_path / 'minimum.csv'}")  # fmt: skip
    ihdm("metrics", "table", tmp_path / "e/likelihood.csv", "--output", tmp_path / "likelihood.csv")
    ihdm("metrics", "sweep", "--settings", SweptExperiments(experiments={"e": experiment}).model_dump_json(),
        "--likelihood", tmp_path / "likelihood.csv", "--input", f"train:d={tmp_path / 'train.npy'}", "--output",
        f"sweep={tmp_path / 'sweep.csv'}", "--output", f"parquet={tmp_path / 'sweep.parquet'}",
    )  # fmt: skip
    tables = [tmp_path / f"{name}.csv" for name in ("levels", "likelihood", "minimum", "sweep")]
    for path in tables[:3]:
        text = reported()[path.stem].summarize(pd.read_csv(path)).to_string()
        assert not re.search(r"\bnan\b", text, re.IGNORECASE), path
    for path in (*tables, tmp_path / "curve.csv"):
        assert not re.search(r"\bnan\b", path.read_text(), re.IGNORECASE), path
    columns = ["monte_carlo_error", "transition_nats_monte_carlo_error", "reconstruction_nats_monte_carlo_error"]
    likelihood = pd.read_csv(tables[1])
    assert likelihood[columns].isna().all(axis=None)
    assert likelihood.drop(columns=columns).notna().all(axis=None)
    assert len(pd.read_csv(tables[3])) == 2


def test_a_prior_without_noise_is_refused(ihdm_fails, tmp_path):
    settings = {"process": PROCESS.model_dump(), "prior_noise": "none", "delta_ratios": [1.0]}
    files = [word for name in ("errors", "train", "test", "output") for word in (f"--{name}", tmp_path / name)]
    assert ihdm_fails("metrics", "likelihood", "--settings", json.dumps(settings), *files) == (
        "ihdm: --settings: prior_noise 'none' gives a prior without a density, and so no likelihood; "
        "use 'delta' or 'sigma'"
    )
