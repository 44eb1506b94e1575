"""Stage ``metrics``: a command for each measure, and one that merges tables."""

import typer

from ihdm.commands import (
    metrics_probes,
    metrics_restoration,
    metrics_samplers,
    metrics_tables,
)
from ihdm.commands.measures import Measures

app = typer.Typer(cls=Measures, help="Measure networks and generated images.", no_args_is_help=True)
for part in (
    metrics_probes,
    metrics_restoration,
    metrics_samplers,
    metrics_tables,
):
    app.add_typer(part.app)
