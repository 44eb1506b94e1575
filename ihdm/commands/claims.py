"""Check the claims of the paper against measured results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.commands.options import MergedOption, read_settings, write_text
from ihdm.errors import UserError
from ihdm.storage.provenance import read_record, record

if TYPE_CHECKING:
    from ihdm.config.scale import Config

app = typer.Typer(help="Check the claims of the paper.")


@app.command()
def check(
    settings: Annotated[
        str | None,
        typer.Option(help="The scale, as JSON or path of a JSON or YAML file; by default the recorded scale."),
    ] = None,
    merged: MergedOption = None,
    results: Annotated[
        Path | None, typer.Option(help="Folder of results, whose tables and recorded scale are the defaults.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for claims.csv, .md and .json; by default the report of the results.")
    ] = None,
) -> None:
    """Decide every claim for every experiment: reproduced, not reproduced, inconclusive or not run."""
    from ihdm.claims.ledger import as_json, as_markdown, needed_tables
    from ihdm.claims.ledger import check as checked
    from ihdm.storage.reading import missing_column_errors, read_table

    if output is None and results is None:
        raise UserError("claims check: add --output, the output folder, or --results, a folder of results")
    scale = _scale(settings, results)
    folder = output or Path(str(results)) / "report"
    paths = merged or sorted(results.glob("metrics/*.csv") if results else [])
    paths = [path for path in paths if path.stem in needed_tables()]
    if results and not paths:
        raise UserError(
            f"--results {results}: has no merged table that claims use; give a folder of results with metrics/"
        )
    files = [folder / f"claims.{ending}" for ending in ("csv", "md", "json")]
    with (
        record(files, command="claims check", inputs=paths, settings=scale, meta=folder / "claims.meta.json"),
        missing_column_errors(paths),
    ):
        table = checked({path.stem: read_table(path) for path in paths}, scale)
        for file, text in zip(files, (table.to_csv(index=False), as_markdown(table), as_json(table)), strict=True):
            write_text(text, file)


def _scale(settings: str | None, results: Path | None) -> "Config":
    """Return the given scale, or the recorded scale of the results."""
    from ihdm.config.reading import parse_config
    from ihdm.config.scale import Config

    if settings is None:
        if results is None:
            raise UserError("claims check: add --settings, the scale, or --results, a folder of results")
        meta = results / "tables" / "tables.meta.json"
        if not meta.exists():
            raise UserError(f"{meta}: file not found, so the scale is unknown; add --settings with its file")
        return parse_config(read_record(meta)["settings"], str(meta))
    return read_settings(Config, settings)
