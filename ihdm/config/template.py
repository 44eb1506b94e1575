"""A scale to start from: small enough for a CPU, with every setting in it and what each says of itself."""

import textwrap
from collections.abc import Iterator

import yaml

from ihdm.config.page import allowed
from ihdm.config.reading import parse_config
from ihdm.config.scale import Config
from ihdm.config.settings import DatasetSettings, EvaluationSettings, Settings

HEADING = """\
# A scale to start from: one small network on small images, in some hours on a CPU core (an estimate), sooner on a GPU.
# Check it and run it with
#
#   python -m ihdm config check THIS_FILE
#   snakemake --cores 2 --configfile THIS_FILE
#
# A line like #key: value, with no blank after the #, shows a default. To change it remove the #, and the # before the
# name of its block, if there is one. docs/settings.md lists all settings, those too that do not fit here.
"""
WIDTH = 120
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
"""A scale of one small network, without what depends on its images."""


def example_scale(results: str, dataset: DatasetSettings, num_train: int, num_test: int) -> Config:
    """Return a scale of one small network.

    Args:
        results: folder of what it makes.
        dataset: its images, of 32×32 pixels or what else can be halved twice.
        num_train: how many of them there are to train on, 18 or more.
        num_test: how many to test with, 2 or more.
    """
    values = yaml.safe_load(EXAMPLE)
    values |= {"results": results, "datasets": {"pictures": dataset.model_dump(exclude_unset=True)}}
    values["networks"]["pictures"] |= {"image_size": dataset.image_size, "image_channels": dataset.image_channels}
    values["experiments"]["pictures"]["process"]["blur_sigma_max"] = 0.75 * dataset.image_size
    values["evaluation"] = {
        # As many real images again must be left for the floor.
        "num_samples": min(500, num_train // 2),
        "micro_batch": min(50, num_train // 2),
        "num_likelihood_images": min(200, num_test),
        "extractors": {"pictures": "pca" if num_train >= 64 else "dct"},
    }
    if num_train < EvaluationSettings.model_fields["num_calibration_images"].default:
        values["evaluation"]["num_calibration_images"] = num_train
    return parse_config(values)


def scale_text(config: Config) -> str:
    """Return a scale as a commented file; what it leaves at its default stands there as a comment."""
    return HEADING + "\n".join(_lines(config, "", is_given=True)) + "\n"


def _lines(settings: Settings, indent: str, *, is_given: bool) -> Iterator[str]:
    """Yield the lines of a block; one that is not given itself has nothing but defaults."""
    plain, schemas = settings.model_dump(mode="json"), type(settings).model_json_schema()["properties"]
    for key, field in type(settings).model_fields.items():
        value, stands = getattr(settings, key), is_given and key in settings.model_fields_set
        if not indent:
            yield ""
        is_block = isinstance(value, Settings | dict) and isinstance(plain[key], dict)
        said = field.description or str(value.__doc__).partition("\n")[0]
        said += "" if is_block else f" ({allowed(schemas[key]).replace('`', '')})"
        yield from textwrap.wrap(said, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        start = f"{indent}{'' if stands else '#'}{key}:"
        if isinstance(value, Settings) and isinstance(plain[key], dict):
            yield start
            yield from _lines(value, f"{indent}  ", is_given=stands)
        elif isinstance(value, dict) and any(isinstance(part, Settings) for part in value.values()):
            yield start
            for name, part in value.items():
                yield f"{indent}  {name}:"
                yield from _lines(part, f"{indent}    ", is_given=stands)
        else:
            yield f"{start} {_flow(plain.get(key))}"


def _flow(value: object) -> str:
    """Return a value as YAML in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip()
