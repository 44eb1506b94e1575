"""Looking at results: not a stage, but how one finds out what made them, and hands them on."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.errors import UserError

app = typer.Typer(help="Look at results, and hand them on.", no_args_is_help=True)

FolderArgument = Annotated[Path, typer.Argument(help="A folder of results.")]


@app.command()
def stale(folder: FolderArgument) -> None:
    """Name every result whose record tells of other code than the present, and nothing if there is none."""
    from ihdm.storage.provenance import stale_notices

    metas = sorted(folder.rglob("*.meta.json"))
    if not metas:
        raise UserError(f"{folder}: holds no result with a record, .meta.json")
    for notice in stale_notices(dict.fromkeys(metas)):
        typer.echo(notice)


@app.command()
def show(folder: FolderArgument) -> None:
    """Tell what there is in a folder of results, by kind."""
    from ihdm.results.folder import load_results

    typer.echo(repr(load_results(folder)))


@app.command()
def crate(
    folder: FolderArgument,
    output: Annotated[
        Path | None,
        typer.Option(help="A path that ends in .zip, or a new folder; by default the folder of results itself."),
    ] = None,
    license_name: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="Licence of the results: an SPDX identifier such as CC-BY-4.0, or an address; by default that of the "
            "software.",
            show_default=False,
        ),
    ] = None,
    include_data: Annotated[
        bool,
        typer.Option(
            "--include-data",
            help="Take in the images that networks were trained on, and the models for others, which hold blurred "
            "ones; see to their license.",
        ),
    ] = False,
    project: Annotated[
        Path | None,
        typer.Option(help="Checkout of the project; by default the one that this command lies in.", show_default=False),
    ] = None,
) -> None:
    """Make an RO-Crate of results, ready for an archive such as Zenodo.

    Every table, figure, network, set of samples and record is described, with its SHA-256 and with what made it. The
    pipeline's own files and the configuration are put beside them. Images that networks were trained on are left out,
    as they may have a license of their own; logs and what is unfinished too. In the folder of results itself, only
    these few files are added; what is left out stays there, but is not described.
    """
    from ihdm.crate.writing import write_crate
    from ihdm.results.folder import load_results
    from ihdm.storage.code import PACKAGE

    results = load_results(folder).folder
    checkout = project or PACKAGE.parent
    sizes = write_crate(results, output or results, checkout, license_name, with_data=include_data)
    typer.echo(f"{output or results}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")
