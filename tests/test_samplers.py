import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ihdm import samplers
from ihdm.calibration import Calibration, measure
from ihdm.config.processes import (
    ANCESTRAL,
    DDIM,
    PAPER,
    BlurringSettings,
    DiffusionSettings,
    FlowSettings,
    HeatSettings,
    SamplerSettings,
    SoftSettings,
    WhitenedSettings,
)
from ihdm.errors import UserError
from ihdm.predictions import Predictor, Statistics, prediction_of
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, take_steps
from ihdm.sampling import SeededNoise, reverse_process


def heat(size, num_levels, sigma=0.01, blur_sigma_max=4.0, blur_sigma_min=0.3):
    settings = HeatSettings(
        kind="heat", sigma=sigma, num_levels=num_levels, blur_sigma_min=blur_sigma_min, blur_sigma_max=blur_sigma_max
    )
    return build_process(settings, size)


def planned(process, sampler, delta=0.0, calibration=None):
    """Return the steps for a network with the default prediction of the process."""
    return plan_steps(prediction_of(None, process), sampler, delta, calibration)


@pytest.mark.parametrize("delta", [0.0, 0.01, 0.0125])
def test_the_papers_sampler_is_algorithm_2_bit_for_bit(delta):
    """With a network that mixes pixels and levels; it also sees the same images at every level."""
    torch.manual_seed(0)
    convolution, seen = torch.nn.Conv2d(3, 3, 3, padding=1), []

    def network(images, levels):
        seen.append((int(levels[0]), images))
        return 0.1 * torch.tanh(convolution(images) + 0.02 * levels.view(-1, 1, 1, 1))

    process, num_levels = heat(16, 50), 50
    start = torch.rand((5, 3, 16, 16), generator=torch.Generator().manual_seed(1))
    noise = SeededNoise(0, range(5), num_levels, (3, 16, 16))
    expected = reverse_process(network, start, noise, delta)
    *_, last = take_steps(network, process, planned(process, PAPER, delta), start, noise)
    assert torch.equal(last.mean, expected)
    assert [level for level, _ in seen] == 2 * list(range(num_levels, 0, -1))
    for (_, images), (_, reference) in zip(seen[num_levels:], seen[:num_levels], strict=True):
        assert torch.equal(images, reference)


def test_noise_is_drawn_where_it_is_used():
    """Not for the result, which is a mean, nor where a sampler adds none."""
    process, asked = heat(4, 6), []

    class Recorded:
        def __len__(self):
            return 6

        def __getitem__(self, index):
            asked.append(index)
            return torch.zeros(1, 1, 4, 4)

    def sample(delta):
        asked.clear()
        start = torch.zeros(1, 1, 4, 4)
        list(take_steps(lambda u, _: 0.1 * u, process, planned(process, PAPER, delta), start, Recorded()))
        return list(asked)

    assert sample(0.01) == [5, 4, 3, 2, 1]
    assert sample(0.0) == []


# Gaussian images: every DCT mode has a variance P of its own, so all that happens is known in closed form.

PROCESSES = {
    "heat": lambda num_levels, blur=4.0: heat(SIZE, num_levels, sigma=0.02, blur_sigma_max=blur),
    "diffusion": lambda num_levels, blur=0.0: build_process(
        DiffusionSettings(kind="diffusion", num_levels=num_levels, clip=False), SIZE
    ),
    "blurring": lambda num_levels, blur=4.0: build_process(
        BlurringSettings(kind="blurring", num_levels=num_levels, blur_sigma_max=blur), SIZE
    ),
}
SIZE = 8
COUPLINGS = ("independent", "markov")
EVALUATIONS = ("all", "K/2", "K/4", "K/8", 3, 1)


def scales(process, level):
    return np.exp(np.broadcast_to(process.log_scale(level), (SIZE, SIZE)))


def marginal_variance(process, power, level):
    return scales(process, level) ** 2 * power + process.deviation(level) ** 2


def wiener(process, power, level):
    """Return the weight of u_k in the posterior mean of the image."""
    return scales(process, level) * power / marginal_variance(process, power, level)


def mean_variance(process, power, level):
    """Return the variance of the posterior mean of the image: P less what u_k leaves open."""
    return wiener(process, power, level) ** 2 * marginal_variance(process, power, level)


