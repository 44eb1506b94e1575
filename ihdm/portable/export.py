"""Export a trained network with its model card, Markdown: training data, privacy, evaluation, usage."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ihdm.config.stages import NUM_SHOWN, SamplingSettings
from ihdm.devices import compute_device
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.quality import IMAGES_PER_FEATURE, NAMES, is_biased, num_features
from ihdm.portable.folder import PriorKind, assemble, require_room, save
from ihdm.portable.pictures import draw
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import CoefficientPrior, revealed_share
from ihdm.processes import build_process
from ihdm.storage.images import StoredImages

EVALUATION_HEADING = "## Evaluation"
NOT_EVALUATED = "Not evaluated. `ihdm evaluate` compares samples with your images."
MEASURES = {
    "fid": "FID",
    "kid": "KID",
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}


def export(
    network: Path,
    train: Path,
    images: StoredImages,
    sampling: SamplingSettings,
    prior: PriorKind,
    output: Path,
    *,
    name: str,
    training: Mapping[str, Any],
    measures: Iterable[str] = (),
    num_shown: int = NUM_SHOWN,
) -> list[Path]:
    """Export the network in a folder with a model card and a sheet of samples; return the paths of the files.

    ``images`` are the training images, and ``train`` their path, next to their description. The card shows ``name``,
    the settings of the ``training``, and ``measures``, the lines of the evaluation.
    """
    require_room(output)
    pipeline = assemble(network, images, sampling, prior).to(compute_device())
    pipeline.unet.register_to_config(_name_or_path=name)  # instead of a path of this machine
    process = build_process(sampling.process, images.shape[1])
    revealed = revealed_share(process, images) if sampling.process.starts_from_images else None
    sheet = draw(pipeline, num_shown, sampling.seed, batch_size=sampling.micro_batch)
    card = model_card(name, pipeline, _description_of(train), training, revealed, measures)
    return save(pipeline, output, card, sheet)


def _description_of(train: Path) -> Mapping[str, Any]:
    """Return the description of prepared images; empty if there is none, or it cannot be read."""
    try:
        found = json.loads(train.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def model_card(
    name: str,
    pipeline: IHDMPipeline,
    description: Mapping[str, Any],
    training: Mapping[str, Any],
    revealed: float | None,
    measures: Iterable[str] = (),
) -> str:
    """Return the card with the header that model hubs read.

    Args:
        name: of the model.
        pipeline: the exported pipeline.
        description: of the training images: ``source``, ``licence``, ``shape``.
        training: settings of the training, and the ``command`` that ran it; empty if they are not known.
        revealed: share of the training images' variance that a prior of coefficients reveals.
        measures: lines of its evaluation.
    """
    channels, height, width = pipeline.image_shape
    scheduler, process = pipeline.scheduler, pipeline.scheduler.process_settings
    parameters = sum(part.numel() for part in pipeline.unet.parameters())
    trained_by = f"- Trained by: `{training['command']}`\n" if training.get("command") else ""
    evaluation = "\n".join(measures) or NOT_EVALUATED
    blocks = _block("Process", process.model_dump(mode="json"))
    blocks += "\n" + _block("Sampler", {**scheduler.sampler.model_dump(), "delta_ratio": scheduler.delta_ratio})
    blocks += "\n" + _block("Training", training["training"]) if "training" in training else ""
    return f"""\
---
library_name: diffusers
pipeline_tag: unconditional-image-generation
license: other
license_name: terms-of-the-training-images
tags: [ihdm, inverse-heat-dissipation, unconditional-image-generation]
---

# {name}

Generates {"gray" if channels == 1 else "color"} images of {height}×{width} pixels. \
{parameters / 1e6:.3g} million parameters, process `{process.kind}`, K = {process.num_levels}.

![Samples](samples.png)

## Usage

```python
from ihdm import IHDMPipeline

pipe = IHDMPipeline.from_pretrained("this folder")
images = pipe(batch_size=16).images
```

The package `ihdm` must be installed; data and configuration are not needed. Weights are safetensors; \
nothing is unpickled.

## Training images

- Source: {description.get("source", "unknown")}
- License: {description.get("licence", "unknown")}. Check that it allows sharing before you share this model.
- Number: {training.get("num_train") or (description.get("shape") or ["unknown"])[0]}
{trained_by}
## Information about the training images

{_kept(pipeline, revealed)}

