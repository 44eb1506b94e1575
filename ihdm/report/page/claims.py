"""Claims on the page: statement, verdicts, a plot of the values, and evidence."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ihdm.errors import UserError
from ihdm.measures.texts import interval_text

DECIDED = ("reproduced", "not reproduced")
NOT_RUN = "not run"
VERDICTS = ("reproduced", "inconclusive", "not reproduced", NOT_RUN)
WIDTH, ROW, LABEL = 240.0, 22.0, 12.0

Row = dict[str, Any]
"""The decision on a claim for one experiment; columns as in :mod:`ihdm.claims.ledger`."""
DATASET_TABLES = {"data_spectrum", "forward"}
"""Tables of data sets; claims on them name data sets, not experiments."""


@dataclass(frozen=True)
class Mark:
    """A value with its interval, in units of the plot."""

    x: float
    low: float
    high: float
    y: float
    verdict: str


@dataclass(frozen=True)
class Picture:
    """A plot of the values of a claim with their intervals, and the thresholds of its rule."""

    marks: list[Mark]
    borders: list[float]
    ends: tuple[str, str]
    width: float
    height: float
    alt: str


@dataclass(frozen=True)
class Claim:
    """A claim with all decisions on it.

    Attributes:
        row: its first row, for the columns that are equal in all rows.
        verdicts: number of decisions by verdict, reproduced first.
        decisions: its rows, with display titles, ``estimate``, the value and interval as text, and ``is_lost``, whether
            Holm's correction over all tests does not keep the verdict.
        picture: a plot of the values; None if there are none.
        tables: names of its merged tables.
        rerun: commands that decide it again.
    """

    row: Row
    verdicts: dict[str, int]
    decisions: list[Row]
    picture: Picture | None
    tables: list[str]
    rerun: str

    @property
    def is_run(self) -> bool:
        """Whether it was tested for any experiment."""
        return set(self.verdicts) != {NOT_RUN}


@dataclass(frozen=True)
class Ledger:
    """All claims, with the number of tests and of each verdict."""

    tested: int
    verdicts: dict[str, int]
    claims: list[Claim]


def read_ledger(path: Path, titles: Mapping[str, str] | None = None) -> Ledger:
    """Read the ledger of claims, with display titles of experiments by name.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        by_id: dict[str, list[Row]] = {}
        for row in content["claims"]:
            by_id.setdefault(row["id"], []).append(row)
        claims = [_claim(rows, content["borders"].get(name, []), titles or {}) for name, rows in by_id.items()]
        return Ledger(int(content["tested"]), _counted(content["claims"]), claims)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: damaged ledger of claims ({error}); delete it and run claims check again") from None


def _counted(rows: list[Row]) -> dict[str, int]:
    counts = Counter(row["verdict"] for row in rows)
    return {verdict: counts[verdict] for verdict in (*VERDICTS, *counts) if counts[verdict]}


def _claim(rows: list[Row], borders: list[float], titles: Mapping[str, str]) -> Claim:
    tables = [Path(name).stem for name in rows[0]["table"].split()]
    if DATASET_TABLES.issuperset(tables):
        titles = {}
    decisions = [
        row
        | {
            "experiment": " vs ".join(titles.get(name, name) for name in row["experiment"].split(" vs ")),
            "estimate": interval_text(*_interval(row)),
            "is_lost": row["verdict"] in DECIDED and row["holm"] is False,
        }
        for row in rows
    ]
    return Claim(
        rows[0],
        _counted(rows),
        decisions,
        _picture(decisions, borders),
        tables,
        "\n".join(dict.fromkeys(row["how_to_rerun"] for row in rows if row["how_to_rerun"])),
    )


def _interval(row: Row) -> tuple[float, float, float]:
    value, low, high = (math.nan if row[key] is None else float(row[key]) for key in ("value", "low", "high"))
    return value, low, high


def _picture(decisions: list[Row], borders: list[float]) -> Picture | None:
    """Return a plot with a line for each value, on one scale with the thresholds of the rule."""
    shown = [row for row in decisions if math.isfinite(_interval(row)[0])]
    if not shown:
        return None
    intervals = [[end if math.isfinite(end) else _interval(row)[0] for end in _interval(row)] for row in shown]
    everything = [*borders, *(end for interval in intervals for end in interval)]
    low, high = min(everything), max(everything)
    ends = (f"{low:.3g}", f"{high:.3g}")
    if low == high:  # a single value is centered
        low, high = low - 1, high + 1

    def place(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * (WIDTH - 2 * LABEL), 2)

    values = "; ".join(f"{row['experiment']}: {row['estimate']}" for row in shown)
    compared = f"; compared with {', '.join(f'{value:g}' for value in borders)}" if borders else ""
    return Picture(
        [
            Mark(place(value), place(start), place(end), ROW * (number + 0.5), row["verdict"])
            for number, (row, (value, start, end)) in enumerate(zip(shown, intervals, strict=True))
        ],
        [place(value) for value in borders],
        ends if ends[0] != ends[1] else ("", ends[0]),
        WIDTH,
        ROW * len(shown),
        f"Values with intervals. {values}{compared}",
    )
