"""Texts of tables: numbers rounded to their error, with a dash for a missing value, and their documentation."""

import math
import re

import pandas as pd

from ihdm.measures import Table, documented

SETS = {"samples": "samples", "starts": "starts", "train": "real, training", "test": "real, held out"}


def estimate_text(value: float, half_width: float) -> str:
    """Return ``value ± half_width``, both to the second significant digit of the half-width; a dash for none.

    A value without error is shown alone.
    """
    return interval_text(value, value - half_width, value + half_width)


def interval_text(value: float, low: float, high: float) -> str:
    """Return ``value ± half_width``, or ``value (low … high)`` for an interval clipped to possible values.

    All are rounded to the second significant digit of the half-width. A value without interval is shown alone, and a
    dash for none.
    """
    if math.isnan(value):
        return "–"
    if math.isnan(low) or math.isnan(high):
        return f"{value:.3f}"
    half_width = (high - low) / 2
    digits = max(0, 1 - math.floor(math.log10(half_width))) if half_width > 0 else 3
    if math.isclose(high - value, value - low, rel_tol=0.05, abs_tol=10**-digits / 2):
        return f"{value:.{digits}f} ± {half_width:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"


def interval_texts(table: pd.DataFrame) -> list[str]:
    """Return the values of a table with their intervals; see :func:`interval_text`."""
    return [interval_text(*row) for row in table[["value", "low", "high"]].itertuples(index=False)]


def number_texts(values: pd.Series, form: str) -> pd.Series:
    """Return numbers in a format such as ``{:.3f}``, and a dash for each missing one."""
    return values.map(form.format).where(values.notna(), "–")


def estimates(table: pd.DataFrame, keys: list[str], columns: str) -> pd.DataFrame:
    """Return one row for each set of images and a column for each value of ``columns``, with estimates as text."""
    table = table.assign(
        experiment=table["experiment"].fillna("–"),
        images=table["set"].map(SETS),
        ratio=number_texts(table["delta_ratio"], "{:g}"),
        text=interval_texts(table),
    )
    wide = widen(table, ["dataset", "experiment", "images", "ratio", *keys, "n"], columns)
    return wide.rename(columns={"images": "set", "ratio": "δ/σ"})


def widen(table: pd.DataFrame, keys: str | list[str], columns: str) -> pd.DataFrame:
    """Return a row for each of the keys, in their order, with its ``text`` for each value of ``columns``."""
    wide = table.pivot_table(index=keys, columns=columns, values="text", aggfunc="first", sort=False)
    return wide.reset_index().rename_axis(columns=None)


def reference() -> str:
    """Return the generated part of docs/metrics.md: a section for each table, in Markdown."""
    parts = [
        part
        for name, table in documented().items()
        for part in (f"## {name}", table.explanation, _columns(table), table.notes)
    ]
    return "\n\n".join(part for part in parts if part)


def _columns(table: Table) -> str:
    rows = []
    for columns, text in table.columns.items():
        found = re.fullmatch(r"(.*?)(?: \[([^\]()]*)\])?", text)
        meaning, unit = found.groups() if found else (text, None)
        names = ", ".join(f"`{column}`" for column in columns.split(", "))
        rows.append(f"| {names} | {meaning} | {unit or ''} |")
    return "\n".join(["| column | meaning | unit |", "|---|---|---|", *rows]) if rows else ""
