"""Checks that the parts of a pipeline folder are undamaged and fit together."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DModel

from ihdm.calibration import require_valid
from ihdm.errors import UserError
from ihdm.models.network import PROCESS_KEY
from ihdm.models.weights import read_weights
from ihdm.portable.prior import CoefficientPrior, MixturePrior, StoredCalibration, StoredStatistics
from ihdm.processes.process import require_process

if TYPE_CHECKING:
    from ihdm.portable.pipeline import IHDMPipeline

CLASSES = {
    kind.__name__: kind for kind in (UNet2DModel, CoefficientPrior, MixturePrior, StoredCalibration, StoredStatistics)
}
"""Classes of the parts that have weights, by name."""


def require_weights(folder: Path, index: str, given: Iterable[str]) -> None:
    """Check the weights of each part; diffusers ignores tensors that are missing or have another name.

    The file ``index`` in the folder lists the parts; those that are ``given`` are not loaded from it.

    Raises:
        UserError: see :func:`ihdm.models.weights.read_weights`.
    """
    parts = _read_mapping(folder / index)
    for name in ("unet", "prior", "calibration", "statistics"):
        library_and_class = parts.get(name)
        kind = library_and_class[-1] if isinstance(library_and_class, list) and library_and_class else None
        if kind not in CLASSES or name in given:
            continue
        config = _read_mapping(folder / name / "config.json")
        with torch.device("meta"):
            part = CLASSES[kind].from_config(config)
        files = sorted((folder / name).glob("*.safetensors")) or [folder / name / "*.safetensors"]
        read_weights(files, part.state_dict())


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
        reason = "it holds no JSON object"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise UserError(f"{path}: cannot be read ({reason}); download or export the pipeline again")


def require_agreement(pipeline: "IHDMPipeline", name: str) -> None:
    """Check that all parts of a pipeline, with its name in errors, are made for images of one size and one process.

    Raises:
        UserError: if they are not.
    """
    config, scheduler = pipeline.unet.config, pipeline.scheduler
    size, channels = config.sample_size, config.out_channels
    # A network can see the noisy image in further channels.
    fits = config.in_channels in (channels, 2 * channels)
    if not isinstance(size, int) or size < 1 or channels not in (1, 3) or not fits:
        raise UserError(
            f"{name}: unet/config.json describes no network for square images of 1 or 3 channels: sample_size {size}, "
            f"in_channels {config.in_channels}, out_channels {channels}; download or export the pipeline again"
        )
    sizes = {
        "prior": {"channels": channels, "height": size, "width": size},
        "calibration": {"height": size, "width": size},
        "statistics": {"channels": channels, "height": size, "width": size},
    }
    for part, expected in sizes.items():
        found = getattr(pipeline, part)
        for key, value in expected.items() if found is not None else ():
            if found.config[key] != value:
                raise UserError(
                    f"{name}: {part}/config.json has {key} {found.config[key]}, but the network is for images of "
                    f"{size}×{size}×{channels}; use the parts of one pipeline, or export it again"
                )
    if scheduler.predictor.settings.kind == "whitened" and pipeline.statistics is None:
        raise UserError(
            f"{name}: the prediction 'whitened' needs the statistics of the training images, which are missing; "
            "download or export the pipeline again"
        )
    if isinstance(pipeline.prior, MixturePrior):
        weights = pipeline.prior.weights
        if float(weights.min()) < 0 or float(weights.sum()) <= 0:
            raise UserError(
                f"{name}: prior: its weights are negative or all zero; download or export the pipeline again"
            )
    if trained_for := config.get(PROCESS_KEY):
        require_process(f"{name}: unet", json.dumps(trained_for), scheduler.process_settings)
    if pipeline.calibration is not None:
        table = pipeline.calibration.table()
        require_valid(f"{name}: calibration", asdict(table), len(scheduler))
        table.at(len(scheduler))
