"""Stage ``report``: tables as a paper prints them, the page of all, and what moved between runs."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.errors import UserError
from ihdm.storage.files import atomic_path
from ihdm.storage.provenance import record, stale_notices

app = typer.Typer(help="Sum up the results.", no_args_is_help=True)


@app.command()
def page(
    settings: SettingsOption,
    results: Annotated[Path, typer.Option(help="Folder of the results.")],
    output: Annotated[Path, typer.Option(help="Path of the page, .html.")],
    claims: Annotated[Path | None, typer.Option(help="The ledger of claims, claims.json.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Folder of the captions of figures, NAME.rst.")] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="Record, .meta.json, of a result to name if other code made it; may be repeated."),
    ] = None,
) -> None:
    """Write one page of everything that a scale found out, which needs nothing beside itself.

    The settings are those of a whole scale, as JSON or the path of a JSON file. What is not there is left out.
    """
    from ihdm.config.scale import Config
    from ihdm.report.page.assemble import report_page
    from ihdm.report.page.results import Results
    from ihdm.storage.reading import missing_columns_told

    if not results.is_dir():
        raise UserError(f"--results {results}: there is no such folder")
    found = Results(read_settings(Config, settings), results)
    kept = kept or []
    inputs = [*found.files, *kept, *([claims] if claims else [])]
    with record([output], command="report page", inputs=inputs, settings=found.config):
        with missing_columns_told(found.files):
            text = report_page(found, claims, captions, stale_notices(dict.fromkeys(kept or ())))
        with atomic_path(output) as temporary:
            temporary.write_text(text, encoding="utf-8")


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Two folders of results or more, or tables such as their metrics/sweep.csv.")
    ],
    output: Annotated[
        list[Path], typer.Option(help="Path of the page, .html, or of the table, .csv; may be given for both.")
    ],
) -> None:
    """Tell what moved between runs beyond its uncertainty: every run is compared with the first."""
    from ihdm.report.comparison import as_rows, comparison_page, numbers_file, read_numbers
    from ihdm.report.comparison import compare as compared

    if len(runs) < 2:
        raise UserError(f"{runs[0]}: is one run; give another to compare it with")
    if wrong := [path for path in output if path.suffix not in (".html", ".csv")]:
        raise UserError(f"--output {wrong[0]}: give a page, .html, or a table, .csv")
    files = [numbers_file(path) for path in runs]
    if same := [path for path in output if path.resolve() in {file.resolve() for file in files}]:
        raise UserError(f"--output {same[0]}: is one of the tables to compare; give another path")
    meta = output[0].with_name(f"{output[0].stem}.meta.json")
    with record(output, command="report compare", inputs=files, settings={"runs": list(map(str, runs))}, meta=meta):
        (first, *others) = zip(map(str, runs), map(read_numbers, files), strict=True)
        comparisons = [compared(first, other) for other in others]
        for path in output:
            with atomic_path(path) as temporary:
                if path.suffix == ".html":
                    temporary.write_text(comparison_page(comparisons), encoding="utf-8")
                else:
                    as_rows(comparisons).to_csv(temporary, index=False)
    for part in comparisons:
        print(f"{part.sentence}.")


@app.command()
def tables(
    settings: SettingsOption,
    output: Annotated[Path, typer.Option(help="Folder for NAME.csv, NAME.md and NAME.tex of each.")],
    merged: Annotated[list[Path] | None, typer.Option(help="Merged table, NAME.csv; may be repeated.")] = None,
) -> None:
    """Write the tables that a paper would print, as CSV, Markdown and LaTeX: those that the merged tables allow.

    The settings are those of a whole scale, as JSON or the path of a JSON file.
    """
    from ihdm.config.scale import Config
    from ihdm.report.tables import ENDINGS, PAPER_TABLES, available, printed
    from ihdm.storage.reading import missing_columns_told, read_table

    scale = read_settings(Config, settings)
    paths = merged or []
    names = available({path.stem for path in paths})
    files = [output / f"{name}{ending}" for name in names for ending in ENDINGS]
    with (
        record(files, command="report tables", inputs=paths, settings=scale, meta=output / "tables.meta.json"),
        missing_columns_told(paths),
    ):
        read = {path.stem: read_table(path) for path in paths}
        # Nothing is written until all of them could be made.
        texts = [printed(PAPER_TABLES[name].build(scale, read), PAPER_TABLES[name].caption, name) for name in names]
        for path, text in zip(files, [text for table in texts for text in table.values()], strict=True):
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
