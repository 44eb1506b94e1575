"""A training as TensorBoard or Weights & Biases shows it, by accelerate's trackers.

What is shown is the history, so a training that goes on shows each step once: TensorBoard's files are written anew from
it, and Weights & Biases, which takes no step twice, goes on with the same run.
"""

import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from PIL import Image

from ihdm.config.experiments import Experiment
from ihdm.config.settings import RunSettings
from ihdm.errors import UserError
from ihdm.models.trainer import learning_rate

TRACKING_NAME = "tracking"
"""Folder of what a tracker writes, in that of the state."""
RUN_NAME = "run.txt"
"""File in it with the name that Weights & Biases knows the run by."""
PACKAGES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}
PROJECT = "ihdm"
NUM_LEVELS = 5
"""Levels whose held-out losses are shown, beside the mean of all."""


def require_tracker(run: RunSettings) -> None:
    """Check that the tracker of a run is installed.

    Raises:
        UserError: if it is not.
    """
    if run.tracker == "none":
        return
    try:
        import_module(PACKAGES[run.tracker])
    except ImportError:
        extra = "'ihdm[trackers]'" if run.tracker == "tensorboard" else "wandb"
        raise UserError(
            f"run.tracker {run.tracker}: the package is not installed; pip install {extra}, or set it to none"
        ) from None


class Tracking:
    """Shows a training as it goes. Only the main process has one.

    Args:
        experiment: what is trained.
        run: which tracker; ``none`` shows nothing.
        state: folder of the training's state, whose name is that of the run.
        history: entries of the training so far, which are shown first.
        previews: folder of sheets of samples, ``stepN.png``.
        begun_at: steps taken so far; None if the training begins anew.
    """

    def __init__(
        self,
        experiment: Experiment,
        run: RunSettings,
        state: Path,
        history: Iterable[Mapping[str, Any]],
        previews: Path | None,
        begun_at: int | None,
    ) -> None:
        self.experiment = experiment
        self.previews = previews
        self.tracker: Any = None
        folder = state / TRACKING_NAME
        if begun_at is None or run.tracker == "tensorboard":
            shutil.rmtree(folder, ignore_errors=True)
        if run.tracker == "none":
            return
        folder.mkdir(parents=True, exist_ok=True)
        is_known = (folder / RUN_NAME).exists()
        self.tracker = _started(run.tracker, folder, state.name)
        if not is_known:  # and else it has been shown
            rows = defaultdict(list)
            for row in history:
                rows[row["step"]].append(row)
            looks = range(run.validate_every, begun_at or 0, run.validate_every)
            # Losses and sheets in one order of steps: Weights & Biases drops what is of a step before the last.
            for step in sorted({*rows, *looks}):
                self.log(rows[step])
                if step in looks:
                    self.show(step)

    def log(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Show entries of the history, all of one step."""
        rows = list(rows)
        if self.tracker is not None and rows:
            self.tracker.log(dict(_values(rows, self.experiment)), step=int(rows[0]["step"]))

    def show(self, step: int) -> None:
        """Show the sheet of samples of a step, if there is one."""
        if self.tracker is None or self.previews is None or not (sheet := self.previews / f"step{step}.png").exists():
            return
        layout = {"dataformats": "NHWC"} if self.tracker.name == "tensorboard" else {}
        with Image.open(sheet) as image:
            self.tracker.log_images({"samples": np.asarray(image.convert("RGB"))[None]}, step=step, **layout)

    def close(self) -> None:
        """Write out what is not written yet."""
        if self.tracker is not None:
            self.tracker.finish()
            self.tracker = None


def _started(kind: str, folder: Path, name: str) -> Any:  # noqa: ANN401 (a tracker of a package without types)
    if kind == "tensorboard":
        tracker = LOGGER_TYPE_TO_CLASS[kind](".", folder)
    else:
        known = folder / RUN_NAME
        if not known.exists():
            known.write_text(secrets.token_hex(8), encoding="utf-8")
        tracker = LOGGER_TYPE_TO_CLASS[kind](
            PROJECT, name=name, id=known.read_text(encoding="utf-8"), resume="allow", dir=str(folder)
        )
    tracker.start()
    return tracker


def _values(rows: Iterable[Mapping[str, Any]], experiment: Experiment) -> Iterator[tuple[str, float]]:
    """Give what is shown of the entries of a step, by name."""
    held_out = [row for row in rows if "level" in row]
    for row in rows:
        if "level" not in row:
            yield "train/loss", float(row["loss"])
            yield "train/skipped", float(row["skipped"])
            yield "train/learning_rate", learning_rate(experiment.training, row["step"] - 1)
    if held_out:
        yield "held_out/mean", float(np.mean([row["loss"] for row in held_out]))
        places = np.unique(np.linspace(0, len(held_out) - 1, NUM_LEVELS).round().astype(int))
        for row in (held_out[place] for place in places):
            yield f"held_out/level{row['level']}", float(row["loss"])
