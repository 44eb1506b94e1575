"""Claims about what the authors released: differences of their code from the paper, and their FIDs."""

import math
import statistics
from dataclasses import replace
from functools import partial

from ihdm.claims.claim import Claim, Evidence, NotRunError, Subject, deciding, measured, quality
from ihdm.claims.decisions import Measured, equivalent
from ihdm.config.scale import Config
from ihdm.metrics.estimates import degrees_of_freedom
from ihdm.metrics.tables import with_most_images
from ihdm.report.tables import PUBLISHED, Published

TRAINED = ("levels",)
"""Training settings: two networks are compared, which would differ even with equal settings."""

TEXTS = {
    "levels": "Never training level K, as in the released code, does not change sample quality.",
    "prior_noise": "Starting without prior noise, as in the released previews, does not change sample quality.",
    "rounding": "Truncating samples to 8 bits, as in the released code, does not change sample quality.",
}
ENOUGH = 50_000
"""Number of images of the paper's FIDs; fewer images give larger FIDs."""
BY = "IHDM, the paper"


def _bases(setting: str, config: Config) -> list[Subject]:
    """Return the experiments with a variant as released in one setting."""
    return [(one.base,) for one in config.variants.values() if one.is_departure and one.swept == setting]


def _difference(evidence: Evidence, base: str, setting: str) -> list[Measured]:
    row = deciding(evidence.rows("departures", experiment=base, setting=setting))
    # The kernel distance may come out below zero, and is then too small for a relative difference to say much.
    described, error = abs(float(row["value_described"])), float(row["standard_error"])
    if not described > 0:
        raise NotRunError
    found = Measured.of(float(row["difference"]) / described, error / described, degrees_of_freedom(row))
    if setting not in TRAINED:
        return [found]
    distances = _distances_of_seeds(evidence, base)
    spread = math.sqrt(2) * statistics.stdev(distances) / described
    between = Measured.of(0.0, spread, len(distances) - 1.0)
    return [replace(found.widened(between), trainings=len(distances))]


def _distances_of_seeds(evidence: Evidence, base: str) -> list[float]:
    """Return the distances of trainings with different seeds.

    Raises:
        NotRunError: if no other seed was trained.
    """
    known = {"base": base, "set": "samples", "delta_ratio": evidence.config.variants[base].delta_ratio}
    found = [evidence.rows("sweep", experiment=base, **known), evidence.rows("sweep", swept="seed", **known)]
    return [quality(one).value for rows in found for _, one in rows.groupby("experiment")]


def _concerned(config: Config) -> list[Subject]:
    return [(name,) for name in config.variants if _found(config, name)]


def _found(config: Config, name: str) -> list[Published]:
    return [one for one in PUBLISHED if one.by == BY and one.concerns(config.variants[name])]


def _relative(evidence: Evidence, experiment: str) -> list[Measured]:
    ratio = evidence.config.variants[experiment].delta_ratio
    rows = with_most_images(
        evidence.rows("distance", experiment=experiment, delta_ratio=ratio, set="samples", metric="fid")
    )
    if rows["n"].iloc[0] < ENOUGH:
        raise NotRunError
    ours, fid = measured(rows.iloc[0]), _found(evidence.config, experiment)[0].fid
    return [ours.times(1 / fid)]


CLAIMS = (
    *(
        Claim(
            id=f"departure_of_{setting}_changes_nothing",
            text=text,
            paper="the released code, against the description",
            table="departures",
            quantity="relative change of the distance from the training images",
            subjects=partial(_bases, setting),
            measure=partial(_difference, setting=setting),
            decision=equivalent(0.0, 0.1),
            reason="Published retrainings of the paper's models differ by much more than a tenth."
            + (
                " Trainings with other seeds (sweeps.seed) measure the variance between trainings."
                if setting in TRAINED
                else ""
            ),
            rule_set="after results",
        )
        for setting, text in TEXTS.items()
    ),
    Claim(
        id="fid_as_published",
        text="Samples have the FID published in the paper.",
        paper="published FIDs of CIFAR-10 and LSUN-Church 128",
        table="distance",
        quantity="FID of 50 000 samples over the published one",
        subjects=_concerned,
        measure=_relative,
        decision=equivalent(1.0, 0.1),
        reason=(
            "Retrained networks and features of other libraries differ by some percent; a tenth is the same method."
        ),
        reference=", ".join(f"{one.fid} ({one.source})" for one in PUBLISHED if one.by == BY),
    ),
)
