"""Training of a deblurring network from its first step to its last, however often it is interrupted.

What a step does derives from (seed, step), so a training that was stopped, or killed, or finished and then asked for
more steps, ends with the same bits on one CPU as one that went straight to its end.
"""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator

from ihdm.config.experiments import Experiment
from ihdm.config.settings import RunSettings
from ihdm.errors import InterruptedTrainingError
from ihdm.models.monitoring import held_out_rows, save_preview
from ihdm.models.network import Deblurrer, save_network
from ihdm.models.state import HISTORY_NAME, History, Row, StateWriter, begin, resume
from ihdm.models.tracking import Tracking, require_tracker
from ihdm.models.trainer import Trainer, make_accelerator
from ihdm.models.unet import UNet
from ihdm.storage.images import StoredImages

LOG_EVERY = 50
"""Steps over which a logged loss is averaged."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Within the block, SIGINT, SIGTERM, SIGHUP and SIGUSR1 are only remembered; gives the question to ask."""
    received: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        received.append(number)

    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
        signals.append(signal.SIGHUP)
    previous = {number: signal.signal(number, remember) for number in signals}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Tell whether the flag is up in any process: they must stop after the same step."""
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
    """Train to the end, going on from ``state`` if it exists; return the averaged network and the history.

    Every process of a distributed training calls this; they share the looks, and only the main one saves and reports.

    Args:
        experiment: everything the result depends on.
        images: the training images.
        state: folder that holds the training state and the history. :func:`~ihdm.models.state.finish` is to be called
            on it once the network has been written; without that, the same training goes on from there, and ends.
        run: how to compute, how often to save and to look at held-out losses and samples; the defaults unless given.
        test: held-out images; without them there are no held-out losses.
        milestones: folder for the averaged networks of every ``run.snapshot_every`` steps, each in ``stepN``; without
            it none are kept. A training that begins anew removes those of another.
        previews: folder for sheets of samples, ``stepN.png``; without it there are none. A longer training leaves the
            sheet of an earlier end where it is.
        initial_weights: folder of a trained network of the same preset to start from; random weights, unless given.
        report: called after every step with the number of steps done and the step's loss.

    Raises:
        InterruptedTrainingError: if a signal asked to stop; the state is saved.
        UserError: if the state cannot be used, images or initial weights do not fit, or the loss stays not finite,
            or the tracker of the run is not installed.
    """
    run = run or RunSettings()
    require_tracker(run)
    accelerator = make_accelerator(experiment.training.mixed_precision)
    trainer = Trainer(experiment, images, accelerator, run, initial_weights)
    start = resume(trainer, state)
    accelerator.wait_for_everyone()  # nobody writes before all have read
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
            # First in the loop: one that was interrupted while it looked looks again.
            if _is_look_due(trainer.step, experiment, run):
                rows = _look(trainer, run, test, previews)
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
                due = _is_look_due(trainer.step, experiment, run) or _is_snapshot_due(trainer.step, run)
                if stopping or late or due:
                    writer.save(trainer)
                    last_saved = time.monotonic()
            if stopping:
                writer.wait()
                accelerator.wait_for_everyone()  # or the launcher would end the one that writes with the others
                raise InterruptedTrainingError(f"stopped at step {trainer.step}; the same command goes on from there")
        writer.wait()
    accelerator.end_training()
    return trainer.averaged_network(), [*history.rows, *_loss_rows(trainer)] if history else []


def _is_look_due(step: int, experiment: Experiment, run: RunSettings) -> bool:
    return step == experiment.training.steps or (step > 0 and step % run.validate_every == 0)


def _is_snapshot_due(step: int, run: RunSettings) -> bool:
    return run.snapshot_every is not None and step > 0 and step % run.snapshot_every == 0


def _look(trainer: Trainer, run: RunSettings, test: StoredImages | None, previews: Path | None) -> list[Row]:
    """Look at held-out losses, which are returned as entries of the history, and at samples; all processes share it."""
    precision = trainer.experiment.training.mixed_precision
    network = Deblurrer(trainer.averaged_network(), precision, trainer.predictor)
    if previews:
        path = previews / f"step{trainer.step}.png"
        save_preview(network, trainer.images, trainer.experiment, run, trainer.accelerator, path)
    if test is None:
        return []
    rows = held_out_rows(network, test, trainer.experiment, run, trainer.accelerator)
    return [{"step": trainer.step, **row} for row in rows]


def _log(trainer: Trainer, history: History) -> list[Row]:
    """Add an entry to the history if one is due, and return it."""
    if trainer.step % LOG_EVERY != 0:
        return []
    rows = _loss_rows(trainer)
    history.append(*rows)
    trainer.unlogged_losses.clear()
    return rows


def _loss_rows(trainer: Trainer) -> list[Row]:
    """Return an entry of the losses since the last one, summed over each image as held-out ones are, or none.

    What remains at the end is none of the stored history: a training that goes on from there averages it with more.
    """
    losses = trainer.unlogged_losses
    if not losses:
        return []
    values = 1 if trainer.prediction.is_loss_summed else trainer.images[0].size
    return [{"step": trainer.step, "loss": sum(losses) / len(losses) * values, "skipped": trainer.skipped}]
