"""Validation during training: held-out loss at each level, and samples."""

from operator import itemgetter
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from accelerate.utils import gather_object

from ihdm.config.experiments import Experiment
from ihdm.config.processes import DDIM, PAPER, SamplerSettings
from ihdm.config.settings import RunSettings
from ihdm.config.stages import ErrorSettings, SamplingSettings
from ihdm.metrics.heldout import dequantize, held_out_errors, level_rows
from ihdm.models.batches import even_slices
from ihdm.models.network import Deblurrer
from ihdm.samples.generation import generate
from ihdm.storage.images import StoredImages, save_grid
from ihdm.storage.tensors import to_uint8

PREVIEW_DELTA_RATIO = 1.25
"""δ/σ of previews, as in the paper."""
MAX_EVALUATIONS = 50
"""Most levels of held-out losses, and NFE of previews, for processes with a thousand levels."""


def held_out_rows(
    network: Deblurrer, test: StoredImages, experiment: Experiment, run: RunSettings, accelerator: Accelerator
) -> list[dict[str, object]]:
    """Return one row per level: loss on held-out images, loss of f = 0, and standard errors.

    Each process evaluates some of the levels, and returns all rows.
    """
    images = test[: run.num_validation_images]
    settings = ErrorSettings(
        process=experiment.process,
        prediction=experiment.prediction,
        seed=experiment.seed,
        num_images=len(images),
        micro_batch=run.micro_batch or len(images),
        max_levels=None if experiment.predicted.estimates_next_level else MAX_EVALUATIONS,
    )
    own = settings.observed[accelerator.process_index :: accelerator.num_processes]
    rows = []
    if own:
        clean = dequantize(images).to(accelerator.device)
        errors = held_out_errors(network, clean, settings, levels=own)
        rows = level_rows(errors, experiment.process)
    return sorted(gather_object(rows), key=itemgetter("level"))


def preview_sampler(experiment: Experiment) -> SamplerSettings:
    """Return the sampler of previews, which needs no calibration."""
    clean = DDIM.model_copy(update={"evaluations": MAX_EVALUATIONS})
    return PAPER if experiment.predicted.estimates_next_level else clean


def save_preview(
    network: Deblurrer,
    train: StoredImages,
    experiment: Experiment,
    run: RunSettings,
    accelerator: Accelerator,
    path: Path,
) -> None:
    """Write a sheet of samples, with the same starts and noises at every step.

    Each process draws some of the samples; the main one writes the file.
    """
    settings = SamplingSettings(
        process=experiment.process,
        prediction=experiment.prediction,
        seed=experiment.seed,
        sampler=preview_sampler(experiment),
        delta_ratio=PREVIEW_DELTA_RATIO,
        prior_noise="delta",
        micro_batch=run.micro_batch or run.num_previews,
    )
    numbers = range(run.num_previews)[
        even_slices(run.num_previews, accelerator.num_processes)[accelerator.process_index]
    ]
    batches = generate(network, train, settings, starts=numbers, noises=numbers, device=accelerator.device)
    images = gather_object([to_uint8(batch.images) for batch in batches])
    if accelerator.is_main_process:
        save_grid(np.concatenate(images), path)
