"""Claims about limits: many levels, a step noise of √2 σ, and the effect of σ on paths; for toys and networks."""

import math
from dataclasses import replace

import pandas as pd

from ihdm.claims.claim import Claim, Evidence, NotRunError, Subject, heat_experiments, measured
from ihdm.claims.decisions import RISING, Measured, equivalent, every, mean
from ihdm.config.scale import Config

LANGEVIN = math.sqrt(2)


def _toy(_: Config) -> list[Subject]:
    """Return the subject of what is computed without images, once for a scale."""
    return [("toy",)]


def _at_langevin(rows: pd.DataFrame) -> pd.DataFrame:
    found = rows[(rows["delta_ratio"] - LANGEVIN).abs() < 1e-6]
    if found.empty:
        raise NotRunError
    return found


def _losses(evidence: Evidence) -> list[Measured]:
    """Return the loss ratio of the toy for each K, from few levels to many; all experiments have the same."""
    rows = evidence.rows("asymptotics", part="toy_loss").drop_duplicates("num_levels")
    return [measured(row) for _, row in rows.sort_values("num_levels").iterrows()]


def _nearness(evidence: Evidence, _: str) -> list[Measured]:
    """Return the closeness of each loss ratio to one, as the negative distance."""
    near = []
    for ratio in _losses(evidence):
        half = (ratio.high - ratio.low) / 2
        value = -abs(ratio.value - 1)
        near.append(replace(ratio, value=value, low=value - half, high=value + half, parts=()))
    return near


def _toy_chain(evidence: Evidence, _: str) -> list[Measured]:
    rows = _at_langevin(evidence.rows("asymptotics", part="toy_langevin", band="live"))
    return [measured(rows.iloc[0])]


def _network_chain(evidence: Evidence, experiment: str) -> list[Measured]:
    """Return the ratio at each level and band, over that of an exact network on Gaussian data of the same power."""
    rows = _at_langevin(evidence.rows("asymptotics", experiment=experiment, part="network_langevin"))
    rows = rows[rows["expected"] > 0]
    return [measured(row).times(1 / row["expected"]) for _, row in rows.iterrows()]


def _merging(evidence: Evidence, _: str) -> list[Measured]:
    by_sigma = evidence.rows("paths", quantity="merged").groupby("sigma", sort=True)
    return [mean([measured(row) for _, row in rows.iterrows()]) for _, rows in by_sigma]


CLAIMS = (
    Claim(
        id="many_levels_become_score_matching",
        text="With many levels, the loss becomes that of denoising score matching at noise σ.",
        paper="appendix A.4",
        table="asymptotics",
        quantity="loss of deblurring over that of denoising, for Gaussian data at the largest K",
        subjects=_toy,
        measure=lambda evidence, _: _losses(evidence)[-1:],
        decision=equivalent(1.0, 0.1),
        reason="The limit is one; a tenth is close for a finite K.",
        kind="mathematical check",
    ),
    Claim(
        id="more_levels_are_nearer_score_matching",
        text="With more levels, the loss is closer to that of denoising score matching.",
        paper="appendix A.4",
        table="asymptotics",
        quantity="closeness to one of the loss of deblurring over that of denoising, for Gaussian data, as K grows",
        subjects=_toy,
        measure=_nearness,
        decision=RISING,
        reason="The ratio must approach its limit; the toy is exact.",
        kind="mathematical check",
    ),
    Claim(
        id="langevin_at_root_two",
        text="Steps with δ = √2 σ are Langevin dynamics: repeated, they preserve the distribution.",
        paper="appendix A.4",
        table="asymptotics",
        quantity=(
            "power after repeated steps over that of the state, for Gaussian data in modes that exceed the noise"
        ),
        subjects=_toy,
        measure=_toy_chain,
        decision=equivalent(1.0, 0.05),
        reason="One in the limit of small steps; δ = 1.25 σ and 1.6 σ would give 0.78 and 1.28.",
        kind="mathematical check",
    ),
    Claim(
        id="langevin_at_root_two_of_networks",
        text="Repeated steps of a trained network with δ = √2 σ preserve the distribution.",
        paper="appendix A.4",
        table="asymptotics",
        quantity=(
            "power after repeated steps with δ = √2 σ over that of an exact network on Gaussian data, at each level "
            "and band"
        ),
        subjects=heat_experiments,
        measure=_network_chain,
        decision=every(equivalent(1.0, 0.2)),
        reason=(
            "An exact network gives one. With δ = 1.25 σ, bands weaker than the noise would give 0.78, outside of the "
            "margin."
        ),
        rule_set="after results",
    ),
    Claim(
        id="noise_merges_paths",
        text="The larger σ, the earlier forward paths merge.",
        paper="figure 3",
        table="paths",
        quantity="uncertainty about the origin of a path, mean over levels, from the smallest σ to the largest",
        subjects=_toy,
        measure=_merging,
        decision=RISING,
        reason="Paths that merge earlier are merged at more levels; the toy is exact.",
        kind="mathematical check",
    ),
)
