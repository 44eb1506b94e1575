"""Looking at configurations: not a stage, but how one finds out what a stage will be told."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from ihdm.config.reading import config_schema, parse_settings, read_config
from ihdm.errors import UserError

app = typer.Typer(help="Check and show configurations.", no_args_is_help=True)

FEWEST_PICTURES = 20

FileArgument = Annotated[Path, typer.Argument(help="A configuration file, .yaml.")]


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
    path: Annotated[Path, typer.Argument(help="The file to write, .yaml.")],
    pictures: Annotated[
        Path | None,
        typer.Argument(help="A folder of pictures; by default photographs are taken that come with Python packages."),
    ] = None,
) -> None:
    """Write a configuration file to start from, every setting explained, for pictures of your own."""
    from ihdm.config.settings import DatasetSettings
    from ihdm.config.documentation import example_scale, scale_text
    from ihdm.data.sources import load_splits, obtain_raw
    from ihdm.storage.files import atomic_path

    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: is there already; name a file that is not, or remove it")
    images = {"source": "photos"} if pictures is None else {"source": "folder", "path": str(pictures.absolute())}
    dataset = parse_settings(DatasetSettings, json.dumps({**images, "image_size": 32, "image_channels": 3}))
    splits = load_splits(dataset, obtain_raw(dataset, Path()))
    numbers = {split: len(images) for split, images in splits.items()}
    if sum(numbers.values()) < FEWEST_PICTURES:
        raise UserError(
            f"{pictures}: holds {sum(numbers.values())} pictures; {FEWEST_PICTURES} are the fewest that can be "
            "measured, and a network learns little from less than some hundreds"
        )
    results = Path("results", re.sub("[^A-Za-z0-9_-]+", "_", path.stem))
    text = scale_text(example_scale(str(results), dataset, numbers["train"], numbers["test"]))
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    typer.echo(f"{path} is written; see how it begins")


@app.command()
def show(path: FileArgument, experiment: Annotated[str, typer.Argument(help="Name of an experiment.")]) -> None:
    """Print an experiment as the JSON that `models train --settings` takes."""
    variants = read_config(path).variants
    if experiment not in variants:
        raise UserError(f"{path}: no experiment is named '{experiment}'; there are {', '.join(variants)}")
    typer.echo(variants[experiment].experiment.model_dump_json(indent=2))


@app.command()
def schema() -> None:
    """Print the JSON schema of configuration files."""
    typer.echo(config_schema(), nl=False)


@app.command()
def page() -> None:
    """Print the page of all settings, docs/settings.md."""
    from ihdm.config.documentation import settings_page

    typer.echo(settings_page(), nl=False)
