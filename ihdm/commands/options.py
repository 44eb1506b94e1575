"""Options of several commands, reading of their settings, and writing of text and tables."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.config.reading import AnySettings, load_yaml, parse_settings
from ihdm.errors import UserError
from ihdm.storage.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

SettingsOption = Annotated[
    str, typer.Option("--settings", help="Settings as JSON or path of a JSON file.", metavar="JSON")
]
ScaleOption = Annotated[
    str, typer.Option("--settings", help="The whole scale as JSON or path of a JSON or YAML file.", metavar="JSON")
]
TrainOption = Annotated[Path, typer.Option(help="The training images, train.npy.")]
MergedOption = Annotated[list[Path] | None, typer.Option(help="Merged table, NAME.csv; may be repeated.")]
INCEPTION_HELP = "Folder of Inception's weights, downloaded if missing."


def read_settings(model: type[AnySettings], text: str) -> AnySettings:
    """Validate the value of ``--settings``: JSON, or the path of a JSON or YAML file.

    Raises:
        UserError: if the file cannot be read or the settings are not valid.
    """
    return parse_settings(model, settings_text(text), settings_name(text))


def settings_name(text: str) -> str:
    """Return how an error names the value of ``--settings``: with its path if it is one."""
    return "--settings" if text.lstrip().startswith("{") else f"--settings {text}"


def settings_text(text: str) -> str:
    """Return the JSON of ``--settings``, which is JSON or the path of a JSON or YAML file.

    Raises:
        UserError: if the file cannot be read.
    """
    if text.endswith((".yaml", ".yml")):
        return json.dumps(load_yaml(text), default=str)
    if not text.lstrip().startswith("{"):
        try:
            return Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"--settings {text}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"--settings {text}: not a text file") from None
    return text


def require_apart(state: Path, output: Path) -> None:
    """Check that the state and the output are in different folders.

    Raises:
        UserError: if they are the same.
    """
    if state.resolve() == output.resolve():
        raise UserError(f"--state {state}: is the output folder too; choose a separate folder for the state")


def write_text(text: str, output: Path) -> None:
    """Write a text file."""
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(table: "pd.DataFrame", output: Path) -> None:
    """Write a table as CSV; NaN stands for a missing value.

    Raises:
        UserError: if a value is infinite.
    """
    from ihdm.storage.arrays import require_finite_values

    for name, column in table.select_dtypes("number").items():
        require_finite_values(f"{output}: column {name}", column.to_numpy(), is_nan_allowed=True)
    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)
