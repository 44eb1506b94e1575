"""Reading settings from YAML and JSON, with messages that name the key; and the schema that editors can use."""

import json
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

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
    where = ".".join(str(part) for part in keys if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"].startswith("union_tag"):
        where, message = f"{where}.kind", f"there is no such process; known are {', '.join(PROCESS_KINDS)}"
    elif first["type"] == "extra_forbidden":
        missing = [str(other["loc"][-1]) for other in details if other["type"] == "missing"]
        meant = get_close_matches(str(first["loc"][-1]), missing, 1)
        message = "no setting has this name; " + (f"is '{meant[0]}' meant?" if meant else "check its spelling")
    elif isinstance(first["input"], str) and first["type"] in ("float_type", "int_type"):
        message = f"'{first['input']}' is text where a number belongs (YAML reads 1e-4 as text; write 1.0e-4)"
    elif not isinstance(first["input"], dict | list) and first["type"] != "missing":
        message = f"{message}, not {first['input']!r}"
    others = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{where}: {message}{others}" if where else f"{message}{others}"


def parse_config(values: Mapping[str, Any]) -> Config:
    """Validate a loaded configuration; see :func:`parse_settings` for the errors."""
    # What JSON has no form for, like YAML's dates, becomes text and is refused where it stands.
    return parse_settings(Config, json.dumps(values, default=str))


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML as usual, but a key given twice is an error; PyYAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)  # `<<: *name` first
        keys = [str(self.construct_object(key, deep=True)) for key, _ in node.value]
        for key, count in Counter(keys).items():
            if count > 1:
                line = node.start_mark.line + 1
                raise UserError(f"{node.start_mark.name}: '{key}' is given {count} times in the block at line {line}")
        return super().construct_mapping(node, deep)


def read_config(path: str | Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        UserError: if the file cannot be read, is not YAML, gives a key twice or is not valid.
    """
    try:
        with Path(path).open() as stream:
            values = yaml.load(stream, Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings")
    return parse_config(values)


def config_schema() -> str:
    """Return the JSON schema of a configuration file, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
