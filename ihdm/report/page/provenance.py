"""Where results come from and what they cost: settings that were chosen, records, benchmarks."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ihdm.config.scale import Config
from ihdm.report.page.results import Results
from ihdm.report.page.tables import Table, as_table
from ihdm.storage.provenance import read_record

SHORT = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28}\b")
"""A commit, told by as many digits as tell it apart."""


@dataclass(frozen=True)
class Provenance:
    """All that is told of where results come from.

    Attributes:
        facts: what the records of results say, by what it is.
        versions: of programs, by name.
        settings: what is configured otherwise than by default.
        costs: seconds and memory by kind of job; None if nothing was timed.
        total: what all jobs took together, in words; empty if nothing was timed.
        notices: results that other code made.
        notes: what must be known of the data.
    """

    facts: dict[str, str]
    versions: dict[str, str]
    settings: Table
    costs: Table | None
    total: str
    notices: list[str]
    notes: list[str]


def provenance(results: Results, notices: list[str], notes: list[str]) -> Provenance:
    """Return all that is told of where the results come from."""
    facts, versions = _recorded(results)
    jobs = _benchmarks(results)
    return Provenance(
        facts,
        versions,
        _settings(results.config),
        None if jobs is None else _costs(jobs),
        "" if jobs is None else f"{duration(jobs['s'].sum())} in {len(jobs)} jobs that were timed",
        notices,
        notes,
    )


def _recorded(results: Results) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the records of tables and networks say, and the versions in the last of them by name."""
    paths = [*results.folder.glob("models/*/model.meta.json"), *results.folder.glob("metrics/*.meta.json")]
    records = [read_record(path) for path in sorted(paths)]
    told: dict[str, str] = {}
    for key, name in (("commit", "commit"), ("device", "computed on")):
        values = {SHORT.sub(r"\1", str(record[key])) for record in records if record.get(key) is not None}
        if values:
            told[name] = ", ".join(sorted(values))
    versions: dict[str, str] = records[-1].get("versions", {}) if records else {}
    return told, versions


def _settings(config: Config) -> Table:
    rows = pd.DataFrame(differences(config), columns=["setting", "chosen", "default"])
    explanation = "What is configured otherwise than by default; a dash where there is no default."
    return as_table("settings", "Settings", explanation, rows)


def differences(settings: BaseModel, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield what differs from the defaults of a model of settings: its place, what is chosen, and the default."""
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        default = field.get_default(call_default_factory=True)
        yield from _differences(value, default, f"{place}{name}")


def _differences(value: Any, default: Any, place: str) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 (of any setting)
    if isinstance(value, BaseModel):
        yield from differences(value, f"{place}.")
    elif isinstance(value, dict) and any(isinstance(part, BaseModel) for part in value.values()):
        for key, part in value.items():
            yield from _differences(part, PydanticUndefined, f"{place}.{key}")
    elif value != default:
        yield place, _plain(value), "–" if default is PydanticUndefined else _plain(default)


def _plain(value: Any) -> str:  # noqa: ANN401 (of any setting)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _benchmarks(results: Results) -> pd.DataFrame | None:
    """Return the seconds, memory and processor time of every job that was timed, with its kind."""
    folder = results.folder / "benchmarks"
    parts = []
    for path in sorted(folder.rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        if {"s", "max_rss", "cpu_time"} <= set(table.columns):
            parts.append(table.assign(kind=_kind(path.relative_to(folder), results.config)))
    return pd.concat(parts, ignore_index=True) if parts else None


def _kind(path: Path, config: Config) -> str:
    """Return what a job did: its stage, the measure, and what else its file is named for."""
    stage, *folders, stem = path.with_suffix("").parts
    if stage == "metrics" and folders:
        return f"{stage} {folders[0]}"
    is_plain = stem in config.variants or stem in config.datasets or stem.isdigit() or stem == stage
    return stage if is_plain or stage == "figures" else f"{stage} {stem}"


def _costs(jobs: pd.DataFrame) -> Table:
    rows = [
        {
            "rule": kind,
            "jobs": len(part),
            "seconds": f"{part['s'].sum():.0f}",
            "longest": f"{part['s'].max():.1f}",
            "processor seconds": f"{part['cpu_time'].sum():.0f}",
            "memory, MB": "–" if part["max_rss"].isna().all() else f"{part['max_rss'].max():.0f}",
        }
        for kind, part in sorted(jobs.groupby("kind"), key=lambda pair: -pair[1]["s"].sum())
    ]
    explanation = "Seconds of all jobs of a kind, of the longest, and the largest memory that one of them took."
    return as_table("costs", "Time and memory", explanation, pd.DataFrame(rows))


def duration(seconds: float) -> str:
    """Return seconds as a reader counts them."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
