"""Claims that the paper does not make: ours."""

from ihdm.claims.claim import REPOSITORY, Claim
from ihdm.claims.decisions import Below, Measured
from ihdm.claims.evidence import Evidence, NotRunError, Subject, heat_experiments, measured, quality, whitened_pairs
from ihdm.config.scale import Config

SECOND = "second"
"""Name of the second-order sampler in configurations."""
MARGIN = 0.1
"""As good is at most a tenth further from the training images."""


def _studied(config: Config) -> list[Subject]:
    return [subject for subject in heat_experiments(config) if subject[0] in config.studies]


def _bits(evidence: Evidence, experiment: str, joint: str, variance: str) -> Measured:
    """Return the lowest bound of one joint, over what was tried of δ."""
    rows = evidence.rows("likelihood", experiment=experiment, joint=joint, variance=variance)
    rows = rows[rows["bits_per_dim"].notna()].sort_values("bits_per_dim")
    if rows.empty:
        raise NotRunError
    return measured(rows.iloc[0].rename({"bits_per_dim": "value"}))


def _bounds(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [_bits(evidence, subject[0], "markov", "mode").minus(_bits(evidence, subject[0], "independent", "one"))]


def _quarter(evidence: Evidence, subject: Subject) -> list[Measured]:
    config = evidence.config
    levels = config.variants[subject[0]].experiment.process.num_levels
    markov = [
        name
        for name in config.studies[subject[0]].samplers
        if (config.all_samplers[name].coupling, config.all_samplers[name].noise) == ("markov", "measured")
    ]
    ours = evidence.rows("evaluations", experiment=subject[0], sampler=tuple(markov), evaluations=levels // 4)
    paper = evidence.rows("evaluations", experiment=subject[0], sampler="paper_best", evaluations=levels)
    return [quality(ours).minus(quality(paper).times(1 + MARGIN))]


def _study(evidence: Evidence, experiment: str, sampler: str, count: int) -> Measured:
    rows = evidence.rows("evaluations", experiment=experiment, sampler=sampler, evaluations=count)
    return quality(rows)


def _whitened_eighth(evidence: Evidence, subject: Subject) -> list[Measured]:
    ours, theirs = subject
    levels = evidence.config.variants[ours].experiment.process.num_levels
    return [_study(evidence, ours, SECOND, levels // 8).minus(_study(evidence, theirs, "paper", levels))]


def _whitened_quarter(evidence: Evidence, subject: Subject) -> list[Measured]:
    ours, theirs = subject
    levels = evidence.config.variants[ours].experiment.process.num_levels
    best = _study(evidence, theirs, "paper_best", levels)
    return [_study(evidence, ours, SECOND, levels // 4).minus(best.times(1 + MARGIN))]


def _studied_flows(config: Config) -> list[Subject]:
    """Return the studied experiments that start from noise alone and are sampled by the second-order sampler."""
    return [
        (name,)
        for name, study in config.studies.items()
        if SECOND in study.samplers and config.variants[name].experiment.process.kind in ("diffusion", "flow")
    ]


def _few(evidence: Evidence, subject: Subject) -> list[Measured]:
    study = evidence.config.studies[subject[0]]
    best = min(
        (_study(evidence, subject[0], sampler, max(study.counts)) for sampler in study.samplers),
        key=lambda found: found.value,
    )
    return [_study(evidence, subject[0], SECOND, min(study.counts)).minus(best.times(1 + MARGIN))]


CLAIMS = (
    Claim(
        id="markov_bound_is_tighter",
        text="With the same network, the Markov joint gives a lower likelihood bound than the paper's joint.",
        paper=REPOSITORY,
        table="likelihood",
        quantity="Markov bound less the paper's with the best δ of those tried, in bits per dimension",
        subjects=heat_experiments,
        measure=_bounds,
        decision=Below(0.0),
        reason="The two joints are different models of images, each with its own bound. Both are measured on the same "
        "test images.",
        is_ours=True,
        rule_set="after results",
    ),
    Claim(
        id="quarter_of_evaluations_suffices",
        text="With a quarter of the network evaluations, the Markov sampler is as good as the paper's sampler with all "
        "of them at its best δ.",
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the Markov sampler's samples at K/4 less 1.1 times that of the paper's at K and best δ",
        subjects=_studied,
        measure=_quarter,
        decision=Below(0.0),
        reason="As good means at most a tenth further from the training images.",
        is_ours=True,
        rule_set="after results",
    ),
    Claim(
        id="whitened_eighth_beats_default",
        text="With whitened prediction and an eighth of the network evaluations, samples are better than those of the "
        "paper's sampler at its default δ with all of them.",
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the second-order sampler's samples at K/8 less that of the paper's at K and default δ",
        subjects=lambda config: list(whitened_pairs(config)),
        measure=_whitened_eighth,
        decision=Below(0.0),
        reason="Same process, network, data and training; only the prediction and the sampler differ.",
        is_ours=True,
        rule_set="after results",
    ),
    Claim(
        id="whitened_quarter_matches_best",
        text="With whitened prediction and a quarter of the network evaluations, samples are as good as those of the "
        "paper's sampler at its best δ with all of them.",
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the second-order sampler's samples at K/4 less 1.1 times that of the paper's at best δ",
        subjects=lambda config: list(whitened_pairs(config)),
        measure=_whitened_quarter,
        decision=Below(0.0),
        reason="As good means at most a tenth further from the training images.",
        is_ours=True,
        rule_set="after results",
    ),
    Claim(
        id="five_evaluations_suffice_from_noise",
        text="From pure noise, the fewest network evaluations of the study with the second-order sampler give samples "
        "as good as the best sampler with the most.",
        paper=REPOSITORY,
        table="evaluations",
        quantity="distance of the second-order sampler's samples at the fewest less 1.1 times that of the best at most",
        subjects=_studied_flows,
        measure=_few,
        decision=Below(0.0),
        reason="As good means at most a tenth further from the training images.",
        is_ours=True,
        rule_set="after results",
    ),
)
