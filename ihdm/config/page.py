"""All settings on one page, as their models describe them: what each may be, its default and its meaning."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from ihdm.config.scale import Config
from ihdm.config.settings import NAME_PATTERN

Schema = dict[str, Any]

HEADING = """\
# Settings

What a configuration file may hold, block by block. NAME stands for names of your own: lower-case letters, digits and
underscores, at most 64. `python -m ihdm config check FILE` tells what is wrong with a file,
`python -m ihdm config new FILE` writes one to start from.

<!-- python -m ihdm config page > docs/settings.md -->
"""


def settings_page() -> str:
    """Return the page, as Markdown."""
    whole = Config.model_json_schema()
    return HEADING + "".join(f"\n{section}" for section in _sections(whole, "", whole))


def _sections(block: Schema, path: str, whole: Schema) -> Iterator[str]:
    """Yield the section of a block and of all blocks within it; ``path`` is where it stands in a file."""
    needed, within = block.get("required", []), list[tuple[str, str]]()
    table = ["| setting | default | what it may be | meaning |", "|---|---|---|---|"]
    for key, value in block["properties"].items():
        place = f"{path}.{key}".removeprefix(".")
        cells = (
            f"`{key}`",
            _default(value, is_needed=key in needed),
            allowed(value, place),
            value.get("description", ""),
        )
        table.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        within += _blocks_within(value, place)
    yield "\n".join([f"## {path or 'The file'}", "", " ".join(block["description"].split()), "", *table, ""])
    for place, model in within:
        yield from _sections(whole["$defs"][model], place, whole)


def _blocks_within(value: Schema, place: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the model of each block that a setting may be, or may hold by name."""
    if "$ref" in value:
        yield place, value["$ref"].rpartition("/")[2]
    for kind, reference in value.get("discriminator", {}).get("mapping", {}).items():
        yield f"{place} of kind {kind}", reference.rpartition("/")[2]
    for inner in value.get("patternProperties", {}).values():
        yield from _blocks_within(inner, f"{place}.NAME")
    for branch in value.get("anyOf", ()):
        yield from _blocks_within(branch, place)


def _default(value: Schema, *, is_needed: bool) -> str:
    if is_needed:
        return "needed"
    if "$ref" in value:
        return ""
    text: str = yaml.safe_dump(value.get("default", {}), default_flow_style=True)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


def allowed(value: Schema, place: str = "") -> str:
    """Return what a setting may be, from its schema; blocks are linked to if a place on the page is given."""
    if branches := value.get("anyOf"):
        return _listed([allowed(branch, place) for branch in branches])
    if branches := value.get("anyOf"):
        return _listed([allowed(branch, place) for branch in branches])
    blocks = [f"[{where}](#{_anchor(where)})" for where, _ in _blocks_within(value, place)] if place else []
    if blocks:
        return f"block: {_listed(blocks)}"
    if "$ref" in value:
        return "block"
    match value:
        case {"oneOf": branches}:
            return _listed([allowed(branch) for branch in branches])
        case {"enum": choices}:
            return _listed([f"`{choice}`" for choice in choices])
        case {"const": choice}:
            return f"`{choice}`"
        case {"type": "array", "items": items}:
            least, most = value.get("minItems", 0), value.get("maxItems")
            return f"list of {least} {f'to {most}' if most else 'or more'}, each {allowed(items)}"
        case {"type": "object", "patternProperties": named}:
            return f"for each NAME: {allowed(next(iter(named.values())))}"
        case {"type": "integer", "minimum": least}:
            most = value["maximum"] if "maximum" in value else value["exclusiveMaximum"] - 1
            return f"whole number from {_spaced(least)} to {_spaced(most)}"
        case {"type": "number"}:
            least = f"from {value['minimum']:g}" if "minimum" in value else f"above {value['exclusiveMinimum']:g}"
            most = (
                f"at most {_spaced(value['maximum'])}" if "maximum" in value else f"below {value['exclusiveMaximum']:g}"
            )
            return f"number {least}, {most}"
        case {"type": "string", "pattern": pattern}:
            return "name" if pattern == NAME_PATTERN else f"text like `{pattern}`"
        case {"type": "string"}:
            return value.get("format", "text")
        case {"type": "boolean"}:
            return "`true` or `false`"
    return "`null`"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def _listed(parts: list[str]) -> str:
    return " or ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _spaced(number: float) -> str:
    return f"{int(number):_}".replace("_", " ") if number >= 10_000 else f"{number:g}"
