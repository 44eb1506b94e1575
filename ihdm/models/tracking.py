"""Logging to TensorBoard or Weights & Biases with accelerate's trackers.

A resumed training logs each step once: TensorBoard files are rewritten from the history, and Weights & Biases, which
rejects repeated steps, resumes the same run.
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
"""Folder of the tracker inside the state folder."""
RUN_NAME = "run.txt"
"""File with the run id of Weights & Biases."""
PACKAGES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}
PROJECT = "ihdm"
NUM_LEVELS = 5
"""Number of levels whose held-out losses are logged, in addition to the mean."""


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
    """Logs a training, in the main process only.

    Args:
        experiment: the experiment.
        run: selects the tracker; ``none`` logs nothing.
        state: state folder of the training; its name is the name of the run.
        history: entries of the training so far, which are logged first.
        previews: folder of previews, ``stepN.png``.
        begun_at: number of steps so far; None for a new training.
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
        known, is_logged = folder / RUN_NAME, (folder / RUN_NAME).exists()
        if run.tracker == "tensorboard":
            self.tracker = LOGGER_TYPE_TO_CLASS[run.tracker](".", folder)
        else:
            if not is_logged:
                known.write_text(secrets.token_hex(8), encoding="utf-8")
            settings = {"id": known.read_text(encoding="utf-8"), "resume": "allow", "dir": str(folder)}
            self.tracker = LOGGER_TYPE_TO_CLASS[run.tracker](PROJECT, name=state.name, **settings)
        self.tracker.start()
        if not is_logged:
            rows = defaultdict(list)
            for row in history:
                rows[row["step"]].append(row)
            validated = range(run.validate_every, begun_at or 0, run.validate_every)
            # In order of steps, as Weights & Biases drops entries of earlier steps.
            for step in sorted({*rows, *validated}):
                self.log(rows[step])
                if step in validated:
                    self.show(step)

    def log(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Log entries of the history, all of one step."""
        rows = list(rows)
        if self.tracker is not None and rows:
            self.tracker.log(dict(_values(rows, self.experiment)), step=int(rows[0]["step"]))

    def show(self, step: int) -> None:
        """Log the preview of a step, if there is one."""
        if self.tracker is None or self.previews is None or not (sheet := self.previews / f"step{step}.png").exists():
            return
        layout = {"dataformats": "NHWC"} if self.tracker.name == "tensorboard" else {}
        with Image.open(sheet) as image:
            self.tracker.log_images({"samples": np.asarray(image.convert("RGB"))[None]}, step=step, **layout)

    def close(self) -> None:
        """Flush and close the tracker."""
        if self.tracker is not None:
            self.tracker.finish()
            self.tracker = None


def _values(rows: Iterable[Mapping[str, Any]], experiment: Experiment) -> Iterator[tuple[str, float]]:
    """Yield the logged values of a step by name."""
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
