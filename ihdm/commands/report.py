"""Stage ``report``: printed tables, the results page, and comparison of runs."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import MergedOption, ScaleOption, read_settings, write_table, write_text
from ihdm.errors import UserError
from ihdm.storage.provenance import record, stale_notices

app = typer.Typer(help="Summarize results.")


@app.command()
def page(
    settings: ScaleOption,
    results: Annotated[Path, typer.Option(help="Folder of results.")],
    output: Annotated[Path, typer.Option(help="Path of the page, .html.")],
    claims: Annotated[Path | None, typer.Option(help="Verdicts on claims, claims.json.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Folder of figure captions, NAME.rst.")] = None,
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="Record, .meta.json, of a result to list if other code made it; may be repeated."),
    ] = None,
) -> None:
    """Write all results of a scale on one self-contained page; missing results are skipped."""
    from ihdm.config.scale import Config
    from ihdm.report.page import report_page
    from ihdm.report.results import Results
    from ihdm.storage.reading import missing_column_errors

    if not results.is_dir():
        raise UserError(f"--results {results}: there is no such folder")
    found = Results(read_settings(Config, settings), results)
    kept = kept or []
    inputs = [*found.files, *kept, *([claims] if claims else [])]
    with record([output], command="report page", inputs=inputs, settings=found.config):
        with missing_column_errors(found.files):
            text = report_page(found, claims, captions, stale_notices(dict.fromkeys(kept)))
        write_text(text, output)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Two or more folders of results, or tables such as metrics/sweep.csv.")
    ],
    output: Annotated[
        list[Path], typer.Option(help="Path of the page, .html, or of the table, .csv; may be repeated.")
    ],
) -> None:
    """Report significant changes between runs: every run is compared with the first."""
    from ihdm.report.comparison import as_rows, comparison_page, numbers_file, read_numbers
    from ihdm.report.comparison import compare as compared

    if len(runs) < 2:
        raise UserError(f"{runs[0]}: only one run; add another to compare with")
    if wrong := [path for path in output if path.suffix not in (".html", ".csv")]:
        raise UserError(f"--output {wrong[0]}: use a path that ends in .html or .csv")
    files = [numbers_file(path) for path in runs]
    if same := [path for path in output if path.resolve() in {file.resolve() for file in files}]:
        raise UserError(f"--output {same[0]}: is one of the inputs; choose another path")
    meta = output[0].with_name(f"{output[0].stem}.meta.json")
    with record(output, command="report compare", inputs=files, settings={"runs": list(map(str, runs))}, meta=meta):
        (first, *others) = zip(map(str, runs), map(read_numbers, files), strict=True)
        comparisons = [compared(first, other) for other in others]
        for path in output:
            if path.suffix == ".html":
                write_text(comparison_page(comparisons), path)
            else:
                write_table(as_rows(comparisons), path)
    for part in comparisons:
        print(f"{part.sentence}.")


@app.command()
def tables(
    settings: ScaleOption,
    output: Annotated[Path, typer.Option(help="Folder for NAME.csv, NAME.md and NAME.tex of each table.")],
    merged: MergedOption = None,
) -> None:
    """Write tables for a paper as CSV, Markdown and LaTeX, as far as the merged tables allow."""
    from ihdm.config.scale import Config
    from ihdm.report.tables import ENDINGS, PAPER_TABLES, available, printed
    from ihdm.storage.reading import missing_column_errors, read_table

    scale = read_settings(Config, settings)
    paths = merged or []
    names = available({path.stem for path in paths})
    files = [output / f"{name}{ending}" for name in names for ending in ENDINGS]
    with (
        record(files, command="report tables", inputs=paths, settings=scale, meta=output / "tables.meta.json"),
        missing_column_errors(paths),
    ):
        read = {path.stem: read_table(path) for path in paths}
        # Writing starts only after all tables are built.
        texts = [printed(PAPER_TABLES[name].build(scale, read), PAPER_TABLES[name].caption, name) for name in names]
        for path, text in zip(files, [text for table in texts for text in table.values()], strict=True):
            write_text(text, path)
