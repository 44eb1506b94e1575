"""Documents that the settings models generate: the page of all settings, and a commented configuration file."""

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from ihdm.config.processes import EVALUATIONS_PATTERN
from ihdm.config.reading import parse_config
from ihdm.config.scale import Config
from ihdm.config.settings import NAME_PATTERN, DatasetSettings, EvaluationSettings, Settings

Schema = dict[str, Any]

PAGE_HEADING = """\
# Settings

This page lists all settings of a configuration file, block by block. NAME is a name that you choose: lower-case
letters, digits and underscores, at most 64. `python -m ihdm config check FILE` reports mistakes in a file,
`python -m ihdm config new FILE` writes a commented file to start from.

<!-- python -m ihdm config page > docs/settings.md -->
"""
FILE_HEADING = """\
# An example scale: one small network on small images. Training takes some hours on a CPU core (an estimate), and less
# on a GPU.
#
# Check it and run it:
#
#   python -m ihdm config check THIS_FILE
#   snakemake --cores 2 --configfile THIS_FILE
#
# Lines such as #key: value, without a space after the #, show defaults. To change one, remove the #, and the # before
# the name of its block if there is one. docs/settings.md lists all settings, including those that do not apply here.
"""
WIDTH = 120
PATTERNS = {NAME_PATTERN: "name", EVALUATIONS_PATTERN: "`all` or `K/n`"}
"""Allowed values of settings with a pattern, in words."""
EXAMPLE = """
gpus: optional
networks:
  pictures: {base_channels: 32, channel_multipliers: [1, 2, 2], blocks_per_stage: 1, attention_stages: [2],
    dropout: 0.1, norm_groups: 8}
experiments:
  pictures:
    dataset: pictures
    network: pictures
    process: {kind: heat, sigma: 0.01, num_levels: 50}
    training: {steps: 5000, batch_size: 64, learning_rate: 0.0005, warmup_steps: 500, ema_decay: 0.999}
    run: {validate_every: 1000}
sweeps: {delta_ratio: {pictures: [0, 1, 1.25, 1.5, 2]}}
figures:
  {data: [pictures], teaser: [pictures], delta_samples: [pictures], delta_curve: [pictures], psd: [pictures],
    disentanglement: [pictures], training: [pictures]}
"""
"""The example scale, without settings that depend on the images."""


def settings_page() -> str:
    """Return the page of all settings, as Markdown."""
    whole = Config.model_json_schema()
    return PAGE_HEADING + "".join(f"\n{section}" for section in _sections(whole, "", whole))


def _sections(block: Schema, path: str, whole: Schema) -> Iterator[str]:
    """Yield the sections of a block and of the blocks in it; ``path`` is its place in a file."""
    required, inner_blocks = block.get("required", []), list[tuple[str, str]]()
    table = ["| setting | default | allowed values | meaning |", "|---|---|---|---|"]
    for key, value in block["properties"].items():
        place = f"{path}.{key}".removeprefix(".")
        default = "" if "$ref" in value else f"`{_flow(value.get('default', {}))}`"
        cells = (
            f"`{key}`",
            "required" if key in required else default,
            _allowed(value, place),
            value.get("description", ""),
        )
        table.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        inner_blocks += _blocks_within(value, place)
    yield "\n".join([f"## {path or 'The file'}", "", " ".join(block["description"].split()), "", *table, ""])
    for place, model in inner_blocks:
        yield from _sections(whole["$defs"][model], place, whole)


def _blocks_within(value: Schema, place: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the model of each block that a setting can be, or can hold by name."""
    if "$ref" in value:
        yield place, value["$ref"].rpartition("/")[2]
    for kind, reference in value.get("discriminator", {}).get("mapping", {}).items():
        yield f"{place} of kind {kind}", reference.rpartition("/")[2]
    for inner in value.get("patternProperties", {}).values():
        yield from _blocks_within(inner, f"{place}.NAME")
    for branch in value.get("anyOf", ()):
        yield from _blocks_within(branch, place)


def _allowed(value: Schema, place: str = "") -> str:
    """Return the allowed values of a setting; given its place, with links to sections of blocks."""
    if branches := value.get("anyOf"):
        return _listed([_allowed(branch, place) for branch in branches])
    blocks = [f"[{where}](#{_anchor(where)})" for where, _ in _blocks_within(value, place)] if place else []
    if blocks:
        return f"block: {_listed(blocks)}"
    match value:
        case {"$ref": _}:
            return "block"
        case {"oneOf": branches}:
            return _listed([_allowed(branch) for branch in branches])
        case {"enum": choices}:
            return _listed([f"`{choice}`" for choice in choices])
        case {"const": choice}:
            return f"`{choice}`"
        case {"type": "array", "items": items}:
            least, most = value.get("minItems", 0), value.get("maxItems")
            return f"list of {least} {f'to {most}' if most else 'or more'}, each {_allowed(items)}"
        case {"type": "object", "patternProperties": named}:
            return f"for each NAME: {_allowed(next(iter(named.values())))}"
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
            return PATTERNS[pattern]
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


def _flow(value: object) -> str:
    """Return a value as one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()


def example_scale(results: str, dataset: DatasetSettings, num_train: int, num_test: int) -> Config:
    """Return a scale with one small network.

    Args:
        results: its output folder.
        dataset: its images, whose size must be divisible by 4.
        num_train: number of training images, 18 or more.
        num_test: number of test images, 2 or more.
    """
    values = yaml.safe_load(EXAMPLE)
    values |= {"results": results, "datasets": {"pictures": dataset.model_dump(exclude_unset=True)}}
    values["networks"]["pictures"] |= {"image_size": dataset.image_size, "image_channels": dataset.image_channels}
    values["experiments"]["pictures"]["process"]["blur_sigma_max"] = 0.75 * dataset.image_size
    values["evaluation"] = {
        # The distance between real images needs as many images again.
        "num_samples": min(500, num_train // 2),
        "micro_batch": min(50, num_train // 2),
        "num_likelihood_images": min(200, num_test),
        "extractors": {"pictures": "pca" if num_train >= 64 else "dct"},
    }
    if num_train < EvaluationSettings.model_fields["num_calibration_images"].default:
        values["evaluation"]["num_calibration_images"] = num_train
    return parse_config(values)


def scale_text(config: Config) -> str:
    """Return a scale as a commented configuration file; defaults are commented out."""
    return FILE_HEADING + "\n".join(_lines(config, "", is_given=True)) + "\n"


def _lines(settings: Settings, indent: str, *, is_given: bool) -> Iterator[str]:
    """Yield the lines of a block; a block that is not given has only defaults."""
    plain, schemas = settings.model_dump(mode="json"), type(settings).model_json_schema()["properties"]
    for key, field in type(settings).model_fields.items():
        value, stands = getattr(settings, key), is_given and key in settings.model_fields_set
        if not indent:
            yield ""
        is_block = isinstance(value, Settings | dict) and isinstance(plain[key], dict)
        meaning = field.description or str(value.__doc__).partition("\n")[0]
        meaning += "" if is_block else f" ({_allowed(schemas[key]).replace('`', '')})"
        yield from textwrap.wrap(meaning, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        start = f"{indent}{'' if stands else '#'}{key}:"
        if isinstance(value, Settings) and is_block:
            yield start
            yield from _lines(value, f"{indent}  ", is_given=stands)
        elif isinstance(value, dict) and any(isinstance(part, Settings) for part in value.values()):
            yield start
            for name, part in value.items():
                yield f"{indent}  {name}:"
                yield from _lines(part, f"{indent}    ", is_given=stands)
        else:
            yield f"{start} {_flow(plain.get(key))}"
