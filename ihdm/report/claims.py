"""Claims on the page: statement, verdicts, a plot of the values, and evidence."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ihdm.errors import UserError
from ihdm.measures.texts import interval_text

DECIDED = ("reproduced", "not reproduced")
NOT_RUN = "not run"
VERDICTS = ("reproduced", "inconclusive", "not reproduced", NOT_RUN)
WIDTH, ROW, LABEL = 240.0, 22.0, 12.0
"""Size of a plot, in its units: width, height of a value, and margin at both sides."""

Row = dict[str, Any]
"""The decision on a claim for one experiment; columns as in :mod:`ihdm.claims.ledger`."""
DATASET_TABLES = {"data_spectrum", "forward"}
"""Tables of data sets; claims on them name data sets, not experiments."""


def read_ledger(path: Path, titles: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read the ledger of claims, with display titles of experiments by name.

    Returns:
        The number of tests as ``tested``, of decisions by verdict as ``verdicts``, and ``claims`` with all decisions on
        each.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        by_id: dict[str, list[Row]] = {}
        for row in content["claims"]:
            by_id.setdefault(row["id"], []).append(row)
        claims = [_claim(rows, content["borders"].get(name, []), titles or {}) for name, rows in by_id.items()]
        return {"tested": int(content["tested"]), "verdicts": _counted(content["claims"]), "claims": claims}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: damaged ledger of claims ({error}); delete it and run claims check again") from None


def _counted(rows: list[Row]) -> dict[str, int]:
    """Return the number of decisions by verdict, reproduced first."""
    counts = Counter(row["verdict"] for row in rows)
    return {verdict: counts[verdict] for verdict in (*VERDICTS, *counts) if counts[verdict]}


def _claim(rows: list[Row], borders: list[float], titles: Mapping[str, str]) -> dict[str, Any]:
    """Return a claim for the template.

    Its keys are ``row`` for the columns that are equal in all rows, ``is_run``, the counted ``verdicts``,
    ``decisions``, a ``picture`` of the values, the names of the ``tables``, and ``rerun``, the commands that measure
    them again. A decision has its row, with ``estimate`` as text; it ``is_lost`` if Holm's correction over all tests
    does not keep the verdict.
    """
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
    verdicts = _counted(rows)
    return {
        "row": rows[0],
        "is_run": set(verdicts) != {NOT_RUN},
        "verdicts": verdicts,
        "decisions": decisions,
        "picture": _picture(decisions, borders),
        "tables": tables,
        "rerun": "\n".join(dict.fromkeys(row["how_to_rerun"] for row in rows if row["how_to_rerun"])),
    }


def _interval(row: Row) -> tuple[float, float, float]:
    value, low, high = (math.nan if row[key] is None else float(row[key]) for key in ("value", "low", "high"))
    return value, low, high


def _picture(decisions: list[Row], borders: list[float]) -> dict[str, Any] | None:
    """Return a plot with a line for each value, on one scale with the thresholds of the rule; None without values."""
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

    marks = [
        {"verdict": row["verdict"], "y": ROW * (number + 0.5)}
        | {name: place(end) for name, end in zip(("x", "low", "high"), interval, strict=True)}
        for number, (row, interval) in enumerate(zip(shown, intervals, strict=True))
    ]
    values = "; ".join(f"{row['experiment']}: {row['estimate']}" for row in shown)
    compared = f"; compared with {', '.join(f'{value:g}' for value in borders)}" if borders else ""
    return {
        "marks": marks,
        "borders": [place(value) for value in borders],
        "ends": ends if ends[0] != ends[1] else ("", ends[0]),
        "width": WIDTH,
        "height": ROW * len(shown),
        "alt": f"Values with intervals. {values}{compared}",
    }
