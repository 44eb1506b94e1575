"""Stage ``samples``: generated images."""

import typer

from ihdm.commands import samples_looks, samples_sets

app = typer.Typer(help="Generate images.", no_args_is_help=True)
for part in (samples_sets, samples_looks):
    app.add_typer(part.app)