def calibrated(process, power):
    """Return what would be measured of a network that predicts posterior means."""
    levels = range(1, process.num_levels + 1)
    with np.errstate(divide="ignore", over="ignore"):
        gains = np.stack([1 / scales(process, prediction_of(None, process).reference(level)) for level in levels])
    residuals = [power * process.deviation(level) ** 2 / marginal_variance(process, power, level) for level in levels]
    gains = np.where(np.isfinite(gains), gains, 0.0)  # of modes that have vanished, of which nothing is estimated
    return Calibration(np.array(levels), gains, np.zeros_like(gains), np.stack(residuals), power)


def factors(process, power, step):
    """Return by what a step multiplies u_k of Gaussian images, and the variance that it adds."""
    estimate = scales(process, prediction_of(None, process).reference(step.level)) * wiener(process, power, step.level)
    return step.keep + step.mean * estimate, np.square(step.noise) if step.next_level else 0.0


def variances(process, power, sampler, calibration=None, delta=0.0):
    """Yield the level reached by each step, and the variance there if that of u_K is the process's own."""
    variance = marginal_variance(process, power, process.num_levels)
    for step in planned(process, sampler, delta, calibration):
        factor, added = factors(process, power, step)
        variance = factor**2 * variance + added
        yield step.next_level, variance


def powers(seed, decades=6):
    """Return a variance for every mode, of very different sizes."""
    return 10 ** np.random.default_rng(seed).uniform(-decades, 1, (SIZE, SIZE))


