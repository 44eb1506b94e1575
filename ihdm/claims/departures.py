"""Claims about differences of the released code from the paper: that they do not change sample quality."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Equivalent, Measured
from ihdm.claims.evidence import Evidence, NotRunError, Subject, deciding, quality
from ihdm.config.scale import Config
from ihdm.metrics.estimates import degrees_of_freedom

MARGIN = 0.1
TRAINED = ("levels",)
"""Training settings: two networks are compared, which would differ even with equal settings."""

TEXTS = {
    "levels": "Never training level K, as in the released code, does not change sample quality.",
    "prior_noise": "Starting without prior noise, as in the released previews, does not change sample quality.",
    "rounding": "Truncating samples to 8 bits, as in the released code, does not change sample quality.",
}


def _bases(setting: str) -> Callable[[Config], list[Subject]]:
    """Return a function that returns the experiments with a variant as released in one setting."""
    return lambda config: [
        (variant.base,) for variant in config.variants.values() if variant.is_departure and variant.swept == setting
    ]


def _difference(setting: str) -> Callable[[Evidence, Subject], Sequence[Measured]]:
    def measure(evidence: Evidence, subject: Subject) -> list[Measured]:
        row = deciding(evidence.rows("departures", experiment=subject[0], setting=setting))
        # The kernel distance may come out below zero, and is then too small for a relative difference to say much.
        described, error = abs(float(row["value_described"])), float(row["standard_error"])
        if not described > 0:
            raise NotRunError
        found = Measured.of(float(row["difference"]) / described, error / described, degrees_of_freedom(row))
        if setting not in TRAINED:
            return [found]
        spread = _spread(evidence, subject[0])
        between = Measured.of(0.0, math.sqrt(2) * spread.value / described, spread.trainings - 1.0)
        return [replace(found.widened(between), trainings=spread.trainings)]

    return measure


def _spread(evidence: Evidence, base: str) -> Measured:
    """Return the standard deviation of the distance over trainings with different seeds, without an interval.

    Raises:
        NotRunError: if no other seed was trained.
    """
    known = {"base": base, "set": "samples", "delta_ratio": evidence.config.variants[base].delta_ratio}
    found = [evidence.rows("sweep", experiment=base, **known), evidence.rows("sweep", swept="seed", **known)]
    values = [quality(one).value for rows in found for _, one in rows.groupby("experiment")]
    deviation = statistics.stdev(values)
    return Measured(deviation, deviation, deviation, trainings=len(values))


CLAIMS = tuple(
    Claim(
        id=f"departure_of_{setting}_changes_nothing",
        text=text,
        paper="the released code, against the description",
        table="departures",
        quantity="relative change of the distance from the training images",
        subjects=_bases(setting),
        measure=_difference(setting),
        decision=Equivalent(0.0, MARGIN),
        reason="Published retrainings of the paper's models differ by much more than a tenth."
        + (
            " Trainings with other seeds (sweeps.seed) measure the variance between trainings."
            if setting in TRAINED
            else ""
        ),
        rule_set="after results",
    )
    for setting, text in TEXTS.items()
)
