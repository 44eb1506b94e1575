"""YAML and JSON files into plain values, within limits; a duplicate key or an unreadable value is an error."""

import json
import re
from collections import Counter
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from ihdm.errors import UserError, shown

MAX_BYTES = 2**18
"""Of a file; the paper's scale has 6000."""
MAX_VALUES = 50_000
"""In a file, including the values that aliases repeat: aliases of aliases could stand for more than fits in memory."""


SURPRISING = re.compile(
    r"[-+]?0[0-7_]+"  # octal
    r"|[-+]?0[bx][0-9a-fA-F_]+"
    r"|[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?"  # sexagesimal
    r"|[-+]?\d[\d.]*_[\d_.]*"
    r"|-0+(\.0*)?"
    r"|(?i:yes|no|on|off)"
)
"""Plain values that YAML 1.1 reads as a number or truth value that few would expect."""


class _Loader(yaml.SafeLoader):
    """YAML as usual, but a key given twice is an error, where PyYAML silently keeps the last.

    Attributes:
        path: of the file, for messages.
    """

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
                raise UserError(f"{self.path}: the key {shown(key)} {where} is no text; put it in quotes")
        for name, count in Counter(map(str, keys)).items():
            if count > 1:
                raise UserError(f"{self.path}: {shown(name)} is given {count} times {where}")
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        # What PyYAML says of a number of too many digits, a 13th month or half a character are Python's own errors.
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
    """Return the settings that a YAML or JSON file holds, not validated. Only in JSON is 2e-05 a number.

    Raises:
        UserError: if the file cannot be read, is neither, gives a key twice, goes beyond the limits or holds nothing.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES // 1024} KiB, as no configuration is; is it the wrong file?")
    try:
        text = content.decode("utf-8-sig")
        values = _Loader(text, path).get_single_data()
        with suppress(ValueError):  # which is not JSON
            values = json.loads(text)
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8; if it is text, save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {_problem(error)}") from None
    except RecursionError:
        raise UserError(f"{path}: blocks are nested too deeply, or an alias is within the block it repeats") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings")
    return values


def _num_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for; ``known`` holds the counts so far, by identity."""
    if id(node) not in known:
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        inner = chain.from_iterable(parts) if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_num_values(child, known) for child in inner)
    return known[id(node)]


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        said = " ".join(part for part in (error.context, error.problem) if part)
        return f"{said}, at line {error.problem_mark.line + 1}"
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")
