"""Looking at configurations: not a stage, but how one finds out what a stage will be told."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.config.reading import config_schema, read_config
from ihdm.errors import UserError

app = typer.Typer(help="Check and show configurations.", no_args_is_help=True)

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
