"""The ledger: every claim with its verdict for every subject, as a table, as text and as JSON."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ihdm.claims import CLAIMS
from ihdm.claims.claim import Claim, Evidence, NotRunError, Subject
from ihdm.claims.decisions import LEVEL, Outcome, Verdict, holm
from ihdm.config.scale import Config
from ihdm.measures import merged_tables
from ihdm.measures.texts import interval_text

VERSION = 1
"""Version of the JSON format; it grows when a key is removed or changes its meaning."""
COLUMNS = (
    *("id", "claim", "experiment", "verdict", "value", "low", "high", "rule"),
    *("paper", "table", "reference", "p", "holm", "ours", "how_to_rerun", "reason", "kind", "rule_set", "trainings"),
)
NOBODY: Subject = ("–",)
"""Experiment of a claim without subjects at a scale."""


def needed_tables() -> set[str]:
    """Return the names of the merged tables that claims read."""
    return {claim.table for claim in CLAIMS.values()}


def available_tables(config: Config) -> list[str]:
    """Return the merged tables of claims that a scale has."""
    return sorted(needed_tables() & {*merged_tables(config), "sweep"})


def check(tables: Mapping[str, pd.DataFrame], config: Config) -> pd.DataFrame:
    """Return one row per claim and subject.

    `p` is missing for claims that were not run. `holm` states whether a decided claim stays decided at 5 % for all that
    were tested together, by Holm's correction; those that were tested and not decided count among these.
    """
    evidence = Evidence(tables, config)
    merged = merged_tables(config) | {"sweep": ["metrics/distance.csv"]}
    rows = [row for claim in CLAIMS.values() for row in _rows(claim, evidence, merged.get(claim.table, []))]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    tested = table["p"].notna()
    decided = table["verdict"].isin([Outcome.REPRODUCED, Outcome.NOT_REPRODUCED])
    kept = pd.Series(holm(table.loc[tested, "p"]), index=table.index[tested])
    table["holm"] = kept.reindex(table.index, fill_value=False) & decided
    return table


def _rows(claim: Claim, evidence: Evidence, parts: list[str]) -> Iterator[dict[str, Any]]:
    for subject in list(claim.subjects(evidence.config)) or [NOBODY]:
        verdict = _decide(claim, evidence, subject)
        found = verdict and verdict.measured
        yield {
            "id": claim.id,
            "claim": claim.text,
            "experiment": " vs ".join(subject),
            "verdict": str(verdict.outcome if verdict else Outcome.NOT_RUN),
            "value": found.value if found else math.nan,
            "low": found.low if found else math.nan,
            "high": found.high if found else math.nan,
            "rule": claim.rule,
            "paper": claim.paper,
            "table": f"metrics/{claim.table}.csv",
            "reference": claim.reference,
            "p": verdict.p if verdict else math.nan,
            "ours": claim.is_ours,
            "how_to_rerun": how_to_rerun(parts, evidence.config, subject),
            "reason": claim.reason,
            "kind": claim.kind,
            "rule_set": claim.rule_set,
            "trainings": found.trainings if found and claim.kind == "finding" else 0,
        }


def _decide(claim: Claim, evidence: Evidence, subject: Subject) -> Verdict | None:
    if subject == NOBODY:
        return None
    try:
        values = claim.measure(evidence, *subject)
    except NotRunError:
        return None
    return claim.decision.decide(values) if len(values) >= claim.decision.fewest else None


def how_to_rerun(parts: list[str], config: Config, subject: Subject) -> str:
    """Return the command that measures a claim again; empty if the scale does not measure it.

    FILE stands for the configuration file. `parts` are the files that the claim's table is merged from.
    """
    own = [part for part in parts if {*part.removesuffix(".csv").split("/")} & {*subject}] or parts
    if not own:
        return ""
    files = " ".join(f"{config.results}/{part}" for part in own)
    return f"snakemake claims --cores 2 --configfile FILE --forcerun {files}"


def as_json(table: pd.DataFrame) -> str:
    """Return the ledger as JSON; missing and infinite values become null.

    ``{"version": 1, "tested": number of rows that were run, "claims": [a row each, with the columns as keys],
    "borders": {id: the borders of the range that its rule allows}}``
    """
    rows = [
        {key: None if isinstance(cell, float) and not math.isfinite(cell) else cell for key, cell in row.items()}
        for row in table.to_dict("records")
    ]
    borders = {
        name: [border for border in (claim.decision.low, claim.decision.high) if math.isfinite(border)]
        for name, claim in CLAIMS.items()
    }
    content = {"version": VERSION, "tested": int(table["p"].notna().sum()), "claims": rows, "borders": borders}
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def as_markdown(table: pd.DataFrame) -> str:
    """Return the ledger as Markdown: findings, mathematical checks, and the claims that were not run."""
    run = table[table["p"].notna()]
    parts = ["# Claims and verdicts"]
    for kind, heading in (
        ("finding", "Findings about networks and data"),
        ("mathematical check", "Mathematical checks"),
    ):
        part = run[run["kind"] == kind]
        counts = ", ".join(f"{(part['verdict'] == outcome).sum()} {outcome}" for outcome in list(Outcome)[:3])
        parts += [f"## {heading}", f"{len(part)} tests: {counts}. {EXPLANATIONS[kind]}"]
        parts.append(_shown(part).to_markdown(index=False, disable_numparse=True) if len(part) else "Nothing was run.")
    missing = table[table["p"].isna()].groupby("claim", sort=False)["experiment"].agg(", ".join)
    if len(missing):
        lines = [f"- {claim} ({experiments})" for claim, experiments in missing.items()]
        parts += ["## Not run", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


EXPLANATIONS = {
    "finding": "95 % intervals are over trainings with different seeds where several were run, else over images of one "
    "training, and another training could change the value by more. "
    f"† marks verdicts that Holm's correction at {LEVEL:.0%} for all tests does not keep.",
    "mathematical check": "These hold by construction and test the code; they are not findings.",
}


def _shown(run: pd.DataFrame) -> pd.DataFrame:
    is_lost = run["verdict"].ne(Outcome.INCONCLUSIVE) & ~run["holm"].astype(bool)
    return pd.DataFrame(
        {
            "claim": run["claim"] + run["ours"].map({True: " (ours)", False: ""}),
            "experiment": run["experiment"],
            "verdict": run["verdict"] + is_lost.map({True: " †", False: ""}),
            "value": [_interval(*row) for row in run[["value", "low", "high"]].itertuples(index=False)],
            "trainings": run["trainings"],
            "rule": run["rule"],
            "paper": run["paper"],
        }
    )


def _interval(value: float, low: float, high: float) -> str:
    if math.isfinite(high - low):
        return interval_text(value, low, high)
    return f"{value:.3g} ({low:.3g} … {high:.3g})".replace("inf", "∞").replace("-", "−")
