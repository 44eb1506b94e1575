"""Inspect and archive folders of results."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.errors import UserError

app = typer.Typer(help="Inspect and archive results.")

FolderArgument = Annotated[Path, typer.Argument(help="Folder of results.")]


@app.command()
def stale(folder: FolderArgument) -> None:
    """List every result that was made by other code than the current."""
    from ihdm.storage.provenance import stale_notices

    metas = sorted(folder.rglob("*.meta.json"))
    if not metas:
        raise UserError(f"{folder}: no records, .meta.json, found; give a folder of results")
    for notice in stale_notices(dict.fromkeys(metas)):
        typer.echo(notice)


@app.command()
def show(folder: FolderArgument) -> None:
    """List the contents of a folder of results by kind."""
    from ihdm.results.folder import load_results

    typer.echo(repr(load_results(folder)))


@app.command()
def crate(
    folder: FolderArgument,
    output: Annotated[
        Path | None, typer.Option(help="A path that ends in .zip, or a new folder; by default the folder of results.")
    ] = None,
    license_name: Annotated[
        str | None,
        typer.Option(
            "--license",
            help="License of the results: an SPDX identifier such as CC-BY-4.0, or a URL; by default that of the "
            "software.",
            show_default=False,
        ),
    ] = None,
    include_data: Annotated[
        bool,
        typer.Option(
            "--include-data",
            help="Include training images, and exported pipelines, which contain blurred training images; check their "
            "license.",
        ),
    ] = False,
    project: Annotated[
        Path | None, typer.Option(help="Checkout of the project; by default that of this command.", show_default=False)
    ] = None,
) -> None:
    """Write an RO-Crate of results, ready for an archive such as Zenodo.

    It describes every table, figure, network, sample set and record, with SHA-256 and provenance, and contains the
    workflow and its configuration. It excludes training images, which may have another license, logs and unfinished
    files. In the folder of results, only the metadata and workflow are added; excluded files stay but are not
    described.
    """
    from ihdm.results.crate import write_crate
    from ihdm.results.folder import load_results
    from ihdm.storage.code import PACKAGE

    results = load_results(folder).folder
    checkout = project or PACKAGE.parent
    sizes = write_crate(results, output or results, checkout, license_name, with_data=include_data)
    typer.echo(f"{output or results}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")
