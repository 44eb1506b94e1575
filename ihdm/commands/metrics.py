"""Stage ``metrics``: tables of what can be said about networks and generated images."""

import typer

from ihdm.commands import (
    metrics_images,
    metrics_likelihood,
    metrics_probes,
    metrics_restoration,
    metrics_samplers,
    metrics_spectra,
    metrics_tables,
)

app = typer.Typer(help="Measure networks and generated images.", no_args_is_help=True)
for part in (
    metrics_images,
    metrics_likelihood,
    metrics_probes,
    metrics_restoration,
    metrics_samplers,
    metrics_spectra,
    metrics_tables,
):
    app.add_typer(part.app)
