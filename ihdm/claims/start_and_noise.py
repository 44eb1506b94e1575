"""Claims about the shares of start and step noise in a sample."""

import math

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Above, Measured
from ihdm.claims.evidence import Evidence, NotRunError, Subject, heat_experiments
from ihdm.measures.disentanglement import share_interval


def _share(evidence: Evidence, experiment: str, quantity: str, source: str) -> Measured:
    """Return a share of the variance with its interval over starts and noises."""
    row = evidence.rows("disentanglement", experiment=experiment, quantity=quantity).iloc[0]
    share, error = float(row[source]), float(row[f"{source}_error"])
    if math.isnan(error):
        raise NotRunError
    return Measured(share, *share_interval(share, error))


def _color(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [_share(evidence, subject[0], "mean colour", "start")]


def _structure(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [_share(evidence, subject[0], "structure", "noise")]


CLAIMS = (
    Claim(
        id="start_fixes_colour",
        text="The start of sampling determines the mean color.",
        paper="figure 8",
        table="disentanglement",
        quantity="share of the start in the variance of the mean color",
        subjects=heat_experiments,
        measure=_color,
        decision=Above(0.5),
        reason="More than half: more than noise and interaction together.",
    ),
    Claim(
        id="noise_decides_structure",
        text="The noise of the steps determines the structure.",
        paper="figure 8",
        table="disentanglement",
        quantity="share of the noise alone in the variance of the structure without the mean color",
        subjects=heat_experiments,
        measure=_structure,
        decision=Above(0.5),
        reason=(
            "More than half: more than start and interaction together. The interaction is structure that other starts "
            "do not share."
        ),
    ),
)
