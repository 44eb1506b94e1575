"""Reading settings from YAML and JSON, with messages that name the key; and the schema that editors can use."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ihdm.config.loading import load_yaml, shown
from ihdm.config.processes import PROCESS_KINDS
from ihdm.config.scale import Config
from ihdm.errors import UserError

AnySettings = TypeVar("AnySettings", bound=BaseModel)


def parse_settings(model: type[AnySettings], text: str) -> AnySettings:
    """Validate JSON text as ``model``.

    Raises:
        UserError: naming the first wrong key and, if more are wrong, how many.
    """
    # Strict validation of JSON still takes a list for a tuple and 1 for 1.0, which YAML cannot tell apart either.
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise UserError(f"configuration: {_describe(error)}") from None


def _describe(error: ValidationError) -> str:
    """Say what is wrong first of all: a key that nobody knows, for it explains the one that is then missing."""
    details = error.errors(include_url=False, include_context=False)
    first = min(details, key=lambda detail: detail["type"] != "extra_forbidden")
    location = first["loc"]
    # The kind of a process is a branch of the model, and no key of the file.
    keys = [part for before, part in zip((None, *location), location, strict=False) if before != "process"]
    where = ".".join(f"{part!s:.60}" for part in keys if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"].startswith("union_tag"):
        where, message = f"{where}.kind", f"there is no such process; known are {', '.join(PROCESS_KINDS)}"
    elif first["type"] == "extra_forbidden":
        missing = [str(other["loc"][-1]) for other in details if other["type"] == "missing"]
        meant = get_close_matches(str(first["loc"][-1]), missing, 1)
        message = "no setting has this name; " + (f"is '{meant[0]}' meant?" if meant else "check its spelling")
    elif isinstance(first["input"], str) and first["type"] in ("float_type", "int_type"):
        message = f"{shown(first['input'])} is text where a number belongs (YAML reads 1e-4 as text; write 1.0e-4)"
    elif not isinstance(first["input"], dict | list) and first["type"] != "missing":
        message = f"{message}, not {shown(first['input'])}"
        if first["type"] == "less_than_equal":
            message += ": more cannot be meant"
    others = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{where}: {message}{others}" if where else f"{message}{others}"


def parse_config(values: Mapping[str, Any]) -> Config:
    """Validate a loaded configuration; see :func:`parse_settings` for the errors."""
    # What JSON has no form for, like YAML's dates, becomes text and is refused where it stands.
    return parse_settings(Config, json.dumps(values, default=str))


def read_config(path: str | Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        UserError: if the file cannot be read, is not YAML, gives a key twice or is not valid.
    """
    return parse_config(load_yaml(path))


def config_schema() -> str:
    """Return the JSON schema of a configuration file, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
