"""How commands write tables."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

OutputOption = Annotated[Path, typer.Option(help="Path of the table, .csv.")]


def write_rows(rows: Iterable[Mapping[str, Any]], labels: Mapping[str, str], output: Path) -> None:
    """Write rows as a table, the labels as its first columns."""
    import pandas as pd

    write_table(pd.DataFrame([{**labels, **row} for row in rows]), output)


def write_table(table: "pd.DataFrame", output: Path) -> None:
    """Write a table as CSV; NaN stands for a missing value.

    Raises:
        UserError: if a value is infinite.
    """
    from ihdm.storage.arrays import require_finite_values
    from ihdm.storage.files import atomic_path

    for name, column in table.select_dtypes("number").items():
        require_finite_values(f"{output}: column {name}", column.to_numpy(), is_nan_allowed=True)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
