"""YAML files into plain values; what is given twice, repeated without end or cannot be read is named.

A file of some hundred bytes can stand for more than any memory holds, by aliases that repeat aliases, or for what never
ends, by an alias within what it repeats. Both are found while the file is parsed, before anything is made of it.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from ihdm.errors import UserError, shown

MAX_BYTES = 2**18
"""Of a file; the paper's scale has 6000."""
MAX_VALUES = 50_000
"""In a file, those counted that aliases repeat."""
MAX_DEPTH = 30
"""Blocks within blocks; a scale needs six."""


class _Loader(yaml.SafeLoader):
    """YAML as usual, but within limits, and a key given twice is an error; PyYAML would silently keep the last.

    Attributes:
        path: of the file, for messages.
        values: how many values are there so far, those counted that aliases repeat.
        depth: of the value that is being read.
        repeated: by anchor, how many values an alias of it repeats; of anchors whose value is complete.
    """

    def __init__(self, text: str, path: str | Path) -> None:
        super().__init__(text)
        self.path = path
        self.values = self.depth = 0
        self.repeated: dict[str, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        where = f"{self.path}: line {event.start_mark.line + 1}"
        before = self.values
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in self.anchors and event.anchor not in self.repeated:
                raise UserError(f"{where}: '*{event.anchor}' stands within what it repeats, which would never end")
            self.values += self.repeated.get(str(event.anchor), 0)
        self.values += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise UserError(f"{where}: more than {MAX_DEPTH} blocks lie within each other")
        if self.values > MAX_VALUES:
            raise UserError(f"{where}: there are more than {MAX_VALUES} values, those counted that aliases repeat")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self.repeated[event.anchor] = self.values - before
        return node

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
        return value


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Return the settings that a YAML file holds, not validated.

    Raises:
        UserError: if the file cannot be read, is not YAML, gives a key twice, goes beyond the limits or holds nothing.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES // 1024} KiB, as no configuration is; is it the wrong file?")
    try:
        loader = _Loader(content.decode("utf-8-sig"), path)
        values = loader.get_single_data()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8; if it is text, save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {_problem(error)}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no settings")
    return values


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        said = " ".join(part for part in (error.context, error.problem) if part)
        return f"{said}, at line {error.problem_mark.line + 1}"
    return " ".join(str(error).split()).replace('in "<unicode string>", ', "at ")
