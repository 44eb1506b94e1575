"""Looking at results: not a stage, but how one finds out what made them."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.errors import UserError

app = typer.Typer(help="Look at results.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep this a group, though it has one command."""


@app.command()
def stale(folder: Annotated[Path, typer.Argument(help="A folder of results.")]) -> None:
    """Name every result whose record tells of other code than the present, and nothing if there is none."""
    from ihdm.storage.provenance import stale_notices

    metas = sorted(folder.rglob("*.meta.json"))
    if not metas:
        raise UserError(f"{folder}: holds no result with a record, .meta.json")
    for notice in stale_notices(metas):
        typer.echo(notice)
