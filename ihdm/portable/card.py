"""The model card of an exported pipeline: training data, privacy, evaluation, usage."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import CoefficientPrior, MixturePrior

EVALUATION_HEADING = "## Evaluation"
NOT_EVALUATED = "Not evaluated. `ihdm evaluate` compares samples with your images."


def model_card(
    name: str,
    pipeline: IHDMPipeline,
    description: Mapping[str, Any],
    training: Mapping[str, Any],
    revealed: float | None,
    measures: Iterable[str] = (),
    *,
    has_sheet: bool = False,
) -> str:
    """Return the card as Markdown with the header that model hubs read.

    Args:
        name: of the model.
        pipeline: the exported pipeline.
        description: of the training images: ``source``, ``license``, ``shape``.
        training: settings of the training, and the ``command`` that ran it; empty if they are not known.
        revealed: share of the training images' variance that a prior of coefficients reveals.
        measures: lines of its evaluation.
        has_sheet: whether samples.png is next to the card.
    """
    channels, height, width = pipeline.image_shape
    scheduler, config = pipeline.scheduler, pipeline.scheduler.process_settings
    parameters = sum(part.numel() for part in pipeline.unet.parameters())
    data_license = str(description.get("licence", "unknown"))
    lines = [
        "---",
        "library_name: diffusers",
        "pipeline_tag: unconditional-image-generation",
        "license: other",
        "license_name: terms-of-the-training-images",
        "tags: [ihdm, inverse-heat-dissipation, unconditional-image-generation]",
        "---",
        "",
        f"# {name}",
        "",
        f"Generates {'gray' if channels == 1 else 'color'} images of {height}×{width} pixels. "
        f"{parameters / 1e6:.3g} million parameters, process `{config.kind}`, K = {config.num_levels}.",
        "",
        *(["![Samples](samples.png)", ""] if has_sheet else []),
        "## Usage",
        "",
        "```python",
        "from ihdm import IHDMPipeline",
        "",
        'pipe = IHDMPipeline.from_pretrained("this folder")',
        "images = pipe(batch_size=16).images",
        "```",
        "",
        "The package `ihdm` must be installed; data and configuration are not needed. Weights are safetensors; "
        "nothing is unpickled.",
        "",
        "## Training images",
        "",
        f"- Source: {description.get('source', 'unknown')}",
        f"- License: {data_license}. Check that it allows sharing before you share this model.",
        f"- Number: {training.get('num_train') or (description.get('shape') or ['unknown'])[0]}",
        *([f"- Trained by: `{training['command']}`"] if training.get("command") else []),
        "",
        "## Information about the training images",
        "",
        *_kept(pipeline, revealed),
        "",
        EVALUATION_HEADING,
        "",
        *(list(measures) or [NOT_EVALUATED]),
        "",
        "## Configuration",
        "",
        *_block("Process", config.model_dump(mode="json")),
        *_block("Sampler", {**scheduler.sampler.model_dump(), "delta_ratio": scheduler.delta_ratio}),
        *(_block("Training", dict(training["training"])) if "training" in training else []),
        "## Limits",
        "",
        "- It generates images of this size only, similar to its training images.",
        *_limits(pipeline),
        "- It may reproduce training images, especially from small training sets. Compare samples with the nearest "
        "training images before you share them.",
    ]
    return "\n".join(lines) + "\n"


def _kept(pipeline: IHDMPipeline, revealed: float | None) -> list[str]:
    prior = pipeline.prior
    if prior is None:
        return ["Starts are pure noise; only the network depends on the training images."]
    size = sum(part.numel() * part.element_size() for part in prior.state_dict().values())
    layout = f"{prior.config.channels}×{prior.config.rows}×{prior.config.columns}"
    if isinstance(prior, CoefficientPrior):
        share = "" if revealed is None else f" They determine {revealed:.0%} of the variance of the images' pixels."
        return [
            f"`prior/` holds {layout} cosine coefficients of each of {prior.config.num_images} training images, those "
            f"that remain after the blur of level K ({size / 1e3:.3g} kB).{share} They reveal a thumbnail of that many "
            "pixels of each training image, and whether a given image is among them. `--prior mixture` exports a "
            "Gaussian mixture instead.",
        ]
    assert isinstance(prior, MixturePrior)  # noqa: S101 (there are two kinds)
    return [
        f"`prior/` holds a Gaussian mixture of {prior.config.num_components} components over {layout} cosine "
        f"coefficients of the blurred training images ({size / 1e3:.3g} kB): averages of many images. It does not "
        "guarantee privacy, as a component of few images may reveal them.",
    ]


def _limits(pipeline: IHDMPipeline) -> list[str]:
    scheduler = pipeline.scheduler
    if not scheduler.predictor.settings.estimates_next_level:
        return []
    if pipeline.calibration is None:
        return [f"- The network is not calibrated, so sampling must evaluate all {len(scheduler)} levels."]
    levels = pipeline.calibration.levels.numel()
    return [f"- It is calibrated at {levels} of {len(scheduler)} levels; sampling with fewer NFE must use these."]


def _block(title: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{title}:", "", "```json", json.dumps(values, indent=2, ensure_ascii=False), "```", ""]


def with_evaluation(card: str, lines: Iterable[str]) -> str:
    """Return a card with another evaluation in its place."""
    before, _, after = card.partition(EVALUATION_HEADING)
    _, heading, rest = after.partition("\n## ")
    return before + EVALUATION_HEADING + "\n\n" + "\n".join(lines) + "\n" + heading + rest
