"""Provenance and cost of results: changed settings, records and benchmarks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ihdm.config.scale import Config
from ihdm.report.results import Results, Table, as_table
from ihdm.storage.provenance import read_record

SHORT = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28}\b")
"""A commit, of which 12 digits are shown."""


def provenance(results: Results) -> dict[str, Any]:
    """Return the provenance of results.

    Returns:
        ``facts``, values from records by name; ``versions`` of software by name; ``total``, the time of all jobs, empty
        without benchmarks; and ``tables`` of costs, experiments and changed settings.
    """
    facts, versions = _recorded(results)
    tables = [_experiments(results), _settings(results.config)]
    jobs = _benchmarks(results)
    if jobs is None:
        return {"facts": facts, "versions": versions, "total": "", "tables": tables}
    total = f"{duration(jobs['s'].sum())} in {len(jobs)} timed jobs"
    return {"facts": facts, "versions": versions, "total": total, "tables": [_costs(jobs), *tables]}


def _recorded(results: Results) -> tuple[dict[str, str], dict[str, str]]:
    """Return values from the records of tables and networks, and the versions in the last record."""
    paths = [*results.folder.glob("models/*/model.meta.json"), *results.folder.glob("metrics/*.meta.json")]
    records = [read_record(path) for path in sorted(paths)]
    found: dict[str, str] = {}
    for key, name in (("commit", "commit"), ("device", "computed on")):
        values = {SHORT.sub(r"\1", str(record[key])) for record in records if record.get(key) is not None}
        if values:
            found[name] = ", ".join(sorted(values))
    return found, records[-1].get("versions", {}) if records else {}


def _experiments(results: Results) -> Table:
    rows = pd.DataFrame({"title": results.titles.values(), "name": results.titles.keys()})
    return as_table("experiments", "Experiments", "Names in files, tables and the configuration.", rows)


def _settings(config: Config) -> Table:
    rows = pd.DataFrame(differences(config), columns=["setting", "chosen", "default"])
    explanation = "Settings that differ from their defaults; a dash means that there is no default."
    return as_table("settings", "Settings", explanation, rows)


def differences(value: Any, default: Any = PydanticUndefined, place: str = "") -> Iterator[tuple[str, str, str]]:  # noqa: ANN401 (of any setting)
    """Yield the settings that differ from their defaults: path, value and default."""
    prefix = f"{place}." if place else ""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from differences(
                getattr(value, name), field.get_default(call_default_factory=True), f"{prefix}{name}"
            )
    elif isinstance(value, dict) and any(isinstance(part, BaseModel) for part in value.values()):
        for key, part in value.items():
            yield from differences(part, place=f"{prefix}{key}")
    elif value != default:
        yield place, _plain(value), "–" if default is PydanticUndefined else _plain(default)


def _plain(value: Any) -> str:  # noqa: ANN401 (of any setting)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _benchmarks(results: Results) -> pd.DataFrame | None:
    """Return seconds, memory and CPU time of every timed job, with its kind."""
    folder = results.folder / "benchmarks"
    parts = []
    for path in sorted(folder.rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        if {"s", "max_rss", "cpu_time"} <= set(table.columns):
            parts.append(table.assign(kind=_kind(path.relative_to(folder), results.config)))
    return pd.concat(parts, ignore_index=True) if parts else None


def _kind(path: Path, config: Config) -> str:
    """Return the kind of a job: its stage, and the measure or the name of its file."""
    stage, *folders, stem = path.with_suffix("").parts
    if stage == "metrics" and folders:
        return f"{stage} {folders[0]}"
    is_plain = stem in config.variants or stem in config.datasets or stem.isdigit() or stem == stage
    return stage if is_plain or stage == "figures" else f"{stage} {stem}"


def _costs(jobs: pd.DataFrame) -> Table:
    rows = [
        {
            "job": kind,
            "jobs": len(part),
            "total, s": f"{part['s'].sum():.0f}",
            "longest, s": f"{part['s'].max():.1f}",
            "CPU time, s": f"{part['cpu_time'].sum():.0f}",
            "memory, MB": "–" if part["max_rss"].isna().all() else f"{part['max_rss'].max():.0f}",
        }
        for kind, part in sorted(jobs.groupby("kind"), key=lambda pair: -pair[1]["s"].sum())
    ]
    explanation = "Wall time of all jobs of a kind and of the longest, CPU time, and peak memory of one job."
    return as_table("costs", "Time and memory", explanation, pd.DataFrame(rows))


def duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
