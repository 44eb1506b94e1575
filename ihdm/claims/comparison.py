"""Claims that compare heat with diffusion of equal data, network and training."""

import math
from collections.abc import Callable

from ihdm.claims.claim import Claim, Evidence, NotRunError, Subject, baselines, quality
from ihdm.claims.decisions import Measured, above, below, mean
from ihdm.config.experiments import Variant
from ihdm.config.scale import Config


def _networks(config: Config) -> list[Subject]:
    """Return the pairs of networks, each diffusion by its own sampler."""
    return [(heat, baseline) for heat, baseline in baselines(config) if config.variants[baseline].swept is None]


def _trained_on_few(config: Config) -> list[Subject]:
    """Return the pairs for which both networks are also trained on fewer images."""
    return [pair for pair in _networks(config) if all(_on_fewer(config, name) for name in pair)]


def _ratio(evidence: Evidence, pair: Subject, measure: Callable[[str], Measured]) -> list[Measured]:
    """Return heat's value over diffusion's.

    Raises:
        NotRunError: if one of them is zero, so that the ratio has no error.
    """
    heat, baseline = (evidence.over_trainings(name, measure) for name in pair)
    if min(heat.value, baseline.value) <= 0:
        raise NotRunError
    return [heat.over(baseline)]


def _steps(evidence: Evidence, *pair: str) -> list[Measured]:
    def largest_step(name: str) -> Measured:
        return evidence.one("interpolation", experiment=name, space="pixels", quantity="largest_step")

    return _ratio(evidence, pair, largest_step)


def _radius(evidence: Evidence, *pair: str) -> list[Measured]:
    def radius(name: str) -> Measured:
        return mean(evidence.each("input_gradients", experiment=name, output="residual", quantity="effective_radius"))

    return _ratio(evidence, pair, radius)


def _distances(evidence: Evidence, *pair: str) -> list[Measured]:
    heat, baseline = (evidence.over_trainings(name, evidence.distance) for name in pair)
    return [heat.minus(baseline)]


def _losses(evidence: Evidence, *pair: str) -> list[Measured]:
    counts = [{variant.experiment.num_train or 0 for variant in _on_fewer(evidence.config, name)} for name in pair]
    both = set.intersection(*counts)
    if not both:
        raise NotRunError
    heat, baseline = (evidence.over_trainings(name, lambda one: _loss(evidence, one, min(both))) for name in pair)
    return [heat.minus(baseline)]


def _on_fewer(config: Config, name: str) -> list[Variant]:
    """Return the variants that differ from an experiment only in a smaller training set."""
    every = config.variants[name].experiment
    return [
        variant
        for variant in config.variants.values()
        if (variant.experiment.num_train or math.inf) < (every.num_train or math.inf)
        and variant.experiment.model_copy(update={"num_train": every.num_train}) == every
    ]


def _loss(evidence: Evidence, name: str, count: int) -> Measured:
    """Return by how much training on few images raises the distance from held-out images, with one seed.

    From the training images it would be small for samples that repeat the few.

    Raises:
        NotRunError: if nothing was trained on so few with this seed.
    """
    few = [variant.name for variant in _on_fewer(evidence.config, name) if variant.experiment.num_train == count]
    if not few:
        raise NotRunError
    ratio = evidence.config.variants[name].delta_ratio
    fewer, every = (
        quality(evidence.rows("sweep", experiment=one, set="samples", delta_ratio=ratio), "_held_out")
        for one in (few[0], name)
    )
    return fewer.minus(every)


CLAIMS = (
    Claim(
        id="interpolation_smoother",
        text="Interpolations are smoother than those of DDPM and DDIM.",
        paper="the figure of interpolations",
        table="interpolation",
        quantity="largest step over the mean step, in pixels: heat relative to diffusion",
        subjects=baselines,
        measure=_steps,
        decision=below(1.0),
        reason="A path with a jump has one large step.",
    ),
    Claim(
        id="gradients_more_local",
        text="Input gradients are more local than those of the diffusion model.",
        paper="the figures of input gradients",
        table="input_gradients",
        quantity="effective radius of the residual's gradient, mean over stages: heat relative to diffusion",
        subjects=_networks,
        measure=_radius,
        decision=below(1.0),
        reason="More local means a smaller radius. Stages share images and are averaged image by image.",
    ),
    Claim(
        id="more_data_efficient",
        text="With few training images, heat loses less quality than diffusion.",
        paper="the figure of data efficiency, of which we know no numbers",
        table="sweep",
        quantity="increase of the distance from held-out images with the smallest training set: heat minus diffusion",
        subjects=_trained_on_few,
        measure=_losses,
        decision=below(0.0),
        reason="A smaller increase is a smaller loss of quality.",
        rule_set="after results",
    ),
    Claim(
        id="diffusion_has_better_samples",
        text="Samples of the diffusion model are closer to the data than those of heat.",
        paper="published FIDs on CIFAR-10",
        table="distance",
        quantity="distance of samples from training images: heat minus diffusion",
        subjects=baselines,
        measure=_distances,
        decision=above(0.0),
        reason="The claim is about the sign; the size depends on budget and data.",
        reference="FID 18.96 and 3.17",
        rule_set="after results",
    ),
)
