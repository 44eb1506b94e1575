"""What the commands share: how settings are given."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.config.reading import AnySettings, parse_settings
from ihdm.errors import UserError

SettingsOption = Annotated[
    str,
    typer.Option("--settings", help="Settings as JSON, or the path of a JSON file that holds them.", metavar="JSON"),
]

TrainOption = Annotated[Path, typer.Option(help="The training images, train.npy.")]
InceptionOption = Annotated[
    Path, typer.Option(help="Folder of Inception's weights, which are downloaded if they are not there.")
]


def read_settings(model: type[AnySettings], text: str) -> AnySettings:
    """Validate the value of ``--settings``: JSON itself, or the path of a file.

    Raises:
        UserError: if the file cannot be read or the settings are not valid.
    """
    return parse_settings(model, settings_text(text))


def settings_text(text: str) -> str:
    """Return the JSON that is the value of ``--settings``, or is in the file of this path.

    Raises:
        UserError: if the file cannot be read.
    """
    if not text.lstrip().startswith("{"):
        try:
            return Path(text).read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"--settings {text}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"--settings {text}: not a text file") from None
    return text


def require_apart(state: Path, output: Path) -> None:
    """Check that what is unfinished and what is finished go to different folders.

    Raises:
        UserError: if they are the same.
    """
    if state.resolve() == output.resolve():
        raise UserError(f"--state {state}: is the folder of the output too; give the state one of its own")
