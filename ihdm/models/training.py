"""Resumable training.

A step is a function of (seed, step), so that an interrupted or extended training ends with the same bits on one CPU as
an uninterrupted one.
"""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from ihdm.config.experiments import Experiment
from ihdm.config.processes import DDIM, PAPER, SamplerSettings
from ihdm.config.settings import RunSettings
from ihdm.config.stages import ErrorSettings, SamplingSettings
from ihdm.errors import InterruptedTrainingError
from ihdm.metrics.heldout import dequantize, held_out_errors, level_rows
from ihdm.models.batches import even_slices
from ihdm.models.network import Deblurrer, save_network
from ihdm.models.state import HISTORY_NAME, History, Row, StateWriter, begin, resume
from ihdm.models.tracking import Tracking, require_tracker
from ihdm.models.trainer import Trainer, make_accelerator
from ihdm.models.unet import UNet
from ihdm.samples.generation import generate
from ihdm.storage.images import StoredImages, save_grid
from ihdm.storage.tensors import to_uint8

LOG_EVERY = 50
"""Steps over which a logged loss is averaged."""
PREVIEW_DELTA_RATIO = 1.25
"""δ/σ of previews, as in the paper."""
MAX_EVALUATIONS = 50
"""Most levels of held-out losses, and NFE of previews, for processes with a thousand levels."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Catch SIGINT, SIGTERM, SIGHUP and SIGUSR1; yield a function that returns whether one was received."""
    received: list[int] = []
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
        signals.append(signal.SIGHUP)
    previous = {number: signal.signal(number, lambda found, _: received.append(found)) for number in signals}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Return whether the flag is set in any process, as all have to stop after the same step."""
    if accelerator.num_processes == 1:
        return flag
    raised = accelerator.reduce(torch.tensor(float(flag), device=accelerator.device), "sum")
    return bool(raised.item() > 0)


def train(
    experiment: Experiment,
    images: StoredImages,
    state: Path,
    *,
    run: RunSettings | None = None,
    test: StoredImages | None = None,
    previews: Path | None = None,
    milestones: Path | None = None,
    initial_weights: Path | None = None,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> tuple[UNet, list[Row]]:
    """Train, resuming from ``state`` if it exists; return the averaged network and the history.

    All processes of a distributed training call this. They share validation; only the main one saves and reports.

    Args:
        experiment: the experiment.
        images: the training images.
        state: folder of the training state and the history. Call :func:`~ihdm.models.state.finish` on it once the
            network is written.
        run: settings that do not change the result, such as how often to save and to validate.
        test: held-out images for held-out losses.
        previews: folder for sheets of samples, ``stepN.png``.
        milestones: folder for snapshots every ``run.snapshot_every`` steps, each in ``stepN``. A new training deletes
            those of an earlier one.
        initial_weights: folder of a trained network of the same preset to start from; random weights by default.
        report: called after every step with the number of steps and the loss.

    Raises:
        InterruptedTrainingError: if a signal requested to stop; the state is saved.
        UserError: if the state cannot be used, images or initial weights do not fit, the loss is repeatedly not
            finite, or the tracker is not installed.
    """
    run = run or RunSettings()
    require_tracker(run)
    accelerator = make_accelerator(experiment.training.mixed_precision)
    trainer = Trainer(experiment, images, accelerator, run, initial_weights)
    start = resume(trainer, state)
    accelerator.wait_for_everyone()  # no process writes before all have read
    history, tracking, writer = None, None, StateWriter(state)
    if accelerator.is_main_process:
        begin(state, start)
        if start is None and milestones:
            shutil.rmtree(milestones, ignore_errors=True)
        history = History(state / HISTORY_NAME, trainer.step)
        tracking = Tracking(experiment, run, state, history.rows, previews, trainer.step if start else None)
    last_saved = time.monotonic()
    with stop_requests() as stop_requested, closing(tracking) if tracking else nullcontext():
        while True:
            # First in the loop, so that an interrupted validation is repeated after resuming.
            if _is_validation_due(trainer.step, experiment, run):
                rows = validate(trainer, run, test, previews)
                if history:
                    history.append(*rows)
                if tracking:
                    tracking.log(rows)
                    tracking.show(trainer.step)
            if history and milestones and _is_snapshot_due(trainer.step, run):
                folder = milestones / f"step{trainer.step}"
                save_network(trainer.averaged_network(), folder, experiment.process, trainer.predictor)
            if trainer.step == experiment.training.steps:
                break
            loss = trainer.train_step()
            if history:
                rows = _log(trainer, history)
                if tracking:
                    tracking.log(rows)
                report(trainer.step, loss)
            stopping = _any_process(accelerator, stop_requested())
            if history:
                late = time.monotonic() - last_saved > run.save_minutes * 60
                due = _is_validation_due(trainer.step, experiment, run) or _is_snapshot_due(trainer.step, run)
                if stopping or late or due:
                    writer.save(trainer)
                    last_saved = time.monotonic()
            if stopping:
                writer.wait()
                accelerator.wait_for_everyone()  # or the launcher would terminate the process that writes
                raise InterruptedTrainingError(f"stopped at step {trainer.step}; run the same command again to resume")
        writer.wait()
    accelerator.end_training()
    return trainer.averaged_network(), [*history.rows, *_loss_rows(trainer)] if history else []


def _is_validation_due(step: int, experiment: Experiment, run: RunSettings) -> bool:
    return step == experiment.training.steps or (step > 0 and step % run.validate_every == 0)


def _is_snapshot_due(step: int, run: RunSettings) -> bool:
    return run.snapshot_every is not None and step > 0 and step % run.snapshot_every == 0


def validate(trainer: Trainer, run: RunSettings, test: StoredImages | None, previews: Path | None) -> list[Row]:
    """Save a preview of the averaged network, and return its held-out losses as entries of the history.

    All processes share the work, and all return all entries.

    Args:
        trainer: the training.
        run: numbers of images.
        test: held-out images; None for no held-out losses.
        previews: folder of previews; None for none.
    """
    precision = trainer.experiment.training.mixed_precision
    network = Deblurrer(trainer.averaged_network(), precision, trainer.predictor)
    if previews:
        _save_preview(network, trainer, run, previews / f"step{trainer.step}.png")
    rows = [] if test is None else _held_out_rows(network, trainer, run, test[: run.num_validation_images])
    return [{"step": trainer.step, **row} for row in rows]


def _held_out_rows(network: Deblurrer, trainer: Trainer, run: RunSettings, images: StoredImages) -> list[Row]:
    """Return one row per level: loss on held-out images, loss of f = 0, and standard errors."""
    experiment, accelerator = trainer.experiment, trainer.accelerator
    settings = ErrorSettings(
        process=experiment.process,
        prediction=experiment.prediction,
        seed=experiment.seed,
        num_images=len(images),
        micro_batch=run.micro_batch or len(images),
        max_levels=None if experiment.predicted.estimates_next_level else MAX_EVALUATIONS,
    )
    rows: list[Row] = []
    if own := settings.observed[accelerator.process_index :: accelerator.num_processes]:
        clean = dequantize(images).to(accelerator.device)
        errors = held_out_errors(network, clean, settings, levels=own)
        rows = level_rows(errors, experiment.process)
    return sorted(gather_object(rows), key=itemgetter("level"))


def preview_sampler(experiment: Experiment) -> SamplerSettings:
    """Return the sampler of previews, which needs no calibration."""
    clean = DDIM.model_copy(update={"evaluations": MAX_EVALUATIONS})
    return PAPER if experiment.predicted.estimates_next_level else clean


def _save_preview(network: Deblurrer, trainer: Trainer, run: RunSettings, path: Path) -> None:
    """Write a sheet of samples, with the same starts and noises at every step; the main process writes the file."""
    experiment, accelerator = trainer.experiment, trainer.accelerator
    settings = SamplingSettings(
        process=experiment.process,
        prediction=experiment.prediction,
        seed=experiment.seed,
        sampler=preview_sampler(experiment),
        delta_ratio=PREVIEW_DELTA_RATIO,
        prior_noise="delta",
        micro_batch=run.micro_batch or run.num_previews,
    )
    share = even_slices(run.num_previews, accelerator.num_processes)[accelerator.process_index]
    numbers = range(run.num_previews)[share]
    batches = generate(network, trainer.images, settings, starts=numbers, noises=numbers, device=accelerator.device)
    images = gather_object([to_uint8(batch.images) for batch in batches])
    if accelerator.is_main_process:
        save_grid(np.concatenate(images), path)


def _log(trainer: Trainer, history: History) -> list[Row]:
    """Add an entry to the history if one is due, and return it."""
    if trainer.step % LOG_EVERY != 0:
        return []
    rows = _loss_rows(trainer)
    history.append(*rows)
    trainer.unlogged_losses.clear()
    return rows


def _loss_rows(trainer: Trainer) -> list[Row]:
    """Return an entry with the mean loss since the last one, summed over each image as held-out losses are, or none.

    The remainder at the end is not stored, as an extended training averages it with later losses.
    """
    losses = trainer.unlogged_losses
    if not losses:
        return []
    values = 1 if trainer.prediction.is_loss_summed else trainer.images[0].size
    return [{"step": trainer.step, "loss": sum(losses) / len(losses) * values, "skipped": trainer.skipped}]
