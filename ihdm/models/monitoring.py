"""Looks at a training while it runs: held-out loss at each level, and samples."""

from pathlib import Path

import numpy as np
from diffusers import UNet2DModel

from ihdm.config.experiments import Experiment
from ihdm.config.processes import DDIM, PAPER
from ihdm.config.settings import RunSettings
from ihdm.config.stages import ErrorSettings, SamplingSettings
from ihdm.metrics.heldout import held_out_errors, level_rows
from ihdm.models.network import Deblurrer
from ihdm.samples.generation import generate
from ihdm.storage.images import StoredImages, save_grid
from ihdm.storage.tensors import to_uint8

PREVIEW_DELTA_RATIO = 1.25
"""δ/σ of the samples shown, the paper's."""
MAX_EVALUATIONS = 50
"""Levels that are looked at, and evaluations of a sample shown, of processes with a thousand levels."""


def held_out_rows(
    unet: UNet2DModel, test: StoredImages, experiment: Experiment, run: RunSettings
) -> list[dict[str, object]]:
    """Return one row for each level: loss on the first held-out images, that of f = 0, and standard errors."""
    images = test[: run.num_held_out]
    settings = ErrorSettings(
        process=experiment.process,
        seed=experiment.seed,
        num_images=len(images),
        micro_batch=run.micro_batch or len(images),
        max_levels=None if experiment.process.has_delta else MAX_EVALUATIONS,
    )
    return level_rows(held_out_errors(Deblurrer(unet), images, settings, device=unet.device), experiment.process)


def save_preview(unet: UNet2DModel, train: StoredImages, experiment: Experiment, run: RunSettings, path: Path) -> None:
    """Write a sheet of samples; the same starts and noises every time, so that sheets can be compared."""
    settings = SamplingSettings(
        process=experiment.process,
        seed=experiment.seed,
        sampler=PAPER if experiment.process.has_delta else DDIM.model_copy(update={"evaluations": MAX_EVALUATIONS}),
        delta_ratio=PREVIEW_DELTA_RATIO,
        prior_noise="delta",
        micro_batch=run.micro_batch or run.num_previews,
    )
    numbers = range(run.num_previews)
    batches = generate(Deblurrer(unet), train, settings, starts=numbers, noises=numbers, device=unet.device)
    save_grid(np.concatenate([to_uint8(batch.images) for batch in batches]), path)
