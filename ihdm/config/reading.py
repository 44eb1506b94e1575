"""Reading settings from YAML and JSON, with messages that name the key; and the schema that editors can use."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from ihdm.config.loading import load_yaml
from ihdm.config.processes import PROCESS_KINDS
from ihdm.config.scale import Config
from ihdm.config.settings import NAME_PATTERN
from ihdm.errors import UserError, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

AnySettings = TypeVar("AnySettings", bound=BaseModel)

RENAMED = {
    "attention_levels": "attention_stages",
    "blocks_per_level": "blocks_per_stage",
    "evaluate_every": "validate_every",
    "leaps": "max_stride",
    "milestone_every": "snapshot_every",
    "num_held_out": "num_validation_images",
    "num_memorisation_images": "num_memorization_images",
    "num_neighbours": "num_neighbors",
    "probes": "diagnostics",
    "probing": "diagnostics",
}
"""Former names of settings, each with the present one."""

MOST_SHOWN = 100
"""Of mistakes; whoever has more has given another file."""


def parse_settings(model: type[AnySettings], text: str, name: str = "configuration") -> AnySettings:
    """Validate JSON text as ``model``.

    Keys and values are looked at first, each by itself, and then, if all are right, whether they fit together.

    Args:
        model: what the text should describe.
        text: JSON.
        name: of what is read, for the message.

    Raises:
        UserError: naming every mistake, a line each: the path of the key, what is wrong and what is allowed.
    """
    # Strict validation of JSON still takes a list for a tuple and 1 for 1.0, which YAML cannot tell apart either.
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        mistakes = _mistakes(error, model, text)
    if len(mistakes) == 1:
        raise UserError(f"{name}: {mistakes[0]}")
    number = len(mistakes) if len(mistakes) <= MOST_SHOWN else f"more than {MOST_SHOWN}"
    raise UserError("\n  ".join([f"{name}: {number} mistakes", *mistakes[:MOST_SHOWN]]))


def parse_config(values: Mapping[str, Any], name: str = "configuration") -> Config:
    """Validate a loaded configuration; see :func:`parse_settings`."""
    # What JSON has no form for, like YAML's dates, becomes text and is refused where it stands.
    return parse_settings(Config, json.dumps(values, default=str), name)


def _mistakes(error: ValidationError, model: type[BaseModel], text: str) -> list[str]:
    """Return a line for each mistake; a key that is missing because it is misspelt is no second one."""
    details = [detail for detail in error.errors(include_url=False) if not _follows(detail)][: MOST_SHOWN + 1]
    if details[0]["type"] == "json_invalid":
        return [details[0]["msg"]]
    values = json.loads(text)
    places = [_place(detail, values) for detail in details]
    missing = {place for place, detail in zip(places, details, strict=True) if detail["type"] == "missing"}
    said: dict[tuple[str, ...], list[str]] = {}
    for place, detail in zip(places, details, strict=True):
        message = _message(detail)
        if detail["type"] == "extra_forbidden":
            named = _names(model, detail["loc"][:-1])
            *parents, key = place
            renamed = [RENAMED[key]] if RENAMED.get(key) in named else []
            near = renamed or get_close_matches(key, [name for name in named if (*parents, name) in missing], 1)
            missing -= {(*parents, *near)}
            near = near or get_close_matches(key, named, 1)
            if renamed:
                message = f"this setting is now called '{renamed[0]}'"
            else:
                message += f"is '{near[0]}' meant?" if near else f"known are {', '.join(named)}"
        said.setdefault(place, []).append(message)
    explained = {place for place, messages in said.items() if messages == ["Field required"]} - missing
    lines = []
    for place, messages in said.items():
        if place not in explained:
            # Of a union, each branch has its say.
            where = ".".join(f"{key:.60}" for key in place)
            for line in ", or: ".join(messages).split("\n"):
                lines.append(f"{where}: {line}" if where else line)
    return lines


def _follows(detail: "ErrorDetails") -> bool:
    """Tell whether a list is called too short only because of values in it that have a line each."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _place(detail: "ErrorDetails", values: object) -> tuple[str, ...]:
    """Return the path of a key as the file has it; a location names branches of unions too, which are no keys."""
    place: list[str] = []
    for part in detail["loc"]:
        inner = dict(enumerate(values)) if isinstance(values, list) else values
        if isinstance(inner, dict) and part in inner:
            values = inner[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        place.append(str(part))
    if detail["type"].startswith("union_tag"):
        place.append("kind")
    return tuple(place)


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the names of the settings that there are at a place, of which a location is known."""
    place = whole = _schema(model)
    for part in location:
        branches = {tag: {"$ref": ref} for tag, ref in place.get("discriminator", {}).get("mapping", {}).items()}
        inner = branches | place.get("properties", {})
        place = inner[part] if part in inner else next(iter(place["patternProperties"].values()))
        while "$ref" in place:
            place = whole["$defs"][place["$ref"].rpartition("/")[2]]
    return list(place["properties"])


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _message(detail: "ErrorDetails") -> str:
    """Return what is wrong with one value, and what is allowed."""
    kind, given, message = detail["type"], detail["input"], detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return "no setting has this name; "
    if kind.startswith("union_tag"):
        if "process" in detail["loc"]:
            return f"there is no such process; known are {', '.join(PROCESS_KINDS)}"
        if kind == "union_tag_not_found":
            return "a kind is needed"
        return f"there is no such kind; known are {detail['ctx']['expected_tags']}"
    if isinstance(given, str) and kind in ("float_type", "int_type", "bool_type"):
        expected = "truth value" if kind == "bool_type" else "number"
        return f"{shown(given)} is text where a {expected} belongs{_hint(given)}"
    if kind in ("model_type", "dict_type"):
        return f"a block of settings belongs here, not {shown(given)}"
    if kind == "tuple_type":
        return f"a list belongs here, as [1, 2], not {shown(given)}"
    if kind == "string_pattern_mismatch" and detail["ctx"]["pattern"] == NAME_PATTERN:
        return f"a name is lower-case letters, digits and underscores with a letter first, not {shown(given)}"
    if kind == "less_than_equal":
        return f"{message}, not {shown(given)}: more cannot be meant"
    if kind == "missing" or isinstance(given, dict | list):
        return message
    return f"{message}, not {shown(given)}"


def _hint(text: str) -> str:
    """Return why a number or a truth value has become text, if it is one."""
    if text.lower() not in ("true", "false"):
        try:
            float(text)
        except ValueError:
            return ""
        if "e" in text.lower():
            return " (YAML reads 1e-4 as text; write 1.0e-4)"
    return " (remove quotation marks; --config makes all nested values text, so edit a configuration file instead)"


def read_config(path: str | Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        UserError: if the file cannot be read, is not YAML, gives a key twice or is not valid.
    """
    return parse_config(load_yaml(path), str(path))


def config_schema() -> str:
    """Return the JSON schema of a configuration file, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
