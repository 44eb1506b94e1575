"""Stage ``metrics``: a command for each measure, and one that merges tables."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.measures import Measures
from ihdm.commands.tables import OutputOption, write_table
from ihdm.storage.provenance import record

app = typer.Typer(cls=Measures, help="Measure networks and generated images.", no_args_is_help=True)


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: OutputOption,
) -> None:
    """Join tables of one kind, one after another; rows of one data set must be of one extractor and reference."""
    from ihdm.metrics.tables import merge_tables
    from ihdm.storage.reading import missing_columns_told, read_table

    with record([output], command="metrics table", inputs=parts, settings={}):
        with missing_columns_told(parts):
            merged = merge_tables({str(part): read_table(part) for part in parts})
        write_table(merged, output)
