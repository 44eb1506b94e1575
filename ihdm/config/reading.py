"""Reading settings from YAML and JSON, strictly and within size limits, with messages that name file, line and key."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ihdm.config.processes import PROCESS_KINDS
from ihdm.config.scale import Config
from ihdm.config.settings import NAME_PATTERN
from ihdm.errors import UserError, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

AnySettings = TypeVar("AnySettings", bound=BaseModel)

MAX_BYTES = 2**18
"""Largest configuration file; the paper's scale has 6000 bytes."""
MAX_VALUES = 50_000
"""Most values in a file, aliases expanded: nested aliases can stand for more values than fit in memory."""
MAX_MISTAKES = 100
"""Most reported mistakes; more suggest that the file is no configuration."""
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
"""Former names of settings, with the current ones."""

SURPRISING = re.compile(
    r"[-+]?0[0-7_]+"  # octal
    r"|[-+]?0[bx][0-9a-fA-F_]+"
    r"|[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?"  # sexagesimal
    r"|[-+]?\d[\d.]*_[\d_.]*"
    r"|-0+(\.0*)?"
    r"|(?i:yes|no|on|off)"
)
"""Unquoted values that YAML 1.1 reads as an unexpected number or boolean."""


class _Loader(yaml.SafeLoader):
    """A safe loader that reports duplicate keys, of which PyYAML silently keeps the last, and surprising values."""

    def __init__(self, text: str, path: str | Path) -> None:
        super().__init__(text)
        self.path = path

    def construct_document(self, node: yaml.Node) -> object:
        if _num_values(node, {}) > MAX_VALUES:
            raise UserError(f"{self.path}: more than {MAX_VALUES} values, counting those of aliases; use fewer aliases")
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)  # `<<: *name` first
        where = f"in the block at line {node.start_mark.line + 1}"
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str) and type(key) is not int:
                raise UserError(f"{self.path}: the key {shown(key)} {where} is not text; put it in quotes")
        for name, count in Counter(map(str, keys)).items():
            if count > 1:
                raise UserError(f"{self.path}: {shown(name)} is given {count} times {where}")
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        # For a number with too many digits, a 13th month or half a character PyYAML raises built-in errors.
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()
        except (ArithmeticError, AttributeError, LookupError, ValueError):
            kind, line = node.tag.rpartition(":")[2], node.start_mark.line + 1
            raise UserError(f"{self.path}: line {line}: {shown(node.value)} cannot be read as {kind}") from None
        if isinstance(node, yaml.ScalarNode) and node.style is None and SURPRISING.fullmatch(node.value):
            line = node.start_mark.line + 1
            read = json.dumps(abs(value) if value == 0.0 and isinstance(value, float) else value, default=str)
            raise UserError(
                f"{self.path}: line {line}: YAML reads {node.value} as {read}; write that, or put text in quotes"
            )
        return value


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Return the values of a YAML or JSON file, not validated. Only JSON reads 2e-05 as a number.

    Raises:
        UserError: if the file cannot be read, is invalid, has a duplicate key, exceeds the limits or holds no settings.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES // 1024} KiB; is it a configuration file?")
    try:
        text = content.decode("utf-8-sig")
        values = _Loader(text, path).get_single_data()
        with suppress(ValueError):  # not JSON
            values = json.loads(text)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {_problem(error)}") from None
    except RecursionError:
        raise UserError(
            f"{path}: blocks are nested too deeply, or an alias refers to the block that contains it"
        ) from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings")
    return values


def _num_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of values of a node, aliases expanded; ``known`` caches counts by identity."""
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = chain.from_iterable(parts) if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_num_values(child, known) for child in inner)
    return known[id(node)]


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        problem = " ".join(part for part in (error.context, error.problem) if part)
        return f"{problem}, at line {error.problem_mark.line + 1}"
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")


def parse_settings(model: type[AnySettings], text: str, name: str = "configuration") -> AnySettings:
    """Validate JSON text as ``model``: first every key and value, then, if all are valid, their consistency.

    Args:
        model: the settings model.
        text: JSON.
        name: name of the source, for the message.

    Raises:
        UserError: with one line per mistake: the key, the problem and the allowed values.
    """
    # Strict validation of JSON accepts a list for a tuple and 1 for 1.0, as YAML needs.
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        mistakes = _mistakes(error, model, text)
    if len(mistakes) == 1:
        raise UserError(f"{name}: {mistakes[0]}")
    number = len(mistakes) if len(mistakes) <= MAX_MISTAKES else f"more than {MAX_MISTAKES}"
    raise UserError("\n  ".join([f"{name}: {number} mistakes", *mistakes[:MAX_MISTAKES]]))


def parse_config(values: Mapping[str, Any], name: str = "configuration") -> Config:
    """Validate a loaded configuration; see :func:`parse_settings`."""
    # Values without a JSON form, such as YAML dates, become text, which validation then rejects.
    return parse_settings(Config, json.dumps(values, default=str), name)


def _mistakes(error: ValidationError, model: type[BaseModel], text: str) -> list[str]:
    """Return a line for each mistake; a misspelled key is not also reported as missing."""
    details = [detail for detail in error.errors(include_url=False) if not _follows(detail)][: MAX_MISTAKES + 1]
    if details[0]["type"] == "json_invalid":
        return [details[0]["msg"]]
    values = json.loads(text)
    places = [_place(detail, values) for detail in details]
    missing = {place for place, detail in zip(places, details, strict=True) if detail["type"] == "missing"}
    found: dict[tuple[str, ...], list[str]] = {}
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
                message += f"did you mean '{near[0]}'?" if near else f"known are {', '.join(named)}"
        found.setdefault(place, []).append(message)
    explained = {place for place, messages in found.items() if messages == ["Field required"]} - missing
    lines = []
    for place, messages in found.items():
        if place not in explained:
            # Each branch of a union has a message.
            where = ".".join(f"{key:.60}" for key in place)
            for line in ", or: ".join(messages).split("\n"):
                lines.append(f"{where}: {line}" if where else line)
    return lines


def _follows(detail: "ErrorDetails") -> bool:
    """Whether a mistake follows from others, which are reported: a default of other settings, or a list left short."""
    if detail["type"] == "default_factory_not_called":
        return True
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _place(detail: "ErrorDetails", values: object) -> tuple[str, ...]:
    """Return the path of a key in the file: its location without the branches of unions."""
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
    """Return the names of the settings at a location."""
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
    """Return what is wrong with a value, and what is allowed."""
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
        expected = "boolean" if kind == "bool_type" else "number"
        return f"{shown(given)} is text where a {expected} belongs{_hint(given)}"
    if kind in ("model_type", "dict_type"):
        return f"a block of settings belongs here, not {shown(given)}"
    if kind == "tuple_type":
        return f"a list belongs here, as [1, 2], not {shown(given)}"
    if kind == "string_pattern_mismatch" and detail["ctx"]["pattern"] == NAME_PATTERN:
        return f"a name is lower-case letters, digits and underscores with a letter first, not {shown(given)}"
    if kind == "less_than_equal":
        return f"{message}, not {shown(given)}: above the sanity limit"
    if kind == "missing" or isinstance(given, dict | list):
        return message
    return f"{message}, not {shown(given)}"


def _hint(text: str) -> str:
    """Return why a number or boolean became text, if the text spells one."""
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
        UserError: if the file cannot be read or is not valid.
    """
    return parse_config(load_yaml(path), str(path))


def config_schema() -> str:
    """Return the JSON schema of configuration files, as text."""
    return json.dumps(Config.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
