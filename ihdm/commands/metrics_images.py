"""Stage ``metrics``, its part on images: features, distances, memorisation, disentanglement."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.storage.provenance import record

app = typer.Typer()

TrainFeaturesOption = Annotated[Path, typer.Option(help="Features of the training images, .npz.")]


@app.command()
def distance_minimum(
    distances: Annotated[list[Path], typer.Argument(help="Tables of distances of one experiment, one for each δ.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell at which δ the distances of samples are lowest, and how surely."""
    from ihdm.metrics.minimum import distance_minimum as minimum_of
    from ihdm.metrics.tables import join_tables
    from ihdm.storage.reading import read_table

    with record([output], command="metrics distance-minimum", inputs=distances, settings={}, seed=0):
        columns = ("set", "metric", "delta_ratio", "extractor", "n", "value", "standard_error")
        table = join_tables({str(path): read_table(path, columns) for path in distances})
        write_rows(minimum_of(table, seed=0), label, output)
