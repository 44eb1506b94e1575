from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import FakeTensorMode

from ihdm.config.processes import DDIM, PAPER, SamplerSettings
from ihdm.config.restoration import BlurProblem, MaskProblem, NoiseProblem, PoolingProblem
from ihdm.errors import UserError
from ihdm.heat import cosine_basis
from ihdm.restoration import problems
from ihdm.restoration.problems import Conditioner, measurement, prior_moments
from ihdm.restoration.solvers import OnDevice, first_level

SIZE, COUNT = 8, 1500
PROBLEMS = {
    "blur": BlurProblem(kind="blur", width=1.0, noise=0.05),
    "pooling": PoolingProblem(kind="pooling", factor=2, noise=0.05),
    "mask": MaskProblem(kind="mask", hidden=0.4, noise=0.05),
    "noise": NoiseProblem(kind="noise", noise=0.2),
}


def closed_form(how, restorer, measured):
    """Mean and covariance of the image, by precisions."""
    basis = np.kron(cosine_basis(SIZE), cosine_basis(SIZE))
    prior = basis.T @ (restorer.power.numpy().ravel()[:, None] * basis)
    matrix = how.matrix.numpy()
    covariance = np.linalg.inv(np.linalg.inv(prior) + matrix.T @ matrix / how.noise**2)
    misfit = measured.numpy().ravel() - matrix @ np.full(SIZE**2, 0.5)
    return 0.5 + covariance @ matrix.T @ misfit / how.noise**2, covariance


def assert_are_draws(samples, mean, covariance):
    """By their means and variances along the principal axes, of which each is a standard normal and a χ²."""
    variances, axes = np.linalg.eigh(covariance)
    along = (samples.double().flatten(1).numpy() - mean) @ axes
    deviations = np.sqrt(variances)
    means = along.mean(axis=0) / deviations * np.sqrt(len(along))
    assert stats.kstest(means, "norm").pvalue > 1e-3
    spreads = (along.var(axis=0, ddof=1) / variances - 1) / np.sqrt(2 / (len(along) - 1))
    assert stats.kstest(spreads, "norm").pvalue > 1e-3


def posterior(restoring, how, measured, numbers, **options):
    return restoring.posterior(restoring.conditioner(how, 1.0), measured, numbers, **options)


@pytest.mark.parametrize(
    ("kind", "problem", "steps"),
    [
        *((kind, problem, ("markov", 8)) for kind in ("heat", "diffusion", "blurring") for problem in PROBLEMS),
        ("heat", "pooling", ("independent",)),
    ],
)
def test_samples_of_gaussian_images_are_the_posterior(kind, problem, steps, restorer, images):
    """For any measurement and process, by Markov steps over a third of the levels; by independent ones over all."""
    restoring, how = restorer(kind, *steps), measurement(PROBLEMS[problem], SIZE)
    measured = how.measure(images[:1], 0)
    numbers = list(product(range(1), range(COUNT)))
    found = posterior(restoring, how, measured.expand(COUNT, -1, -1), numbers, is_end_noisy=True)
    assert_are_draws(found, *closed_form(how, restoring, measured))


def test_a_measurement_that_is_a_latent_is_sampled_from_exactly(restorer, images):
    """A = F(t_k) and σ_y = σ: what is measured is u_k. The image is a last mean, which lacks what level 1 leaves."""
    restoring = restorer("heat", "markov")
    level = 12
    width = restoring.process.blur_sigma(level)
    how = measurement(BlurProblem(kind="blur", width=width, noise=restoring.process.settings.sigma), SIZE)
    measured = how.measure(images[:1], 0)
    assert first_level(restoring.process, restoring.sampler, width) == level
    mean, covariance = closed_form(how, restoring, measured)
    found = restoring.start(how, width, 0, measured.expand(COUNT, -1, -1), list(product(range(1), range(COUNT))))
    basis = np.kron(cosine_basis(SIZE), cosine_basis(SIZE))
    left = basis.T @ (restoring.calibration.at(1).residual.ravel()[:, None] * basis)
    assert_are_draws(found, mean, covariance - left)


def test_measurements_between_levels_are_blurred_and_noised_to_the_next(restorer, images):
    """On to the next level, to σ in every mode: the posterior of the blurred measurement, so its mean on average."""
    restoring = restorer("heat", "markov")
    width = (restoring.process.blur_sigma(11) + restoring.process.blur_sigma(12)) / 2
    how = measurement(BlurProblem(kind="blur", width=width, noise=0.01), SIZE)
    level, state = restoring._latent(how, width, 0, how.measure(images, 0), list(product(range(len(images)), range(1))))
    assert level == 12
    blurred = restoring.process.heat.blur(images, 12)
    noise = restoring.process.transform(state - blurred)
    assert noise.std().item() == pytest.approx(restoring.process.settings.sigma, rel=0.04)


