"""The ledger of claims as a reader meets it: a sentence, a verdict and a small picture each, with the evidence."""

import json
import math
from collections import Counter
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
"""A row of the ledger: a claim decided for one experiment; see the columns of :mod:`ihdm.claims.ledger`."""


@dataclass(frozen=True)
class Mark:
    """One row of the small picture: a value with its interval, in units of the picture."""

    x: float
    low: float
    high: float
    y: float
    verdict: str


@dataclass(frozen=True)
class Picture:
    """A small picture of a claim's values with their intervals, and of the borders of its rule."""

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
        row: its first row, for what all rows say: claim, paper, ours, reference and reason.
        verdicts: how often each verdict was reached, the most favourable first.
        decisions: its rows, each with ``estimate``, value and interval in words, and ``is_lost``, whether it is decided
            by itself, but not by Holm's correction for all tests together.
        picture: of their values; None if there are none.
        tables: names of the merged tables behind it.
        rerun: the commands that decide it again.
    """

    row: Row
    verdicts: dict[str, int]
    decisions: list[Row]
    picture: Picture | None
    tables: list[str]
    rerun: str

    @property
    def is_run(self) -> bool:
        """Whether it was tested on anything."""
        return set(self.verdicts) != {NOT_RUN}


@dataclass(frozen=True)
class Ledger:
    """All claims: how many were tested, and how often each verdict was reached."""

    tested: int
    verdicts: dict[str, int]
    claims: list[Claim]


def read_ledger(path: Path) -> Ledger:
    """Read the ledger of claims.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        by_id: dict[str, list[Row]] = {}
        for row in content["claims"]:
            by_id.setdefault(row["id"], []).append(row)
        claims = [_claim(rows, content["borders"].get(name, [])) for name, rows in by_id.items()]
        return Ledger(int(content["tested"]), _counted(content["claims"]), claims)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: no ledger of claims can be read from it ({error}); make it again") from None


def _counted(rows: list[Row]) -> dict[str, int]:
    counts = Counter(row["verdict"] for row in rows)
    return {verdict: counts[verdict] for verdict in (*VERDICTS, *counts) if counts[verdict]}


def _claim(rows: list[Row], borders: list[float]) -> Claim:
    decisions = [
        row | {"estimate": _estimate(row), "is_lost": row["verdict"] in DECIDED and row["holm"] is False}
        for row in rows
    ]
    return Claim(
        rows[0],
        _counted(rows),
        decisions,
        _picture(decisions, borders),
        [Path(name).stem for name in rows[0]["table"].split()],
        "\n".join(dict.fromkeys(row["how_to_rerun"] for row in rows if row["how_to_rerun"])),
    )


def _interval(row: Row) -> tuple[float, float, float]:
    value, low, high = (math.nan if row[key] is None else float(row[key]) for key in ("value", "low", "high"))
    return value, low, high


def _estimate(row: Row) -> str:
    return interval_text(*_interval(row))


def _picture(decisions: list[Row], borders: list[float]) -> Picture | None:
    """Return the values on one line each, on a common scale with the borders of the rule."""
    shown = [row for row in decisions if math.isfinite(_interval(row)[0])]
    if not shown:
        return None
    intervals = [[end if math.isfinite(end) else _interval(row)[0] for end in _interval(row)] for row in shown]
    everything = [*borders, *(end for interval in intervals for end in interval)]
    low, high = min(everything), max(everything)
    ends = (f"{low:.3g}", f"{high:.3g}")
    if low == high:  # one value is shown in the middle
        low, high = low - 1, high + 1

    def place(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * (WIDTH - 2 * LABEL), 2)

    said = "; ".join(f"{row['experiment']}: {row['estimate']}" for row in shown)
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
        f"Values with intervals. {said}{compared}",
    )
