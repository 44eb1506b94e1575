"""Claims about sampling noise: the best δ, too little and too much of it, and the shares of start and steps."""

import math
from functools import partial
from typing import Any

import pandas as pd

from ihdm.claims.claim import Claim, Evidence, NotRunError, deciding, heat_experiments
from ihdm.claims.decisions import Measured, Minimum, above, below, minimum_between
from ihdm.errors import UserError
from ihdm.measures.disentanglement import share_interval

BETWEEN = (1 + 1.25) / 2
"""Halfway between σ and the δ of the paper's samples."""
GRAINY = 1.4
"""δ/σ at which the paper shows high-frequency noise: the largest in its figure."""


def _place(row: "pd.Series[Any]") -> Minimum:
    """Return the place of a minimum; its interval is infinite on a side where it may be beyond the sweep."""
    low, high = float(row["low"]), float(row["high"])
    if row["verdict"] != "inside":
        low = -math.inf if low == row["first_ratio"] else low
        high = math.inf if high == row["last_ratio"] else high
    try:
        return Minimum(float(row["delta_ratio"]), low, high, _minima(str(row["minima"])), int(row["num_curves"]))
    except ValueError as error:
        raise UserError(
            f"minimum.csv: columns minima and num_curves cannot be read ({error}); delete it and run the stage that "
            "makes it again"
        ) from None


def _minima(text: str) -> tuple[tuple[float, float, float], ...]:
    """Read the column `minima`: ``1..1.5:0.976 1.25..inf:0.024``."""
    found = []
    for one in text.split():
        places, _, share = one.rpartition(":")
        first, _, last = places.partition("..")
        found.append((float(first), float(last), float(share)))
    return tuple(found)


def _samples(evidence: Evidence, experiment: str) -> list[Minimum]:
    return [_place(deciding(evidence.rows("minimum", experiment=experiment)))]


def _bound(evidence: Evidence, experiment: str) -> list[Minimum]:
    return [_place(evidence.rows("minimum", experiment=experiment, metric="bits_per_dim").iloc[0])]


def _gap(evidence: Evidence, experiment: str) -> list[Measured]:
    """Return by how much the best δ of samples is larger; the curves of the two are independent."""
    (samples,), (bound,) = _samples(evidence, experiment), _bound(evidence, experiment)
    pairs = tuple(
        (first - other_last, last - other_first, share * other_share)
        for first, last, share in samples.minima
        for other_first, other_last, other_share in bound.minima
    )
    low, high = samples.low - bound.high, samples.high - bound.low
    return [Minimum(samples.value - bound.value, low, high, pairs, min(samples.num_curves, bound.num_curves))]


def _finest_power(evidence: Evidence, experiment: str, ratio: float) -> Measured:
    return evidence.one(
        "spectrum", experiment=experiment, delta_ratio=ratio, set="samples", metric="relative_power", band="highest"
    )


def _power_at_least(evidence: Evidence, experiment: str) -> list[Measured]:
    smallest = min(evidence.config.variants[experiment].delta_ratios)
    if smallest >= 1:
        raise NotRunError
    return [_finest_power(evidence, experiment, smallest)]


def _power_at_most(evidence: Evidence, experiment: str) -> list[Measured]:
    largest = max(evidence.config.variants[experiment].delta_ratios)
    if largest < GRAINY:
        raise NotRunError
    return [_finest_power(evidence, experiment, largest)]


def _share(evidence: Evidence, experiment: str, quantity: str, source: str) -> list[Measured]:
    """Return a share of the variance with its interval over starts and noises."""
    row = evidence.rows("disentanglement", experiment=experiment, quantity=quantity).iloc[0]
    share, error = float(row[source]), float(row[f"{source}_error"])
    if math.isnan(error):
        raise NotRunError
    return [Measured(share, *share_interval(share, error))]


CLAIMS = (
    Claim(
        id="best_delta_of_samples_above_sigma",
        text="Sample quality is best for δ > σ.",
        paper="the figures of samples, and of FID, at several δ",
        table="minimum",
        quantity="δ/σ with the smallest distance from the training images",
        subjects=heat_experiments,
        measure=_samples,
        decision=minimum_between(1.0, math.inf),
        reason="The interval ends at values that are ruled out. The kernel distance is hardly sensitive to fine noise.",
        reference="δ = 1.25 σ",
        rule_set="after results",
    ),
    Claim(
        id="best_delta_of_samples_near_1.25_sigma",
        text="Sample quality is best for δ near 1.25 σ.",
        paper="the figure of FID against δ, and the default of the released code",
        table="minimum",
        quantity="δ/σ with the smallest distance from the training images",
        subjects=heat_experiments,
        measure=_samples,
        decision=minimum_between(1.0, 1.5),
        reason="The value must be closer to 1.25 than σ is.",
        reference="δ = 1.25 σ",
        rule_set="after results",
    ),
    Claim(
        id="best_delta_of_bound_just_above_sigma",
        text="The likelihood bound is best for δ just above σ.",
        paper="the figure of FID and NLL against δ",
        table="minimum",
        quantity="δ/σ with the lowest bound",
        subjects=heat_experiments,
        measure=_bound,
        decision=minimum_between(1.0, BETWEEN),
        reason="The value must be closer to σ than to 1.25 σ, the best for samples.",
    ),
    Claim(
        id="best_deltas_differ",
        text="The best δ for samples is larger than the best δ for the bound.",
        paper="the figure of FID and NLL against δ",
        table="minimum",
        quantity="difference of the best δ/σ: samples minus bound",
        subjects=heat_experiments,
        measure=_gap,
        decision=minimum_between(0.0, math.inf),
        reason=(
            "A curve has its minimum between the neighbors of its lowest value; all pairs of resampled curves are "
            "compared."
        ),
        rule_set="after results",
    ),
    Claim(
        id="little_delta_smooths",
        text="Too little sampling noise over-smooths samples.",
        paper="the figure of samples at several δ",
        table="spectrum",
        quantity="power of samples in the finest band relative to training images, at the smallest δ below σ",
        subjects=heat_experiments,
        measure=_power_at_least,
        decision=below(1.0),
        reason="Over-smoothed samples have less power than real images.",
    ),
    Claim(
        id="much_delta_grains",
        text="Too much sampling noise leaves high-frequency noise in samples.",
        paper="the figure of samples at several δ",
        table="spectrum",
        quantity=(
            "power of samples in the finest band relative to training images, at the largest δ of at least 1.4 σ"
        ),
        subjects=heat_experiments,
        measure=_power_at_most,
        decision=above(1.0),
        reason="Noisy samples have more power than real images.",
    ),
    Claim(
        id="start_fixes_colour",
        text="The start of sampling determines the mean color.",
        paper="figure 8",
        table="disentanglement",
        quantity="share of the start in the variance of the mean color",
        subjects=heat_experiments,
        measure=partial(_share, quantity="mean colour", source="start"),
        decision=above(0.5),
        reason="More than half: more than noise and interaction together.",
    ),
    Claim(
        id="noise_decides_structure",
        text="The noise of the steps determines the structure.",
        paper="figure 8",
        table="disentanglement",
        quantity="share of the noise alone in the variance of the structure without the mean color",
        subjects=heat_experiments,
        measure=partial(_share, quantity="structure", source="noise"),
        decision=above(0.5),
        reason=(
            "More than half: more than start and interaction together. The interaction is structure that other starts "
            "do not share."
        ),
    ),
)
