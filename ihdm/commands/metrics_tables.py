"""Stage ``metrics``, its part on tables over all experiments."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.commands.tables import OutputOption, named_paths, write_table
from ihdm.config.stages import SweptExperiments
from ihdm.storage.provenance import record

app = typer.Typer()


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: OutputOption,
) -> None:
    """Join tables of one kind, one after another; rows of one data set must be of one extractor and reference."""
    from ihdm.metrics.tables import join_tables
    from ihdm.storage.reading import missing_columns_told, read_table

    with record([output], command="metrics table", inputs=parts, settings={}):
        with missing_columns_told(parts):
            joint = join_tables({str(part): read_table(part) for part in parts})
        write_table(joint, output)


@app.command()
def sweep(
    settings: SettingsOption,
    tables: Annotated[list[Path], typer.Argument(help="Joint tables, KIND.csv.")],
    train: Annotated[list[str], typer.Option(help="DATASET=PATH of the training images, .npy; may be repeated.")],
    output: OutputOption,
) -> None:
    """Put every measure of every experiment into one tidy table, as .csv and, beside it, as .parquet."""
    from ihdm.metrics.sweep import tidy_table
    from ihdm.storage.files import atomic_path
    from ihdm.storage.reading import open_images, read_table

    chosen = read_settings(SweptExperiments, settings)
    parquet = output.with_suffix(".parquet")
    arrays = named_paths("--train", train)
    with record([output, parquet], command="metrics sweep", inputs=[*tables, *arrays.values()], settings=chosen):
        num_train = {dataset: len(open_images(path)) for dataset, path in arrays.items()}
        joint = {path.stem: read_table(path, _swept_columns(path)) for path in tables}
        table = tidy_table(joint, chosen.experiments, num_train)
        write_table(table, output)
        with atomic_path(parquet) as temporary:
            table.to_parquet(temporary, index=False)


@app.command()
def departures(
    table: Annotated[Path, typer.Argument(help="The tidy table of `metrics sweep`, .csv.")], output: OutputOption
) -> None:
    """Tabulate what each departure of the released code from the description does."""
    from ihdm.metrics.departures import departure_table
    from ihdm.metrics.sweep import COLUMNS
    from ihdm.storage.reading import read_table

    with record([output], command="metrics departures", inputs=[table], settings={}):
        write_table(departure_table(read_table(table, COLUMNS)), output)


def _swept_columns(path: Path) -> tuple[str, ...]:
    """Return the columns that a joint table must have to be put beside others."""
    every = ("experiment", "delta_ratio", "n", "standard_error")
    if path.stem == "likelihood":
        return (*every, "joint", "variance", "bits_per_dim")
    return (*every, "dataset", "set", "metric", "reference", "value", *(("band",) if path.stem == "spectrum" else ()))
