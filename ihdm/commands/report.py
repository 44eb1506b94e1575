"""Stage ``report``: the summary page of all tables."""

from pathlib import Path
from typing import Annotated

import typer

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
