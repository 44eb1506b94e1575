"""Samples on disk: while they are made, and in parts, which are joined only if they belong together.

What is made lies in arrays written in place, with a record of how many of their rows are finished.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from ihdm.calibration import Calibration
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.objective import Network
from ihdm.samples.generation import generate, shard_numbers
from ihdm.storage.disk import require_space
from ihdm.storage.files import atomic_path
from ihdm.storage.images import StoredImages
from ihdm.storage.provenance import read_record
from ihdm.storage.reading import DAMAGED, open_images, read_table
from ihdm.storage.tensors import to_uint8

if TYPE_CHECKING:
    import pandas as pd

RECORD_NAME = "samples.meta.json"
PROGRESS_NAME = "progress.json"
ARRAY_NAMES = ("samples.npy", "starts.npy", "train_images.npy")
STATE_FILES = (PROGRESS_NAME, *ARRAY_NAMES)
"""The files in the folder of unfinished samples."""


@dataclass(frozen=True)
class _Arrays:
    """The memory maps of a shard; rows are filled from the first on."""

    samples: np.memmap
    starts: np.memmap
    train_images: np.memmap

    def flush(self) -> None:
        for array in (self.samples, self.starts, self.train_images):
            array.flush()


def draw_samples(
    network: Network,
    train: StoredImages,
    settings: SamplingSettings,
    numbers: range,
    state: Path,
    *,
    calibration: Calibration | None = None,
    origin: str,
    device: torch.device | str = "cpu",
    report: Callable[[int], None] = lambda _done: None,
) -> Int[np.ndarray, "image"]:
    """Generate the samples of these numbers into ``state``, as `samples.npy` and `starts.npy`; go on if some are there.

    A row counts as finished only after it has been written out, so that the result is the same bytes wherever a run was
    stopped. What another network, other data or other settings left is begun anew.

    Args:
        network: f(u, levels), on ``device``.
        train: the training images, whose blurred versions are the starts.
        settings: process, δ, prior, seed and micro-batch.
        numbers: of the samples.
        state: folder of the arrays.
        calibration: what was measured of the network, for samplers that need it.
        origin: a hash of everything the bytes of the samples depend on: also the device, the version of PyTorch and its
            number of threads, as sums in another order differ in their last bits.
        device: where to compute.
        report: called with the number of finished samples.

    Returns:
        The training image behind the start of each sample.

    Raises:
        UserError: if the network gives values that are not finite, or the folder holds files of other origin.
    """
    shape = (len(numbers), *train.shape[1:])
    arrays, done = _open(state, shape, origin)
    report(done)
    rest = numbers[done:]
    for batch in generate(network, train, settings, starts=rest, noises=rest, calibration=calibration, device=device):
        batch.require_finite(rest)
        here = slice(done + batch.first, done + batch.first + len(batch.images))
        arrays.samples[here] = to_uint8(batch.images, settings.rounding)
        arrays.starts[here] = to_uint8(batch.starts, settings.rounding)
        arrays.train_images[here] = batch.train_images
        arrays.flush()
        _save_progress(state, here.stop, origin)
        report(here.stop)
    return np.array(arrays.train_images)


def _open(state: Path, shape: tuple[int, ...], origin: str) -> tuple[_Arrays, int]:
    """Return the arrays of a state, new unless one of this origin is there, and how many rows are finished."""
    expected = tuple(
        zip(ARRAY_NAMES, map(np.dtype, (np.uint8, np.uint8, np.int64)), (shape, shape, shape[:1]), strict=True)
    )
    done = _read_progress(state, origin)
    if done is not None:
        try:
            found = [np.lib.format.open_memmap(state / name, mode="r+") for name in ARRAY_NAMES]
        except DAMAGED:
            found = []  # begun anew
        if [(array.dtype, array.shape) for array in found] == [(dtype, size) for _, dtype, size in expected]:
            return _Arrays(*found), done
    if not (state / PROGRESS_NAME).exists() and (foreign := [name for name in ARRAY_NAMES if (state / name).exists()]):
        raise UserError(f"{state / foreign[0]}: is no unfinished sampling's; give another --state, or move it away")
    state.mkdir(parents=True, exist_ok=True)
    # A mapped file grows as it is filled, and a disk that fills up meanwhile kills the process.
    require_space(state, 2 * math.prod(shape) + 8 * shape[0])
    _save_progress(state, 0, "being laid out")
    for name in ARRAY_NAMES:
        (state / name).unlink(missing_ok=True)  # a result that a stopped command had given away stays as it is
    arrays = _Arrays(
        *(np.lib.format.open_memmap(state / name, mode="w+", dtype=dtype, shape=size) for name, dtype, size in expected)
    )
    _save_progress(state, 0, origin)
    return arrays, 0


def _read_progress(state: Path, origin: str) -> int | None:
    """Return how many samples of this origin are finished; None if none were begun, or the record is damaged."""
    try:
        known = json.loads((state / PROGRESS_NAME).read_text(encoding="utf-8"))
        return int(known["done"]) if known["origin"] == origin else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _save_progress(state: Path, done: int, origin: str) -> None:
    with atomic_path(state / PROGRESS_NAME) as temporary:
        temporary.write_text(json.dumps({"done": done, "origin": origin}), encoding="utf-8")


def shard_devices(shards: Sequence[Path]) -> str:
    """Return what the parts of a set of samples were computed on, as a record names it: the same for all, or each once.

    Raises:
        UserError: if a part has no record.
    """
    return ", ".join(dict.fromkeys(str(read_record(folder / RECORD_NAME).get("device")) for folder in shards))


def read_shards(shards: Sequence[Path]) -> "pd.DataFrame":
    """Return the merged table of the parts of a set of samples, which must be all its parts, in order.

    Args:
        shards: the folders of the parts.

    Raises:
        UserError: if a part is missing, damaged or of another set: one with other settings, network or training images.
    """
    import pandas as pd

    tables = []
    first = read_record(shards[0] / RECORD_NAME)
    for position, folder in enumerate(shards):
        found = read_record(folder / RECORD_NAME)
        differing = [
            name
            for name, value in first["settings"].items()
            if name != "shard" and found["settings"].get(name) != value
        ]
        if list(found["inputs"].values()) != list(first["inputs"].values()):
            differing.append("network or training images")
        if differing:
            raise UserError(f"{folder}: is of another set than {shards[0]}; they differ in {', '.join(differing)}")
        try:
            shard, num_shards, num_samples = (found["settings"][key] for key in ("shard", "num_shards", "num_samples"))
        except KeyError:
            raise UserError(
                f"{folder}: holds no part of a set; give the folders that `samples draw` has made"
            ) from None
        if shard != position or len(shards) != num_shards:
            raise UserError(
                f"{folder}: is part {shard} of 0…{num_shards - 1}, but number {position} of the {len(shards)} that "
                "are given; give every part once, in order"
            )
        numbers = list(shard_numbers(num_samples, shard, num_shards))
        table = read_table(folder / "samples.csv", ("sample", "seed", "train_image"))
        counts = [len(open_images(folder / name)) for name in ("samples.npy", "starts.npy")]
        if table["sample"].tolist() != numbers or counts != [len(numbers)] * 2:
            raise UserError(
                f"{folder}: samples {numbers[0]}…{numbers[-1]} are to be there, but there are {counts[0]} samples, "
                f"{counts[1]} starts and {len(table)} rows; draw this part again"
            )
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def samples_table(train_images: Int[np.ndarray, "image"], numbers: range, seed: int) -> "pd.DataFrame":
    """Return one row for each sample: its number, the seed, and the training image behind its start."""
    import pandas as pd

    return pd.DataFrame({"sample": list(numbers), "seed": seed, "train_image": train_images})
