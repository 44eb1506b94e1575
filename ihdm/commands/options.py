"""What the commands share: how settings are given and where the record of a result goes."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.config_files import AnySettings, parse_settings
from ihdm.errors import UserError

SettingsOption = Annotated[
    str,
    typer.Option("--settings", help="Settings as JSON, or the path of a JSON file that holds them.", metavar="JSON"),
]


def read_settings(model: type[AnySettings], text: str) -> AnySettings:
    """Validate the value of ``--settings``: JSON itself, or the path of a file.

    Raises:
        UserError: if the file cannot be read or the settings are not valid.
    """
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text()
        except OSError as error:
            raise UserError(f"--settings {text}: {error.strerror}") from None
    return parse_settings(model, text)


def meta_path(output: Path) -> Path:
    """Return where the record of ``output`` goes: its name without ending, plus ``.meta.json``."""
    return output.with_name(f"{output.name if output.is_dir() else output.stem}.meta.json")
