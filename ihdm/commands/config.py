"""Check, create and show configuration files."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import write_text
from ihdm.config.reading import config_schema, parse_settings, read_config
from ihdm.errors import UserError

app = typer.Typer(help="Check and show configurations.")

MIN_IMAGES = 20

FileArgument = Annotated[Path, typer.Argument(help="Configuration file, .yaml.")]


@app.command()
def check(path: FileArgument) -> None:
    """Validate a configuration file and list its experiments."""
    from ihdm.data.sources import check_sources

    config = read_config(path)
    check_sources(config)
    for name, variant in config.variants.items():
        ratios = ", ".join(f"{ratio:g}" for ratio in variant.delta_ratios)
        typer.echo(f"{name}: sampled at δ/σ = {ratios}")


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="File to write, .yaml.")],
    pictures: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Folder of images; by default photographs that come with Python packages."
        ),
    ] = None,
) -> None:
    """Write a commented configuration file to start from, for your own images."""
    from ihdm.config.documentation import example_scale, scale_text
    from ihdm.config.settings import DatasetSettings
    from ihdm.data.sources import load_splits, obtain_raw

    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: already exists; choose another name or delete the file")
    images = {"source": "photos"} if pictures is None else {"source": "folder", "path": str(pictures.absolute())}
    dataset = parse_settings(DatasetSettings, json.dumps({**images, "image_size": 32, "image_channels": 3}))
    splits = load_splits(dataset, obtain_raw(dataset, Path()))
    numbers = {split: len(images) for split, images in splits.items()}
    if sum(numbers.values()) < MIN_IMAGES:
        raise UserError(
            f"{pictures}: {sum(numbers.values())} images found, but at least {MIN_IMAGES} are needed for measuring; "
            "training needs some hundreds"
        )
    results = Path("results", re.sub("[^A-Za-z0-9_-]+", "_", path.stem))
    text = scale_text(example_scale(str(results), dataset, numbers["train"], numbers["test"]))
    write_text(text, path)
    typer.echo(f"{path} is written; its first lines explain how to use it")


@app.command()
def show(path: FileArgument, experiment: Annotated[str, typer.Argument(help="Name of an experiment.")]) -> None:
    """Print an experiment as JSON for `models train --settings`."""
    variants = read_config(path).variants
    if experiment not in variants:
        raise UserError(f"{path}: there is no experiment '{experiment}'; known are {', '.join(variants)}")
    typer.echo(variants[experiment].experiment.model_dump_json(indent=2))


@app.command()
def schema() -> None:
    """Print the JSON schema of configuration files."""
    typer.echo(config_schema(), nl=False)


@app.command()
def page() -> None:
    """Print docs/settings.md, the page of all settings."""
    from ihdm.config.documentation import settings_page

    typer.echo(settings_page(), nl=False)