def test_more_noise_begins_later(restorer):
    process, sampler = restorer().process, SamplerSettings()
    assert first_level(process, sampler, 0.0) == 1
    assert first_level(process, sampler, 0.0, 5) == 6
    assert first_level(process, sampler, process.blur_sigma(process.num_levels)) == process.num_levels
    assert first_level(process, sampler, 0.0, 100) == process.num_levels
    assert first_level(process, SamplerSettings(evaluations=5), 0.0) == 5


@pytest.mark.parametrize("name", ["start", "one_shot"])
def test_blur_beyond_every_level_is_refused(name, restorer, images):
    """It would have to be sharpened: only the posterior is for that."""
    restoring, how = restorer("heat"), measurement(BlurProblem(kind="blur", width=4.5, noise=0.05), SIZE)
    measured = how.measure(images[:1], 0)
    with pytest.raises(UserError, match="pixels exceeds the largest blur of the process, 4;"):
        getattr(restoring, name)(how, 4.5, 0, measured, [(0, 0)])
    assert posterior(restoring, how, measured, [(0, 0)]).isfinite().all()


@pytest.mark.parametrize("sampler", [PAPER, DDIM])
def test_samples_from_a_start_differ_whatever_the_posterior_is_sampled_by(sampler, restorer, images):
    how = measurement(BlurProblem(kind="blur", width=1.0, noise=0.05), SIZE)
    numbers, measured = list(product(range(1), range(2))), how.measure(images[:1], 0).expand(2, -1, -1)
    expected = restorer("heat", "markov").start(how, 1.0, 0, measured, numbers)
    assert (expected[0] - expected[1]).abs().max() > 0.01
    assert torch.equal(replace(restorer("heat"), sampler=sampler).start(how, 1.0, 0, measured, numbers), expected)


def solve(restoring, name, how, measured, numbers):
    return {
        "posterior": lambda: posterior(restoring, how, measured, numbers),
        "start": lambda: restoring.start(how, 1.0, 0, measured, numbers),
        "one_shot": lambda: restoring.one_shot(how, 1.0, 0, measured, numbers),
        "map": lambda: restoring.map(how, 1.0, measured),
    }[name]()


@pytest.mark.parametrize("name", ["posterior", "start", "one_shot", "map"])
def test_the_network_alone_is_on_its_device(name, restorer, images):
    """Tensors on ``meta`` hold nothing: what came from there, or met what is there, would fail."""
    restoring, how = restorer("heat", "markov", 5), measurement(BlurProblem(kind="blur", width=1.0, noise=0.05), SIZE)
    seen, measured, numbers = [], how.measure(images[:2], 0), list(product(range(2), range(1)))

    def remote(states, levels):
        seen.append((states.device.type, levels.device.type))
        return torch.zeros(states.shape)

    found = solve(replace(restoring, network=OnDevice(remote, "meta")), name, how, measured, numbers)
    assert found.device.type == "cpu"
    assert set(seen) == {("meta", "meta")}
    still = replace(restoring, network=lambda states, _: torch.zeros_like(states))
    assert torch.equal(found, solve(still, name, how, measured, numbers))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_network_that_is_not_finite_is_refused(value):
    network = OnDevice(lambda states, _levels: states + value, "cpu")
    with pytest.raises(UserError, match="not finite"):
        network(torch.zeros(2, 1, SIZE, SIZE), torch.ones(2))


def test_network_outputs_are_moved_to_the_cpu(monkeypatch):
    monkeypatch.setattr("ihdm.restoration.solvers.require_finite", lambda _found: None)  # no values in the fake mode

    def remote(states, levels):
        assert {states.device.type, levels.device.type} == {"cuda"}
        return states + levels[:, None, None, None]

    with FakeTensorMode():
        found = OnDevice(remote, "cuda")(torch.zeros(2, 1, SIZE, SIZE), torch.ones(2))
    assert found.device.type == "cpu"


def test_one_shot_is_the_posterior_mean_of_a_latent(restorer, images):
    restoring = restorer("heat")
    width = restoring.process.blur_sigma(9)
    how = measurement(BlurProblem(kind="blur", width=width, noise=restoring.process.settings.sigma), SIZE)
    measured = how.measure(images[:1], 0)
    mean, _ = closed_form(how, restoring, measured)
    found = restoring.one_shot(how, width, 0, measured, [(0, 0)])
    np.testing.assert_allclose(found.flatten().numpy(), mean, atol=2e-4)


