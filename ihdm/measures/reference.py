"""The generated part of docs/metrics.md: all tables with their columns."""

import re

from ihdm.measures import ORDER, Table, documented


def reference() -> str:
    """Return a section for each table, in Markdown."""
    found = documented()
    names = [*(name for name in ORDER if name in found), *sorted(found.keys() - {*ORDER})]
    return "\n\n".join(_section(name, found[name]) for name in names)


def _section(name: str, table: Table) -> str:
    parts = [f"## {name}", table.explanation, _columns(table), table.notes]
    return "\n\n".join(part for part in parts if part)


def _columns(table: Table) -> str:
    rows = []
    for columns, text in table.columns.items():
        found = re.fullmatch(r"(.*?)(?: \[([^\]()]*)\])?", text)
        meaning, unit = found.groups() if found else (text, None)
        names = ", ".join(f"`{column}`" for column in columns.split(", "))
        rows.append(f"| {names} | {meaning} | {unit or ''} |")
    return "\n".join(["| column | meaning | unit |", "|---|---|---|", *rows]) if rows else ""
