"""Merged tables as they are read: rounded, with a heading and a sentence each."""

from dataclasses import dataclass

import pandas as pd

from ihdm.measures import reported
from ihdm.report.page.results import Results


@dataclass(frozen=True)
class Table:
    """A table that sorts and filters.

    Attributes:
        name: of the file that it sums up.
        heading: the question that it answers.
        explanation: how to read it.
        columns: names.
        rows: what is in them, as text.
    """

    name: str
    heading: str
    explanation: str
    columns: list[str]
    rows: list[list[str]]


def page_tables(results: Results) -> list[Table]:
    """Return the summary of each merged table that is there."""
    return [
        as_table(name, reported()[name].heading, reported()[name].explanation, reported()[name].summarize(table))
        for name, table in results.tables.items()
    ]


def as_table(name: str, heading: str, explanation: str, table: pd.DataFrame) -> Table:
    """Return a table as text."""
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    return Table(name, heading, explanation, list(map(str, table.columns)), rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}"
    return str(value)
