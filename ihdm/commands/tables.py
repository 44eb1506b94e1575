"""How commands write tables, and read NAME=VALUE pairs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ihdm.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

OutputOption = Annotated[Path, typer.Option(help="Path of the table, .csv.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", help="COLUMN=VALUE for every row, e.g. experiment=digits; may be repeated."),
]


def write_rows(rows: Iterable[Mapping[str, Any]], labels: Mapping[str, str] | list[str] | None, output: Path) -> None:
    """Write rows as a table, the labels as its first columns."""
    import pandas as pd

    columns = labels if isinstance(labels, Mapping) else named("--label", labels or [], "COLUMN=VALUE")
    write_table(pd.DataFrame([{**columns, **row} for row in rows]), output)


def write_table(table: "pd.DataFrame", output: Path) -> None:
    """Write a table as CSV."""
    from ihdm.storage.files import atomic_path

    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)


def named(option: str, pairs: list[str], form: str) -> dict[str, str]:
    """Sort NAME=VALUE pairs by name.

    Raises:
        UserError: if a pair is written otherwise.
    """
    values = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise UserError(f"{option} {pair}: write it as {form}")
        values[name] = value
    return values


def named_paths(option: str, pairs: list[str]) -> dict[str, Path]:
    """Sort NAME=PATH pairs by name; see :func:`named`."""
    return {name: Path(path) for name, path in named(option, pairs, "NAME=PATH").items()}
