"""Claims that the paper does not make: ours."""

from ihdm.claims.claim import REPOSITORY, Claim
from ihdm.claims.decisions import Below, Measured
from ihdm.claims.evidence import Evidence, NotRunError, Subject, frechet, heat_experiments
from ihdm.config.scale import Config


def _studied(config: Config) -> list[Subject]:
    return [subject for subject in heat_experiments(config) if subject[0] in config.studies]


def _bits(evidence: Evidence, experiment: str, joint: str, variance: str) -> Measured:
    """Return the lowest bound of one joint, over what was tried of δ."""
    rows = evidence.rows("likelihood", experiment=experiment, joint=joint, variance=variance)
    rows = rows[rows["bits_per_dim"].notna()].sort_values("bits_per_dim")
    if rows.empty:
        raise NotRunError
    return Measured.of(*map(float, rows[["bits_per_dim", "standard_error"]].iloc[0]))


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
    paper = evidence.rows("evaluations", experiment=subject[0], sampler="paper", evaluations=levels)
    return [frechet(ours).over(frechet(paper))]


CLAIMS = (
    Claim(
        id="markov_bound_is_tighter",
        text="With the same network, the Markov joint bounds the likelihood more tightly than the paper's does.",
        paper=REPOSITORY,
        table="likelihood",
        quantity="Markov bound less the paper's with the best δ of those tried, in bits per dimension",
        subjects=heat_experiments,
        measure=_bounds,
        decision=Below(0.0),
        reason="Tighter is lower. Both bounds are of the same images and taken for independent: on the wide side.",
        is_ours=True,
    ),
    Claim(
        id="quarter_of_evaluations_suffices",
        text="A quarter of the network evaluations gives samples as good as the paper's sampler with all of them.",
        paper=REPOSITORY,
        table="evaluations",
        quantity="Fréchet distance of our Markov sampler at K/4 over that of the paper's at K with its default δ",
        subjects=_studied,
        measure=_quarter,
        decision=Below(1.1),
        reason="As good is no more than a tenth worse.",
        is_ours=True,
    ),
)
