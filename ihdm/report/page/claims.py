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
class Decision:
    """A claim put to the test on one experiment.

    Attributes:
        experiment: what it was tested on.
        verdict: what was decided.
        estimate: value and interval, in words.
        rule: by which it was decided.
        is_lost: whether it is decided by itself, but not by Holm's correction for all tests together.
    """

    experiment: str
    verdict: str
    estimate: str
    rule: str
    is_lost: bool


@dataclass(frozen=True)
class Claim:
    """A claim with all decisions on it.

    Attributes:
        name: its id.
        sentence: what it says.
        paper: where the paper says it; empty for ours.
        is_ours: whether it goes beyond the paper.
        verdicts: how often each verdict was reached, the most favourable first.
        decisions: one for each experiment.
        picture: of their values; None if there are none.
        reference: what the paper reports, if that is a number.
        tables: names of the joint tables behind it.
        reason: why its rule is as it is.
        rerun: the commands that decide it again.
    """

    name: str
    sentence: str
    paper: str
    is_ours: bool
    verdicts: dict[str, int]
    decisions: list[Decision]
    picture: Picture | None
    reference: str
    tables: list[str]
    reason: str
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
        content = json.loads(path.read_text())
        rows = [{"id": row["id"], "claim": row["claim"], "verdict": row["verdict"], **row} for row in content["claims"]]
        tested, borders = int(content["tested"]), dict(content.get("borders", {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no ledger of claims can be read from it ({error}); make it again") from None
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_id.setdefault(str(row["id"]), []).append(row)
    return Ledger(tested, _counted(rows), [_claim(name, group, borders.get(name, [])) for name, group in by_id.items()])


def _counted(rows: list[dict[str, Any]]) -> dict[str, int]:
    counts = Counter(str(row["verdict"]) for row in rows)
    known = {verdict: counts.pop(verdict) for verdict in VERDICTS if verdict in counts}
    return known | dict(counts)


def _claim(name: str, rows: list[dict[str, Any]], borders: list[float]) -> Claim:
    first = rows[0]
    decisions = [
        Decision(
            str(row.get("experiment") or "–"),
            str(row["verdict"]),
            _estimate(row),
            str(row.get("rule") or "–"),
            row["verdict"] in DECIDED and row.get("holm") is False,
        )
        for row in rows
    ]
    return Claim(
        name,
        str(first["claim"]),
        str(first.get("paper") or ""),
        bool(first.get("ours")),
        _counted(rows),
        decisions,
        _picture(rows, borders),
        str(first.get("reference") or ""),
        [Path(name).stem for name in str(first.get("table") or "").split()],
        str(first.get("reason") or ""),
        "\n".join(dict.fromkeys(str(row["how_to_rerun"]) for row in rows if row.get("how_to_rerun"))),
    )


def _number(row: dict[str, Any], key: str) -> float:
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def _estimate(row: dict[str, Any]) -> str:
    return interval_text(*(_number(row, key) for key in ("value", "low", "high")))


def _picture(rows: list[dict[str, Any]], borders: list[float]) -> Picture | None:
    """Return the values on one line each, on a common scale with the borders of the rule."""
    shown = [row for row in rows if math.isfinite(_number(row, "value"))]
    if not shown:
        return None
    intervals = [
        tuple(value if math.isfinite(value) else middle for value in (_number(row, "low"), _number(row, "high")))
        for row in shown
        for middle in [_number(row, "value")]
    ]
    values = [_number(row, "value") for row in shown]
    everything = [*values, *borders, *(end for interval in intervals for end in interval)]
    low, high = min(everything), max(everything)
    if low == high:  # one value is shown in the middle
        low, high = low - 1, high + 1
    ends = (f"{min(everything):.3g}", f"{max(everything):.3g}")

    def place(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * (WIDTH - 2 * LABEL), 2)

    marks = [
        Mark(place(value), place(interval[0]), place(interval[1]), ROW * (number + 0.5), str(row["verdict"]))
        for number, (row, value, interval) in enumerate(zip(shown, values, intervals, strict=True))
    ]
    said = "; ".join(f"{row.get('experiment') or '–'}: {_estimate(row)}" for row in shown)
    compared = f"; compared with {', '.join(f'{value:g}' for value in borders)}" if borders else ""
    return Picture(
        marks,
        [place(value) for value in borders],
        ends if ends[0] != ends[1] else ("", ends[0]),
        WIDTH,
        ROW * len(shown),
        f"Values with intervals. {said}{compared}",
    )
