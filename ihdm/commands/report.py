"""Stage ``report``: tables as a paper prints them, and the summary page of all."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.errors import UserError

app = typer.Typer(help="Sum up the results.", no_args_is_help=True)


@app.command()
def write(
    tables: Annotated[list[Path], typer.Argument(help="Joint tables, NAME.csv.")],
    output: Annotated[Path, typer.Option(help="Path of the page, .html.")],
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="Record, .meta.json, of a result to name if other code made it; may be repeated."),
    ] = None,
    note: Annotated[
        list[str] | None, typer.Option(help="A sentence on the data that readers must know; may be repeated.")
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Inverse heat dissipation: summary",
) -> None:
    """Write the summary page."""
    from ihdm.report.sections import SECTIONS
    from ihdm.report.summary import summary_page
    from ihdm.storage.files import atomic_path
    from ihdm.storage.provenance import record, stale_notices
    from ihdm.storage.reading import missing_columns_told, read_table

    unknown = [str(path) for path in tables if path.stem not in SECTIONS]
    if unknown:
        raise UserError(f"{unknown[0]}: the summary has no such table; it takes {', '.join(SECTIONS)}")
    kept = kept or []
    with record(
        [output], command="report write", inputs=[*tables, *kept], settings={"title": title, "notes": note or []}
    ):
        with missing_columns_told(tables):
            page = summary_page(
                {path.stem: read_table(path) for path in tables}, title, stale_notices(kept), note or []
            )
        with atomic_path(output) as temporary:
            temporary.write_text(page)


@app.command()
def tables(
    settings: SettingsOption,
    output: Annotated[Path, typer.Option(help="Folder for NAME.csv, NAME.md and NAME.tex of each.")],
    joint: Annotated[list[Path] | None, typer.Option(help="Joint table, NAME.csv; may be repeated.")] = None,
) -> None:
    """Write the tables that a paper would print, as CSV, Markdown and LaTeX: those that the joint tables allow.

    The settings are those of a whole scale, as JSON or the path of a JSON file.
    """
    from ihdm.config.scale import Config
    from ihdm.report.tables import ENDINGS, PAPER_TABLES, available, write_table
    from ihdm.storage.provenance import record
    from ihdm.storage.reading import missing_columns_told, read_table

    scale = read_settings(Config, settings)
    paths = joint or []
    names = available({path.stem for path in paths})
    files = [output / f"{name}{ending}" for name in names for ending in ENDINGS]
    with (
        record(files, command="report tables", inputs=paths, settings=scale, meta=output / "tables.meta.json"),
        missing_columns_told(paths),
    ):
        read = {path.stem: read_table(path) for path in paths}
        for name in names:
            write_table(PAPER_TABLES[name].build(scale, read), PAPER_TABLES[name].caption, output / name)