@given(
    kind=st.sampled_from(sorted(PROCESSES)),
    coupling=st.sampled_from(COUPLINGS),
    evaluations=st.sampled_from(EVALUATIONS),
    spacing=st.sampled_from([0.7, 1.0, 2.0]),
    num_levels=st.integers(25, 60),
    blur=st.floats(0.3, 8),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_measured_noise_keeps_every_variance_of_gaussian_images(
    kind, coupling, evaluations, spacing, num_levels, blur, seed
):
    """At every level; the image itself is a posterior mean, which lacks what the last level leaves open."""
    process, power = PROCESSES[kind](num_levels, blur), powers(seed)
    sampler = SamplerSettings(coupling=coupling, noise="measured", evaluations=evaluations, spacing=spacing)
    *_, last, _image = sampler.levels(process.settings)
    reached = dict(variances(process, power, sampler, calibrated(process, power)))
    assert tuple(reached) == sampler.levels(process.settings)[1:]
    np.testing.assert_allclose(reached.pop(0), mean_variance(process, power, last), rtol=1e-9)
    for level, variance in reached.items():
        np.testing.assert_allclose(variance, marginal_variance(process, power, level), rtol=1e-9)


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("evaluations", EVALUATIONS)
def test_deterministic_steps_lose_variance_as_is_known(kind, evaluations):
    """A step from level k to j ends with (1 + ρ_j ρ_k P)² / ((1 + ρ_j² P)(1 + ρ_k² P)) of the right variance, where
    ρ = a/s: never with more."""
    process, power = PROCESSES[kind](40), powers(0, decades=3)
    sampler = SamplerSettings(coupling="deterministic", noise="none", evaluations=evaluations)
    for step in planned(process, sampler, calibration=calibrated(process, power)):
        factor, _ = factors(process, power, step)
        before = marginal_variance(process, power, step.level)
        share = factor**2 * before / marginal_variance(process, power, step.next_level)
        ratio = scales(process, step.level) / process.deviation(step.level)
        if step.next_level == 0:
            expected = ratio**2 * power / (1 + ratio**2 * power)
        else:
            next_ratio = scales(process, step.next_level) / process.deviation(step.next_level)
            expected = (1 + next_ratio * ratio * power) ** 2 / (1 + next_ratio**2 * power) / (1 + ratio**2 * power)
        np.testing.assert_allclose(share, expected, rtol=1e-9)
        assert (share < 1 + 1e-9).all()


@pytest.mark.parametrize("kind", PROCESSES)
def test_deterministic_steps_lose_ever_less_with_more_of_them(kind):
    """To first order: twice the steps, half the loss. At level 1, as the image is a posterior mean."""
    power = powers(0, decades=2)
    losses = []
    for num_levels in (200, 400, 800):
        process = PROCESSES[kind](num_levels)
        reached = dict(variances(process, power, DDIM))
        loss = 1 - reached[1] / marginal_variance(process, power, 1)
        assert (loss > -1e-9).all()
        losses.append(loss.mean())
    assert losses[2] < 0.05
    assert losses[1] / losses[0] < 0.75
    assert losses[2] / losses[1] < 0.65


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_posterior_noise_alone_loses_the_residual_variance(kind, coupling):
    process, power = PROCESSES[kind](40), powers(0)
    sampler = SamplerSettings(coupling=coupling, noise="posterior")
    for level, variance in variances(process, power, sampler):
        assert (variance < marginal_variance(process, power, level) * (1 + 1e-9)).all()


def test_the_papers_noise_is_root_two_sigma_in_modes_that_live_and_sigma_in_those_that_do_not():
    process, sampler = PROCESSES["heat"](400, 1.5), SamplerSettings(noise="measured")
    power = np.full((SIZE, SIZE), 100.0)
    ratio = marginal_variance(process, power, 400) / process.settings.sigma**2 - 1
    noise = planned(process, sampler, calibration=calibrated(process, power))[0].noise
    live, dead = ratio > 1000, ratio < 0.001
    assert live.sum() > 5
    assert dead.sum() > 5
    np.testing.assert_allclose(noise[live], np.sqrt(2) * process.settings.sigma, rtol=0.03)
    np.testing.assert_allclose(noise[dead], process.settings.sigma, rtol=0.001)


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("coupling", ["independent", "markov", "deterministic"])
def test_exact_gains_change_nothing(kind, coupling):
    process, power = PROCESSES[kind](40), powers(0)
    sampler = SamplerSettings(coupling=coupling, noise="none")
    measured = planned(process, sampler, calibration=calibrated(process, power))
    for step, other in zip(planned(process, sampler), measured, strict=True):
        np.testing.assert_allclose(step.keep, other.keep)
        np.testing.assert_allclose(
            np.broadcast_to(step.mean, (SIZE, SIZE)), np.broadcast_to(other.mean, (SIZE, SIZE)), rtol=1e-9, atol=1e-15
        )
        assert not np.any(other.offset)


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_samples_of_gaussian_images_have_their_variance(kind, coupling, exact_network):
    """Drawn by the sampler itself: a quarter of the levels, measured noise; the image, and a level half-way."""
    process, power, count = PROCESSES[kind](40, 1.0), powers(0, decades=2), 3000
    sampler = SamplerSettings(coupling=coupling, noise="measured", evaluations="K/4")
    steps = planned(process, sampler, calibration=calibrated(process, power))
    network = exact_network(
        process, lambda coefficients, level: coefficients * torch.as_tensor(wiener(process, power, level)).float()
    )
    rng = torch.Generator().manual_seed(1)
    deviation = torch.as_tensor(np.sqrt(marginal_variance(process, power, process.num_levels))).float()
    start = process.inverse(deviation * torch.randn((count, 1, SIZE, SIZE), generator=rng))
    noise = torch.randn((process.num_levels, count, 1, SIZE, SIZE), generator=rng)
    means = {taken.next_level: taken.mean for taken in take_steps(network, process, steps, start, noise)}
    added = {step.next_level: np.square(step.noise) for step in steps}
    expected = {
        20: marginal_variance(process, power, 20) - added[20],  # the mean, before noise is added
        0: mean_variance(process, power, steps[-1].level),
    }
    for level, variance in expected.items():
        found = process.transform(means[level])[:, 0].double().numpy().var(axis=0, ddof=1)
        z = (found / variance - 1) / np.sqrt(2 / (count - 1))
        assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3


# What keeps a sampler from harm.


@given(
    kind=st.sampled_from(sorted(PROCESSES)),
    coupling=st.sampled_from(["independent", "markov", "deterministic"]),
    num_levels=st.integers(25, 1000),
    blur=st.floats(0.3, 200),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_the_variance_of_a_step_is_never_negative(kind, coupling, num_levels, blur, data):
    process = PROCESSES[kind](num_levels, blur)
    level = data.draw(st.integers(1, num_levels))
    next_level = data.draw(st.integers(0, level - 1))
    kept = samplers.coupling(process, coupling, level, next_level)
    most = process.deviation(next_level) / process.deviation(level)
    assert (np.asarray(kept) >= 0).all()
    assert (np.asarray(kept) <= most * (1 + 1e-12)).all()
    variance = np.asarray(samplers.open_variance(process, kept, level, next_level))
    assert (variance >= 0).all()
    assert (variance <= process.deviation(next_level) ** 2).all()
    weight = np.asarray(samplers.clean_weight(process, kept, level, next_level))
    assert np.isfinite(weight).all()
    assert (weight >= -1e-12).all()


def blind(process, power, residual):
    """Return what would be measured of a network that is wrong by so much at every level and in every mode."""
    levels = np.arange(1, process.num_levels + 1)
    gains = np.ones((len(levels), SIZE, SIZE))
    return Calibration(levels, gains, 0 * gains, residual * gains, np.full((SIZE, SIZE), power))


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_noise_of_dead_modes_is_capped(kind, coupling):
    """However wrong the network was, in modes that hold less signal than noise; where they live, it is made up for."""
    process, sampler = PROCESSES[kind](40, 1.5), SamplerSettings(coupling=coupling, noise="measured")
    seen = set()
    for step in planned(process, sampler, calibration=blind(process, 1.0, 1e4)):
        after = process.deviation(step.next_level)
        kept = samplers.coupling(process, coupling, step.level, step.next_level)
        weight = samplers.clean_weight(process, kept, step.level, step.next_level)
        wanted = np.sqrt(samplers.open_variance(process, kept, step.level, step.next_level) + weight**2 * 1e4)
        dead = scales(process, step.next_level) ** 2 < after**2
        noise, wanted = (np.broadcast_to(values, (SIZE, SIZE)) for values in (step.noise, wanted))
        assert (noise[dead] <= 1.5 * after * (1 + 1e-12)).all()
        np.testing.assert_allclose(noise[~dead], wanted[~dead])
        seen |= {"capped"} if (dead & (wanted > 1.5 * after)).any() else set()
        seen |= {"live"} if not dead.all() else set()
    assert seen == {"capped", "live"}


def test_a_level_that_was_not_measured_is_refused():
    process = PROCESSES["heat"](40)
    sampler = SamplerSettings(coupling="markov", noise="measured", evaluations="K/4")
    found = measure(lambda u, _: 0 * u, process, torch.rand(10, 1, SIZE, SIZE), [40, 36, 32], 0, 10)
    with pytest.raises(UserError, match="not calibrated at level 28"):
        planned(process, sampler, calibration=found)


def test_measured_noise_without_measurements_is_refused():
    with pytest.raises(ValueError, match="needs a calibration"):
        planned(PROCESSES["heat"](40), SamplerSettings(noise="measured"))


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("coupling", COUPLINGS)
def test_a_network_without_information_draws_the_mean_image(kind, coupling, exact_network):
    """Its gains are zero, so that the image is the measured offset, and states on the way are of ordinary size."""
    process = PROCESSES[kind](40)
    images = torch.rand((50, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
    network = exact_network(process, lambda coefficients, _level: torch.zeros_like(coefficients))
    sampler = SamplerSettings(coupling=coupling, noise="measured", evaluations="K/4")
    found = measure(network, process, images, sampler.levels(process.settings)[:-1], 0, 50)
    rng = torch.Generator().manual_seed(1)
    start, noise = torch.randn((20, 1, SIZE, SIZE), generator=rng), torch.randn((40, 20, 1, SIZE, SIZE), generator=rng)
    steps = planned(process, sampler, calibration=found)
    means = {taken.next_level: taken.mean for taken in take_steps(network, process, steps, start, noise)}
    assert max(float(mean.abs().max()) for mean in means.values()) < 10
    expected = images.mean(dim=0, keepdim=True).expand(20, -1, -1, -1)
    torch.testing.assert_close(process.from_range(means[0]), expected, atol=2e-3, rtol=0)


# The exact network of a few training images: its estimate is their mean, weighted by how likely each is given u_k.

NUM_DRAWN = 2000
ANY_IMAGES = 0.5 + 0.5 * torch.stack(
    [image - image.mean() for image in torch.rand((5, 1, SIZE, SIZE), generator=torch.Generator().manual_seed(0))]
)
REFLECTED_IMAGES = torch.stack(
    [
        torch.rot90(image, turns, (1, 2))
        for image in (ANY_IMAGES[0], ANY_IMAGES[0].transpose(1, 2))
        for turns in range(4)
    ]
)


def posterior_mean_of(process, images):
    clean = process.transform(process.to_range(images))

    def posterior_mean(coefficients, level):
        blurred = torch.as_tensor(scales(process, level)).float() * clean
        distances = (coefficients[:, None] - blurred).square().flatten(2).sum(dim=2)
        weights = torch.softmax(-distances / (2 * process.deviation(level) ** 2), dim=1)
        return (weights @ clean.flatten(1)).view_as(coefficients)

    return posterior_mean


def drawn_counts(process, sampler, delta_ratio, images, network):
    """Return how often each of the images is drawn, having seen that nothing else is."""
    num_levels, shape = process.num_levels, (NUM_DRAWN, 1, SIZE, SIZE)
    rng = torch.Generator().manual_seed(3)
    noise = torch.randn((num_levels + 1, *shape), generator=rng)
    start = noise[-1]
    if process.deviation(num_levels) < 0.1:  # heat's starts are blurred training images
        chosen = torch.arange(NUM_DRAWN) % len(images)
        deviation = process.deviation(num_levels) * (delta_ratio or 1)
        start = process.heat.blur(images[chosen], num_levels) + deviation * noise[-1]
    calibration = None
    if sampler.noise == "measured":
        levels = sampler.levels(process.settings)[:-1]
        calibration = measure(network, process, images.repeat(20, 1, 1, 1), levels, 0, 100)
    steps = planned(process, sampler, process.deviation(num_levels) * delta_ratio, calibration)
    *_, last = take_steps(network, process, steps, start, noise[:-1])
    differences = (process.from_range(last.mean)[:, None] - images).abs().amax(dim=(2, 3, 4))
    assert float(differences.min(dim=1).values.max()) < 1e-3
    return np.bincount(differences.argmin(dim=1).numpy(), minlength=len(images))


MEASURED_MARKOV = SamplerSettings(coupling="markov", noise="measured")
RETURNING = {
    # At the widest blur the images are a fraction of σ apart.
    "heat, markov": ("heat", 8.0, MEASURED_MARKOV, ANY_IMAGES),
    "diffusion, ancestral": ("diffusion", 0.0, ANCESTRAL, ANY_IMAGES),
    "diffusion, ddim": ("diffusion", 0.0, DDIM, ANY_IMAGES),
    "diffusion, measured": ("diffusion", 0.0, MEASURED_MARKOV, ANY_IMAGES),
    "blurring, ancestral": ("blurring", 3.0, ANCESTRAL, ANY_IMAGES),
    "paper": ("heat", 8.0, PAPER, REFLECTED_IMAGES),
    "independent": ("heat", 8.0, SamplerSettings(noise="measured"), REFLECTED_IMAGES),
    "independent, a quarter": ("heat", 8.0, SamplerSettings(noise="measured", evaluations="K/4"), REFLECTED_IMAGES),
    "markov, a quarter": ("heat", 8.0, MEASURED_MARKOV.model_copy(update={"evaluations": "K/4"}), REFLECTED_IMAGES),
}


@pytest.mark.parametrize("case", RETURNING)
def test_training_images_come_back_equally_often(case, exact_network):
    """Samplers that follow the reverse process pick each of any images as often.

    Independent levels, as the paper's, and long steps pick some images more often than others; but not where all are
    alike to the process: an image and its reflections.
    """
    kind, blur, sampler, images = RETURNING[case]
    process = PROCESSES[kind](100, blur)
    network = exact_network(process, posterior_mean_of(process, images))
    counts = drawn_counts(process, sampler, 1.25 * sampler.uses_delta, images, network)
    assert stats.chisquare(counts).pvalue > 1e-3


# Second order: for Gaussian images the path of the deterministic sampler with ever more steps is known, too.


@pytest.mark.parametrize("kind", ["heat", "diffusion", "soft", "flow"])
def test_second_order_converges_faster(kind):
    """Half way, the error falls with the square of the number of steps, and for first order with the number."""
    further = {
        "soft": SoftSettings(kind="soft", num_levels=960, blur_sigma_max=4.0),
        "flow": FlowSettings(kind="flow", num_levels=960),
    }
    process = build_process(further[kind], SIZE) if kind in further else PROCESSES[kind](960)
    power = powers(0)
    whitened = Predictor(WhitenedSettings(), Statistics(np.zeros((1, SIZE, SIZE)), power))

    def error(count, order):
        sampler = SamplerSettings(coupling="deterministic", noise="none", evaluations=count, order=order, spacing=1.0)
        state, previous = np.ones((SIZE, SIZE)), 0.0
        for step in plan_steps(whitened.on(process), sampler):
            estimate = wiener(process, power, step.level) * state
            state = step.keep * state + step.mean * estimate + step.extrapolation * (estimate - previous)
            previous = estimate
            if step.next_level == 480:
                break
        exact = np.sqrt(marginal_variance(process, power, 480) / marginal_variance(process, power, 960))
        return np.abs(state / exact - 1).max()

    assert error(480, 2) < error(480, 1) / 5
    assert error(120, 2) / error(480, 2) > 10
    assert 3 < error(120, 1) / error(480, 1) < 6


def test_second_order_needs_an_estimate_of_the_clean_image():
    sampler = SamplerSettings(coupling="deterministic", noise="none", order=2)
    with pytest.raises(UserError, match="order 2 needs an estimate of the clean image"):
        planned(PROCESSES["heat"](40), sampler)
    with pytest.raises(ValueError, match="use coupling 'deterministic' and noise 'none', or order 1"):
        SamplerSettings(order=2)
