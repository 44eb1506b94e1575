"""Our claims, which are not in the paper."""

from collections.abc import Callable, Iterator
from functools import partial

from ihdm.claims.claim import (
    REPOSITORY,
    Claim,
    Evidence,
    NotRunError,
    Subject,
    heat_experiments,
    measured,
    quality,
    whitened_pairs,
)
from ihdm.claims.decisions import Measured, below
from ihdm.config.scale import Config

SECOND = "second"
"""Name of the second-order sampler in configurations."""
MARGIN = 0.1
"""Samples match if their distance is at most a tenth larger."""


def _studied(config: Config) -> list[Subject]:
    return [subject for subject in heat_experiments(config) if subject[0] in config.studies]


def _bits(evidence: Evidence, experiment: str, joint: str, variance: str) -> Measured:
    """Return the lowest bound of one joint over the sampled δ."""
    rows = evidence.rows("likelihood", experiment=experiment, joint=joint, variance=variance)
    rows = rows[rows["bits_per_dim"].notna()].sort_values("bits_per_dim")
    if rows.empty:
        raise NotRunError
    return measured(rows.iloc[0].rename({"bits_per_dim": "value"}))


def _bounds(evidence: Evidence, experiment: str) -> list[Measured]:
    def bounds(name: str) -> Measured:
        return _bits(evidence, name, "markov", "mode").minus(_bits(evidence, name, "independent", "one"))

    return [evidence.over_trainings(experiment, bounds, is_of_test_images=True)]