def test_the_mode_follows_the_measurement_the_more_it_counts(restorer, images):
    restoring, how = restorer("heat"), measurement(NoiseProblem(kind="noise", noise=0.1), SIZE)
    measured = how.measure(images, 0)
    misfits = [
        (how.apply(restoring.map(how, weight, measured)) - measured).square().mean().item() for weight in (1, 100, 1e6)
    ]
    assert misfits[0] > misfits[1] > misfits[2]
    assert misfits[2] < 1e-6
    with pytest.raises(ValueError, match="not diagonal"):
        restoring.map(measurement(PROBLEMS["pooling"], SIZE), 1.0, measured)


def test_solvers_for_blur_are_for_heat(restorer, images):
    how = measurement(PROBLEMS["blur"], SIZE)
    with pytest.raises(TypeError, match="blurred images"):
        restorer("diffusion").start(how, 1.0, 0, how.measure(images[:1], 0), [(0, 0)])


def test_each_sample_has_numbers_of_its_own(restorer, images):
    """The same alone as among others; each draw of an image, and each image, with other noise."""
    restoring, how = restorer("heat", "markov", 5), measurement(PROBLEMS["mask"], SIZE)
    measured, numbers = how.measure(images[:2], 0), list(product(range(2), range(3)))
    together = posterior(restoring, how, measured.repeat_interleave(3, 0), numbers)
    for place, number in enumerate(numbers):
        alone = posterior(restoring, how, measured[number[0]][None], [number])
        torch.testing.assert_close(alone[0], together[place], atol=1e-4, rtol=0)
    assert (together[0] - together[1]).abs().max() > 0.01


@pytest.mark.parametrize("problem", PROBLEMS)
def test_correcting_the_mean_gives_the_posterior_mean(problem, restorer, images):
    """Wiener's estimate is the linear one of least squared error: that of Gaussian images."""
    restoring, how = restorer(), measurement(PROBLEMS[problem], SIZE)
    measured = how.measure(images[:1], 0)
    found = Conditioner(how, {0: restoring.power}).correct(0, restoring.mean[None], measured)
    np.testing.assert_allclose(found.flatten().numpy(), closed_form(how, restoring, measured)[0], atol=1e-9)


@pytest.mark.parametrize("problem", ["pooling", "mask"])
def test_without_noise_and_with_white_beliefs_it_is_a_projection(problem, images):
    """A⁺ y + (I − A⁺ A) x, as in DDNM."""
    settings = PROBLEMS[problem].model_copy(update={"noise": 1e-6})
    how = measurement(settings, SIZE)
    measured = how.apply(images[:1])
    guess = torch.rand((1, 1, SIZE, SIZE), dtype=torch.float64)
    found = Conditioner(how, {0: torch.ones(SIZE, SIZE)}).correct(0, guess, measured)
    inverse = torch.linalg.pinv(how.matrix)
    flat = guess.flatten()
    expected = inverse @ measured.flatten() + flat - inverse @ (how.matrix @ flat)
    torch.testing.assert_close(found.flatten(), expected, atol=1e-6, rtol=0)


def test_channels_are_corrected_alike(images):
    how = measurement(PROBLEMS["mask"], SIZE)
    color = torch.cat([images[:4], images[4:8], images[8:12]], dim=1).double()
    conditioner = Conditioner(how, {0: torch.ones(SIZE, SIZE)})
    together = conditioner.correct(0, torch.zeros_like(color), how.apply(color))
    for channel in range(3):
        alone = conditioner.correct(
            0, torch.zeros(4, 1, SIZE, SIZE).double(), how.apply(color[:, channel : channel + 1])
        )
        torch.testing.assert_close(together[:, channel : channel + 1], alone)


def test_the_moments_of_training_images(images):
    mean, power = prior_moments(images)
    basis = cosine_basis(SIZE)
    np.testing.assert_allclose(mean.numpy(), images.double().mean(dim=0).numpy())
    centered = images.double().numpy()[:, 0] - mean.numpy()
    np.testing.assert_allclose(power.numpy(), np.square(basis @ centered @ basis.T).mean(axis=0))


def test_conditioners_that_exceed_the_memory_are_computed_again(restorer, images, monkeypatch):
    """With the same samples."""
    restoring, how = restorer("heat", "markov", 5), measurement(PROBLEMS["mask"], SIZE)
    measured, numbers = how.measure(images[:2], 0), list(product(range(2), range(1)))
    kept = posterior(restoring, how, measured, numbers)
    monkeypatch.setattr(problems, "MEMORY", 0)
    known = restoring.conditioner(how, 1.0)
    assert torch.equal(restoring.posterior(known, measured, numbers), kept)
    assert known._matrices(25)[0] is not known._matrices(25)[0]
