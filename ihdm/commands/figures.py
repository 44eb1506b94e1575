"""Stage ``figures``: tables and arrays to PDF and PNG, and WebP for animated figures."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from ihdm.config.scale import FIGURES
from ihdm.errors import UserError
from ihdm.figures import Inputs, is_animated

app = typer.Typer(help="Draw figures.")


@app.command()
def draw(
    name: Annotated[str, typer.Argument(help="Name of the figure, a module of ihdm.figures.")],
    inputs: Annotated[
        list[str], typer.Option("--input", help="KIND:EXPERIMENT=PATH or KIND:EXPERIMENT:δ/σ=PATH; may be repeated.")
    ],
    output: Annotated[
        Path, typer.Option(help="Path of the .png; a .pdf is written next to it, and a .webp if it is animated.")
    ],
    titles: Annotated[
        list[str] | None, typer.Option("--title", help="Display title, EXPERIMENT=TITLE; may be repeated.")
    ] = None,
) -> None:
    """Draw one figure."""
    from ihdm.storage.provenance import record
    from ihdm.storage.reading import missing_column_errors

    if name not in FIGURES:
        raise UserError(f"there is no figure '{name}'; known are {', '.join(FIGURES)}")
    if wrong := [pair for pair in titles or [] if "=" not in pair]:
        raise UserError(f"--title {wrong[0]}: write it as EXPERIMENT=TITLE")
    parsed = parse_inputs(inputs)
    paths = [path for by_experiment in parsed.values() for files in by_experiment.values() for path in files.values()]
    endings = (".pdf", ".png", ".webp") if is_animated(name) else (".pdf", ".png")
    with record(
        [output.with_suffix(ending) for ending in endings],
        command=f"figures draw {name}",
        inputs=paths,
        settings={"figure": name, "inputs": inputs, "titles": titles or []},
    ):
        from ihdm.figures.style import save_animation, save_figure, set_style

        set_style(dict(pair.split("=", 1) for pair in titles or []))
        module = importlib.import_module(f"ihdm.figures.{name}")
        with missing_column_errors(paths):
            figure = module.draw(parsed)
            frames = module.animate(parsed) if is_animated(name) else []
        save_figure(figure, output)
        if frames:
            save_animation(frames, output)


def parse_inputs(values: list[str]) -> Inputs:
    """Group KIND:EXPERIMENT=PATH and KIND:EXPERIMENT:δ/σ=PATH values by kind, experiment and δ/σ.

    Raises:
        UserError: if a value is malformed or its file is missing.
    """
    parsed: Inputs = {}
    for value in values:
        key, separator, path = value.partition("=")
        parts = key.split(":")
        if not separator or len(parts) not in (2, 3):
            raise UserError(f"--input {value}: write KIND:EXPERIMENT=PATH or KIND:EXPERIMENT:δ/σ=PATH")
        if not Path(path).exists():
            raise UserError(f"--input {value}: {path} does not exist")
        kind, experiment, ratio = (*parts, "")[:3]
        parsed.setdefault(kind, {}).setdefault(experiment, {})[ratio] = Path(path)
    return parsed
