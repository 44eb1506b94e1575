"""Claims about our FIDs against those of the paper."""

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Equivalent, Measured
from ihdm.claims.evidence import Evidence, NotRunError, Subject, measured
from ihdm.config.scale import Config
from ihdm.metrics.tables import with_most_images
from ihdm.report.tables import PUBLISHED, Published

ENOUGH = 50_000
"""Number of images of the paper's FIDs; fewer images give larger FIDs."""
BY = "IHDM, the paper"


def _concerned(config: Config) -> list[Subject]:
    return [(name,) for name in config.variants if _found(config, name)]


def _found(config: Config, name: str) -> list[Published]:
    return [one for one in PUBLISHED if one.by == BY and one.concerns(config.variants[name])]


def _relative(evidence: Evidence, subject: Subject) -> list[Measured]:
    ratio = evidence.config.variants[subject[0]].delta_ratio
    rows = with_most_images(
        evidence.rows("distance", experiment=subject[0], delta_ratio=ratio, set="samples", metric="fid")
    )
    if rows["n"].iloc[0] < ENOUGH:
        raise NotRunError
    ours, fid = measured(rows.iloc[0]), _found(evidence.config, subject[0])[0].fid
    return [ours.times(1 / fid)]


CLAIMS = (
    Claim(
        id="fid_as_published",
        text="Samples have the FID published in the paper.",
        paper="published FIDs of CIFAR-10 and LSUN-Church 128",
        table="distance",
        quantity="FID of 50 000 samples over the published one",
        subjects=_concerned,
        measure=_relative,
        decision=Equivalent(1.0, 0.1),
        reason=(
            "Retrained networks and features of other libraries differ by some percent; a tenth is the same method."
        ),
        reference=", ".join(f"{one.fid} ({one.source})" for one in PUBLISHED if one.by == BY),
    ),
)
