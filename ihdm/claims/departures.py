"""What the released code does otherwise than described, and that it changes nothing that can be measured."""

from collections.abc import Callable, Sequence

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Equivalent, Measured
from ihdm.claims.evidence import FRECHET, Evidence, NotRunError, Subject
from ihdm.config.scale import Config

MARGIN = 0.1

TEXTS = {
    "levels": "That the released code never trains level K changes nothing.",
    "prior_noise": "That released previews start without prior noise changes nothing.",
    "rounding": "That the released code truncates samples to 8 bits, and does not round them, changes nothing.",
}


def _bases(setting: str) -> Callable[[Config], list[Subject]]:
    """Return what gives the experiments with a variant that departs in one setting."""
    return lambda config: [
        (variant.base,) for variant in config.variants.values() if variant.is_departure and variant.swept == setting
    ]


def _difference(setting: str) -> Callable[[Evidence, Subject], Sequence[Measured]]:
    def measure(evidence: Evidence, subject: Subject) -> list[Measured]:
        for metric in FRECHET:
            try:
                row = evidence.rows("departures", experiment=subject[0], setting=setting, metric=metric).iloc[0]
            except NotRunError:
                continue
            described = float(row["value_described"])
            return [Measured.of(float(row["difference"]) / described, float(row["standard_error"]) / described)]
        raise NotRunError

    return measure


CLAIMS = tuple(
    Claim(
        id=f"departure_of_{setting}_changes_nothing",
        text=text,
        paper="the released code, against the description",
        table="departures",
        quantity="difference of the Fréchet distance from the described, relative to it",
        subjects=_bases(setting),
        measure=_difference(setting),
        decision=Equivalent(0.0, MARGIN),
        reason="Published retrainings of the paper's models differ by far more than a tenth."
        + (" What two trainings differ in anyway is not in the interval." if setting == "levels" else ""),
    )
    for setting, text in TEXTS.items()
)
