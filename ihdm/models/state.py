"""The training state between two steps, and the history, from which an interrupted training resumes."""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ihdm.config.experiments import Experiment
from ihdm.errors import UserError
from ihdm.models.trainer import Trainer
from ihdm.models.weights import save_tensors
from ihdm.storage.files import atomic_path, full_disk_errors, remove_leftovers

STATE_NAME = "state.safetensors"
"""A training under way."""
PREVIOUS_NAME = "previous.safetensors"
"""The state saved before it, in case that the last one is damaged."""
NEW_NAME = "new.safetensors"
"""The next state while it is written."""
FINISHED_NAME = "finished.safetensors"
"""A training whose network was written: more steps continue it, otherwise it starts over."""
HISTORY_NAME = "history.jsonl"
Row = dict[str, Any]
"""An entry of the history: ``step``, ``loss`` and ``skipped``, or ``step`` and the held-out loss at a ``level``."""


def _identity(trainer: Trainer) -> dict[str, Any]:
    """Return the settings that a state shares with trainings that resume from it."""
    images = {"images": list(trainer.images.shape), "initial_weights": trainer.initial_weights}
    return images | _shared_settings(trainer.experiment)


def _shared_settings(experiment: Experiment) -> dict[str, Any]:
    """Return all settings; without the number of steps, unless the learning rates of earlier steps depend on it."""
    constant = experiment.training.learning_rate_decay == "none"
    return experiment.model_dump(mode="json", exclude={"training": {"steps"}} if constant else None)


def _completed(identity: dict[str, Any]) -> dict[str, Any]:
    """Return a stored identity with the defaults of settings that were added later."""
    ours = {name: identity[name] for name in ("images", "initial_weights") if name in identity}
    settings = {name: value for name, value in identity.items() if name not in ours}
    try:
        settings["training"] = {"steps": 1} | settings["training"]
        complete = Experiment.model_validate_json(json.dumps(settings))
    except (KeyError, TypeError, ValueError):  # of another version: the difference is reported
        return identity
    return ours | _shared_settings(complete)


