"""Unfinished and sharded samples on disk.

Unfinished samples are memory-mapped arrays with a record of the number of finished rows.
"""

import json
import math
from collections.abc import Callable, Sequence
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
from ihdm.storage.files import atomic_path, require_space
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
    """Generate samples into ``samples.npy`` and ``starts.npy`` in a folder, or resume there.

    A row counts as finished only after it was flushed, so that an interrupted run ends with the same bytes. Samples of
    another origin are discarded.

    Args:
        network: f(u, levels), on ``device``.
        train: the training images for starts.
        settings: process, δ, prior, seed and micro-batch.
        numbers: of the samples.
        state: folder of the arrays.
        calibration: calibration of the network, for samplers that need it.
        origin: a hash of all that the bytes depend on, including the device, the version of PyTorch and its number of
            threads, which change the last bits.
        device: where to compute.
        report: called with the number of finished samples.

    Returns:
        The training image behind the start of each sample.

    Raises:
        UserError: if the network gives values that are not finite, or the folder has other files.
    """
    shape = (len(numbers), *train.shape[1:])
    arrays, done = _open(state, shape, origin)
    report(done)
    rest = numbers[done:]
    for batch in generate(network, train, settings, starts=rest, noises=rest, calibration=calibration, device=device):
        batch.require_finite(rest)
        here = slice(done + batch.first, done + batch.first + len(batch.images))
        rows = (*(to_uint8(part, settings.rounding) for part in (batch.images, batch.starts)), batch.train_images)
        for array, values in zip(arrays, rows, strict=True):
            array[here] = values
            array.flush()
        _save_progress(state, here.stop, origin)
        report(here.stop)
    return np.array(arrays[-1])


def _open(state: Path, shape: tuple[int, ...], origin: str) -> tuple[list[np.memmap], int]:
    """Return the arrays of a folder, in the order of ``ARRAY_NAMES``, and the number of finished rows."""
    types = list(zip(map(np.dtype, (np.uint8, np.uint8, np.int64)), (shape, shape, shape[:1]), strict=True))
    done = _read_progress(state, origin)
    if done is not None:
        try:
            found = [np.lib.format.open_memmap(state / name, mode="r+") for name in ARRAY_NAMES]
        except DAMAGED:
            found = []  # started again below
        if [(array.dtype, array.shape) for array in found] == types:
            return found, done
    if not (state / PROGRESS_NAME).exists() and (foreign := [name for name in ARRAY_NAMES if (state / name).exists()]):
        raise UserError(f"{state / foreign[0]}: not from an unfinished run; give another --state, or move the file")
    state.mkdir(parents=True, exist_ok=True)
    # A memory-mapped file is sparse: a disk that fills up later would kill the process.
    require_space(state, 2 * math.prod(shape) + 8 * shape[0])
    _save_progress(state, 0, "being created")
    arrays = []
    for name, (dtype, size) in zip(ARRAY_NAMES, types, strict=True):
        (state / name).unlink(missing_ok=True)  # it may be linked to a result of an interrupted command
        arrays.append(np.lib.format.open_memmap(state / name, mode="w+", dtype=dtype, shape=size))
    _save_progress(state, 0, origin)
    return arrays, 0


def _read_progress(state: Path, origin: str) -> int | None:
    """Return the number of finished samples of this origin; None without a valid record of it."""
    try:
        known = json.loads((state / PROGRESS_NAME).read_text(encoding="utf-8"))
        return int(known["done"]) if known["origin"] == origin else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _save_progress(state: Path, done: int, origin: str) -> None:
    with atomic_path(state / PROGRESS_NAME) as temporary:
        temporary.write_text(json.dumps({"done": done, "origin": origin}), encoding="utf-8")


def shard_devices(shards: Sequence[Path]) -> str:
    """Return the distinct devices of the shards of a set of samples.

    Raises:
        UserError: if a shard has no record.
    """
    return ", ".join(dict.fromkeys(str(read_record(folder / RECORD_NAME).get("device")) for folder in shards))


def read_shards(shards: Sequence[Path]) -> "pd.DataFrame":
    """Return the merged table of the shards of a set of samples.

    Args:
        shards: the folders of all shards, in order.

    Raises:
        UserError: if a shard is missing, damaged, or has other settings, another network or other training images.
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
            raise UserError(
                f"{folder}: from another set than {shards[0]}; they differ in {', '.join(differing)}; use the shards "
                "of one set"
            )
        try:
            shard, num_shards, num_samples = (found["settings"][key] for key in ("shard", "num_shards", "num_samples"))
        except KeyError:
            raise UserError(f"{folder}: not a shard; use the folders that `samples draw` wrote") from None
        if shard != position or len(shards) != num_shards:
            raise UserError(
                f"{folder}: shard {shard} of 0…{num_shards - 1} is given at position {position} of {len(shards)}; list "
                "every shard once, in order"
            )
        numbers = list(shard_numbers(num_samples, shard, num_shards))
        table = read_table(folder / "samples.csv", ("sample", "seed", "train_image"))
        counts = [len(open_images(folder / name)) for name in ("samples.npy", "starts.npy")]
        if table["sample"].tolist() != numbers or counts != [len(numbers)] * 2:
            raise UserError(
                f"{folder}: expected samples {numbers[0]}…{numbers[-1]}, found {counts[0]} samples, {counts[1]} starts "
                f"and {len(table)} rows; draw this shard again"
            )
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def samples_table(train_images: Int[np.ndarray, "image"], numbers: range, seed: int) -> "pd.DataFrame":
    """Return one row per sample: its number, the seed, and the training image behind its start."""
    import pandas as pd

    return pd.DataFrame({"sample": list(numbers), "seed": seed, "train_image": train_images})