{EVALUATION_HEADING}

{evaluation}

## Configuration

{blocks}
## Limits

- It generates images of this size only, similar to its training images.
{_calibrated(pipeline)}- It may reproduce training images, especially from small training sets. Compare samples with \
the nearest training images before you share them.
"""


def _block(title: str, values: Mapping[str, Any]) -> str:
    return f"{title}:\n\n```json\n{json.dumps(values, indent=2, ensure_ascii=False)}\n```\n"


def _kept(pipeline: IHDMPipeline, revealed: float | None) -> str:
    """Say what the prior keeps of the training images."""
    prior = pipeline.prior
    if prior is None:
        return "Starts are pure noise; only the network depends on the training images."
    size = sum(part.numel() * part.element_size() for part in prior.state_dict().values())
    layout = f"{prior.config.channels}×{prior.config.rows}×{prior.config.columns}"
    if isinstance(prior, CoefficientPrior):
        share = "" if revealed is None else f" They determine {revealed:.0%} of the variance of the images' pixels."
        return (
            f"`prior/` holds {layout} cosine coefficients of each of {prior.config.num_images} training images, those "
            f"that remain after the blur of level K ({size / 1e3:.3g} kB).{share} They reveal a thumbnail of that many "
            "pixels of each training image, and whether a given image is among them. `--prior mixture` exports a "
            "Gaussian mixture instead."
        )
    return (
        f"`prior/` holds a Gaussian mixture of {prior.config.num_components} components over {layout} cosine "
        f"coefficients of the blurred training images ({size / 1e3:.3g} kB): averages of many images. It does not "
        "guarantee privacy, as a component of few images may reveal them."
    )


def _calibrated(pipeline: IHDMPipeline) -> str:
    """Say with how many levels the network can be sampled, if that is limited."""
    scheduler = pipeline.scheduler
    if not scheduler.predictor.settings.estimates_next_level:
        return ""
    if pipeline.calibration is None:
        return f"- The network is not calibrated, so sampling must evaluate all {len(scheduler)} levels.\n"
    levels = pipeline.calibration.levels.numel()
    return f"- It is calibrated at {levels} of {len(scheduler)} levels; sampling with fewer NFE must use these.\n"


def with_evaluation(card: str, lines: Iterable[str]) -> str:
    """Return a card with another evaluation in its place."""
    before, _, after = card.partition(EVALUATION_HEADING)
    _, heading, rest = after.partition("\n## ")
    return before + EVALUATION_HEADING + "\n\n" + "\n".join(lines) + "\n" + heading + rest


def distance_lines(table: pd.DataFrame) -> list[str]:
    """Return distances of samples as a Markdown table.

    Args:
        table: distances from ``metrics samples``; those of other sets than samples are left out.

    Returns:
        The lines; with too few images for the Fréchet distance, the last says so.
    """
    rows = table[(table["set"] == "samples") & table["metric"].isin(MEASURES)]
    lines = [
        "| measure | value | 95 % interval | features | n | against | δ/σ |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.to_dict("records"):
        ratio = row.get("delta_ratio")
        lines.append(
            f"| {MEASURES[row['metric']]} | {row['value']:.4g} | {row['low']:.4g} … {row['high']:.4g} | "
            f"{row['extractor']} | {row['n']} | {row['n_reference']} {row.get('reference', 'training')} images | "
            f"{'' if ratio is None or pd.isna(ratio) else f'{float(ratio):g}'} |"
        )
    frechet = rows[rows["metric"].isin(NAMES["frechet_distance"])]
    few = [name for name, n in zip(frechet["extractor"], frechet["n"], strict=True) if is_biased(name, n)]
    if few:
        least = IMAGES_PER_FEATURE * num_features(few[0])
        lines += [
            "",
            f"The bias of the Fréchet distance with fewer than {least} images is larger than most differences between "
            "models; compare models by the kernel distance.",
        ]
    return lines


def likelihood_lines(table: pd.DataFrame) -> list[str]:
    """Return the best bound of a table of ``metrics likelihood``, as a line."""
    best = table.assign(half=half_widths(table)).sort_values("bits_per_dim").iloc[0]
    return [
        "",
        f"Bound on test images: {best['bits_per_dim']:.3f} ± {best['half']:.3f} bits per dimension "
        f"(n = {int(best['n'])}, δ/σ = {best['delta_ratio']:g}).",
    ]