def _quarter(evidence: Evidence, experiment: str) -> list[Measured]:
    config = evidence.config
    levels = config.variants[experiment].experiment.process.num_levels
    markov = [
        name
        for name in config.studies[experiment].samplers
        if (config.all_samplers[name].coupling, config.all_samplers[name].noise) == ("markov", "measured")
    ]

    def excess(name: str) -> Measured:
        ours, paper = _study(evidence, *markov, count=levels // 4), _study(evidence, "paper_best", count=levels)
        return ours(name).minus(paper(name).times(1 + MARGIN))

    return [evidence.over_trainings(experiment, excess)]


def _study(evidence: Evidence, *samplers: str, count: int) -> Callable[[str], Measured]:
    """Return a function that gives the distance of a training's samples with an NFE, by the best of these samplers."""

    def best(name: str) -> Measured:
        rows = evidence.rows("evaluations", experiment=name, sampler=samplers, evaluations=count)
        return min((quality(own) for _, own in rows.groupby("sampler")), key=lambda found: found.value)

    return best


def _whitened(evidence: Evidence, ours: str, theirs: str, part: int, sampler: str, factor: float) -> list[Measured]:
    """Compare the best of the studied samplers at K/part with ``factor`` times the distance of a sampler at K."""
    if ours not in evidence.config.studies:
        raise NotRunError
    levels = evidence.config.variants[ours].experiment.process.num_levels
    samplers = evidence.config.studies[ours].samplers
    few = evidence.over_trainings(ours, _study(evidence, *samplers, count=levels // part))
    return [few.minus(evidence.over_trainings(theirs, _study(evidence, sampler, count=levels)).times(factor))]


def _pairs_with_snapshots(config: Config) -> Iterator[Subject]:
    """Yield the pairs whose trainings keep snapshots after half of the steps and after all."""
    for ours, theirs in whitened_pairs(config):
        steps = config.variants[ours].experiment.training.steps
        if _has_snapshot(config, ours, steps / 2) and _has_snapshot(config, theirs, steps):
            yield ours, theirs


def _has_snapshot(config: Config, experiment: str, step: float) -> bool:
    every = config.run(experiment).snapshot_every
    return every is not None and step % every == 0


def _half_training(evidence: Evidence, ours: str, theirs: str) -> list[Measured]:
    steps = evidence.config.variants[ours].experiment.training.steps

    def after(step: int) -> Callable[[str], Measured]:
        return lambda name: quality(evidence.rows("milestones", experiment=name, step=step))

    half = evidence.over_trainings(ours, after(steps // 2))
    return [half.minus(evidence.over_trainings(theirs, after(steps)))]


def _studied_flows(config: Config) -> list[Subject]:
    """Return the studied experiments that start from noise alone and are sampled by the second-order sampler."""
    return [
        (name,)
        for name, study in config.studies.items()
        if SECOND in study.samplers
        and config.variants[name].swept is None
        and config.variants[name].experiment.process.kind in ("diffusion", "flow")
    ]


def _few(evidence: Evidence, experiment: str) -> list[Measured]:
    study = evidence.config.studies[experiment]

    def excess(name: str) -> Measured:
        best = _study(evidence, *study.samplers, count=max(study.counts))(name)
        return _study(evidence, SECOND, count=min(study.counts))(name).minus(best.times(1 + MARGIN))

    return [evidence.over_trainings(experiment, excess)]


CLAIMS = (
    Claim(
        id="markov_bound_is_tighter",
        text="With the same network, the Markov joint gives a lower likelihood bound than the paper's joint.",
        paper=REPOSITORY,
        table="likelihood",
        quantity="Markov bound minus the paper's bound at the best sampled δ, in bits per dimension",
        subjects=heat_experiments,
        measure=_bounds,
        decision=below(0.0),
        reason="The two joints are different models of images, each with its own bound, on the same test images.",
        rule_set="after results",
    ),
    Claim(
        id="quarter_of_evaluations_suffices",
        text="With NFE K/4, the Markov sampler matches the paper's sampler with NFE K at its best δ.",
        paper=REPOSITORY,
        table="evaluations",
        quantity=(
            "distance of the Markov sampler's samples at K/4 minus 1.1 times that of the paper's at K and best δ"
        ),
        subjects=_studied,
        measure=_quarter,
        decision=below(0.0),
        reason="A match is at most a tenth further from the training images.",
        rule_set="after results",
    ),
    Claim(
        id="whitened_eighth_beats_default",
        text=(
            "With whitened prediction and NFE K/8, samples are better than those of the paper's sampler with NFE K at "
            "its default δ."
        ),
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the best sampler's samples at K/8 minus that of the paper's at K and default δ",
        subjects=whitened_pairs,
        measure=partial(_whitened, part=8, sampler="paper", factor=1.0),
        decision=below(0.0),
        reason="Process, network, data and training are equal; only prediction and sampler differ.",
        rule_set="after results",
    ),
    Claim(
        id="whitened_quarter_matches_best",
        text=(
            "With whitened prediction and NFE K/4, samples match those of the paper's sampler with NFE K at its best δ."
        ),
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the best sampler's samples at K/4 minus 1.1 times that of the paper's at best δ",
        subjects=whitened_pairs,
        measure=partial(_whitened, part=4, sampler="paper_best", factor=1 + MARGIN),
        decision=below(0.0),
        reason="A match is at most a tenth further from the training images.",
        rule_set="after results",
    ),
    Claim(
        id="whitened_needs_half_the_training",
        text=(
            "With whitened prediction, half the training steps give samples at least as good as the fully trained "
            "residual network's."
        ),
        paper=REPOSITORY,
        table="milestones",
        quantity=(
            "distance of the whitened network's samples after half of the steps minus that of the residual network's "
            "after all, by the paper's sampler at its default δ"
        ),
        subjects=_pairs_with_snapshots,
        measure=_half_training,
        decision=below(0.0),
        reason="Process, network, data and training are equal; each network is sampled by its own sampler.",
    ),
    Claim(
        id="five_evaluations_suffice_from_noise",
        text=(
            "From pure noise, the second-order sampler with the fewest NFE of the study matches the best sampler with "
            "the most."
        ),
        paper=REPOSITORY,
        table="evaluations",
        quantity=(
            "distance of the second-order sampler's samples at the fewest NFE minus 1.1 times that of the best "
            "sampler at the most"
        ),
        subjects=_studied_flows,
        measure=_few,
        decision=below(0.0),
        reason="A match is at most a tenth further from the training images.",
        rule_set="after results",
    ),
)