def _values(settings: dict[str, Any], parents: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value with its name, such as ``training.steps``."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _values(value, f"{parents}{name}.")
        else:
            yield parents + name, value


class StateWriter:
    """Saves the state between two steps; a thread writes it to disk while the training continues.

    Args:
        folder: folder of the state. The existing state is kept as the previous one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    def save(self, trainer: Trainer) -> None:
        """Copy everything that the next step depends on, and start to write it, after the previous write.

        Raises:
            UserError: if the disk was full, now or at the previous write.
        """
        self.wait()
        tensors, header = _snapshot(trainer)
        self._writing = self._thread.submit(_write, self.folder, tensors, header)

    def wait(self) -> None:
        """Wait until the saved state is on disk.

        Raises:
            UserError: if the disk is full.
        """
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


def _snapshot(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return copies, which later steps do not change, with their header."""
    tensors = {"unlogged_losses": torch.tensor(trainer.unlogged_losses, dtype=torch.float64)}
    for (name, parameter), average in zip(trainer.unet.named_parameters(), trainer.averages, strict=True):
        moments = trainer.optimizer.state.get(parameter, {})
        tensors[f"weight.{name}"] = parameter.detach()
        tensors[f"average.{name}"] = average
        for number, moment in (("1", "exp_avg"), ("2", "exp_avg_sq")):
            # Before the first step that was not skipped there are no moments.
            tensors[f"moment{number}.{name}"] = moments.get(moment, torch.zeros_like(parameter))
    scaler = trainer.accelerator.scaler
    header = {
        "identity": _identity(trainer),
        "step": trainer.step,
        "skipped": trainer.skipped,
        "skipped_in_a_row": trainer.skipped_in_a_row,
        "loss_scaler": scaler.state_dict() if scaler else None,
    }
    return {name: tensor.to("cpu", copy=True) for name, tensor in tensors.items()}, header


def _write(folder: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    path = folder / STATE_NAME
    written = folder / NEW_NAME
    header["sha256"] = _digest(tensors, header)
    # One entry: the library writes several in an order that changes from process to process.
    save_tensors(tensors, written, {"training": json.dumps(header)})
    if path.exists():
        os.replace(path, folder / PREVIOUS_NAME)
    os.replace(written, path)


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a state, without the digest itself."""
    described = {name: value for name, value in header.items() if name != "sha256"}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the tensors of a state and its header; within the block, damage becomes a UserError."""
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            yield stored, json.loads((stored.metadata() or {})["training"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DamagedStateError(f"{path}: damaged training state ({reason}); delete it to start over") from None


class DamagedStateError(UserError):
    """A state that cannot be read, for example after a full disk or a power failure."""


def resume(trainer: Trainer, folder: Path) -> Path | None:
    """Resume a training from its state in a folder; return the path of the state, None for a new training.

    It resumes from an unfinished state, or from the previous one if that is damaged, or from a finished one with the
    same settings and another number of steps. A finished training that is requested again is repeated.

    Raises:
        UserError: if a state is damaged and there is no previous one, or it cannot be used; see :func:`load_state`.
    """
    unfinished = [path for name in (STATE_NAME, PREVIOUS_NAME) if (path := folder / name).exists()]
    for path in unfinished:
        try:
            load_state(trainer, path)
        except DamagedStateError as error:
            if path == unfinished[-1]:
                raise
            reason = error.args[0].partition(";")[0]
            print(f"{reason}; going on from the state before, {unfinished[-1]}", file=sys.stderr)
        else:
            return path
    if not (finished := folder / FINISHED_NAME).exists():
        return None
    with _opened(finished) as (_, header):
        is_same = _completed(header["identity"]) == _identity(trainer)
        if not is_same or header["step"] == trainer.experiment.training.steps:
            return None
    load_state(trainer, finished)
    return finished


def begin(folder: Path, start: Path | None) -> None:
    """Remove remains of other trainings, and mark the state to resume from as unfinished."""
    if start is not None:
        os.replace(start, folder / STATE_NAME)
    (folder / FINISHED_NAME).unlink(missing_ok=True)
    (folder / NEW_NAME).unlink(missing_ok=True)
    for name in (STATE_NAME, NEW_NAME):
        remove_leftovers(folder / name)


def finish(folder: Path) -> None:
    """Mark a training as finished, after its network was written."""
    # In the other order, a kill in between would leave a state that seems unfinished.
    (folder / PREVIOUS_NAME).unlink(missing_ok=True)
    os.replace(folder / STATE_NAME, folder / FINISHED_NAME)


def load_state(trainer: Trainer, path: Path) -> None:
    """Resume from a saved state.

    Raises:
        UserError: if the file is damaged, belongs to another training, or has more steps than are requested.
    """
    with _opened(path) as (stored, header):
        before, now = (dict(_values(one)) for one in (_completed(header["identity"]), _identity(trainer)))
        if names := [name for name in now | before if before.get(name) != now.get(name)]:
            differences = ", ".join(
                f"{name}: {before.get(name, 'any')} in the state, {now.get(name, 'any')} now" for name in names
            )
            raise UserError(
                f"{path}: this state belongs to a training with other settings ({differences}); restore these settings "
                "to continue it, or delete the file to start over"
            )
        steps = trainer.experiment.training.steps
        if header["step"] > steps:
            raise UserError(
                f"{path}: this training has taken {header['step']} steps already, but training.steps is {steps}; raise "
                "training.steps to continue it, or delete the file to start over"
            )
        parameters = dict(trainer.unet.named_parameters())
        found = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
        for kind in ("weight", "average", "moment1", "moment2"):
            for name, parameter in parameters.items():
                tensor = found[f"{kind}.{name}"]
                if tensor.shape != parameter.shape or not tensor.isfinite().all():
                    raise ValueError(f"{kind}.{name} has another shape or holds values that are not finite")
        # States of earlier versions have no digest.
        if header.get("sha256") not in (None, _digest(found, header)):
            raise ValueError("its checksum is wrong")
        trainer.step, trainer.skipped, trainer.skipped_in_a_row = (
            header[key] for key in ("step", "skipped", "skipped_in_a_row")
        )
        trainer.unlogged_losses = found["unlogged_losses"].tolist()
        updates = trainer.step - trainer.skipped
        for (name, parameter), average in zip(parameters.items(), trainer.averages, strict=True):
            parameter.data.copy_(found[f"weight.{name}"])
            average.copy_(found[f"average.{name}"])
            trainer.optimizer.state[parameter] = {
                "step": torch.tensor(float(updates), device=parameter.device),
                "exp_avg": torch.empty_like(parameter).copy_(found[f"moment1.{name}"]),
                "exp_avg_sq": torch.empty_like(parameter).copy_(found[f"moment2.{name}"]),
            }
    if trainer.accelerator.scaler and header["loss_scaler"]:
        trainer.accelerator.scaler.load_state_dict(header["loss_scaler"])


class History:
    """Entries as JSON lines, written to disk at once.

    Args:
        path: the file. Of its entries, losses up to ``step`` are kept and held-out losses before it, as the validation
            pass at that step is repeated.
        step: number of steps so far.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.rows = [row for row in _read_rows(path) if row["step"] < step + ("level" not in row)]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    def append(self, *rows: Row) -> None:
        """Add entries."""
        self.rows.extend(rows)
        with full_disk_errors(self.path), self.path.open("a") as stream:
            stream.write("".join(json.dumps(row) + "\n" for row in rows))


def _read_rows(path: Path) -> list[Row]:
    """Read the entries up to the first damaged one, as a kill may have truncated the last."""
    rows: list[Row] = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict) or "step" not in row:
            break
        rows.append(row)
    return rows
