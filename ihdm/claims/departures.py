"""What the released code does otherwise than described, and that it changes nothing that can be measured."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import stdtrit

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Equivalent, Measured
from ihdm.claims.evidence import FRECHET, Evidence, NotRunError, Subject
from ihdm.config.scale import Config
from ihdm.metrics.estimates import NORMAL_95
from ihdm.metrics.tables import with_most_images

MARGIN = 0.1
TRAINED = ("levels",)
"""Settings of training: two networks are compared, which would differ if they were trained alike too."""

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
            described, error = float(row["value_described"]), float(row["standard_error"])
            if setting in TRAINED:
                error = math.hypot(error, math.sqrt(2) * _spread(evidence, subject[0], metric))
            return [Measured.of(float(row["difference"]) / described, error / described)]
        raise NotRunError

    return measure


def _spread(evidence: Evidence, base: str, metric: str) -> float:
    """Return the standard deviation of a distance over trainings that differ in their seed, as of very many.

    That of a few is raised by what Student's interval is wider than the normal one.

    Raises:
        NotRunError: if no other seed was trained.
    """
    known = {"base": base, "set": "samples", "metric": metric}
    ratio = evidence.config.variants[base].delta_ratio
    found = [evidence.rows("sweep", experiment=base, delta_ratio=ratio, **known)]
    found.append(evidence.rows("sweep", swept="seed", delta_ratio=ratio, **known))
    values = [float(with_most_images(one)["value"].iloc[0]) for rows in found for _, one in rows.groupby("experiment")]
    return float(np.std(values, ddof=1) * stdtrit(len(values) - 1, 0.975) / NORMAL_95)


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
        + (
            " Trainings that differ in their seed (sweeps.seed) tell what two differ in anyway."
            if setting in TRAINED
            else ""
        ),
    )
    for setting, text in TEXTS.items()
)
