"""Stage ``metrics``, its part on tables over all experiments."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.commands.tables import OutputOption, named, write_table
from ihdm.settings import SweptExperiments

app = typer.Typer()


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: OutputOption,
) -> None:
    """Join tables of one kind, one after another; rows of one data set must be of one extractor."""
    import pandas as pd

    from ihdm.metrics.tables import join_tables
    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=parts, settings={}):
        write_table(join_tables({str(part): pd.read_csv(part) for part in parts}), output)


@app.command()
def sweep(
    settings: SettingsOption,
    tables: Annotated[list[Path], typer.Argument(help="Joint tables, KIND.csv.")],
    output: OutputOption,
) -> None:
    """Put every measure of every experiment into one tidy table, as .csv and, beside it, as .parquet."""
    import pandas as pd

    from ihdm.files import atomic_path
    from ihdm.metrics.sweep import tidy_table
    from ihdm.provenance import record

    chosen = read_settings(SweptExperiments, settings)
    parquet = output.with_suffix(".parquet")
    with record(output.with_suffix(".meta.json"), outputs=[output, parquet], inputs=tables, settings=chosen):
        table = tidy_table({path.stem: pd.read_csv(path) for path in tables}, chosen.experiments)
        write_table(table, output)
        with atomic_path(parquet) as temporary:
            table.to_parquet(temporary, index=False)


@app.command()
def departures(
    table: Annotated[Path, typer.Argument(help="The tidy table of `metrics sweep`, .csv.")],
    described: Annotated[list[str], typer.Option(help="SETTING=VALUE that variants are compared with; repeat it.")],
    output: OutputOption,
) -> None:
    """Tabulate what each departure of the released code from the description does."""
    import pandas as pd

    from ihdm.metrics.departures import departure_table
    from ihdm.provenance import record

    values = named("--described", described, "SETTING=VALUE")
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[table], settings=values):
        write_table(departure_table(pd.read_csv(table), values), output)
