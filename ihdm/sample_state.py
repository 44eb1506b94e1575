"""Samples on disk while they are made: arrays written in place, and how many of their rows are finished."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from ihdm.files import atomic_path
from ihdm.generation import generate
from ihdm.images import StoredImages
from ihdm.objective import Network
from ihdm.settings import SamplingSettings
from ihdm.tensors import to_uint8

if TYPE_CHECKING:
    import pandas as pd

PROGRESS_NAME = "progress.json"


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
        origin: a hash of everything the samples depend on.
        device: where to compute.
        report: called with the number of finished samples.

    Returns:
        The training image behind the start of each sample.
    """
    shape = (len(numbers), *train.shape[1:])
    arrays, done = _open(state, shape, origin)
    report(done)
    rest = numbers[done:]
    for batch in generate(network, train, settings, starts=rest, noises=rest, device=device):
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
    progress = state / PROGRESS_NAME
    known = json.loads(progress.read_text()) if progress.exists() else {}
    mode = "r+" if known.get("origin") == origin else "w+"
    state.mkdir(parents=True, exist_ok=True)
    if mode == "w+":
        _save_progress(state, 0, "being laid out")
    arrays = _Arrays(
        *(
            np.lib.format.open_memmap(state / f"{name}.npy", mode=mode, dtype=dtype, shape=size)
            for name, dtype, size in (
                ("samples", np.uint8, shape),
                ("starts", np.uint8, shape),
                ("train_images", np.int64, shape[:1]),
            )
        )
    )
    if mode == "w+":
        _save_progress(state, 0, origin)
        return arrays, 0
    return arrays, known["done"]


def _save_progress(state: Path, done: int, origin: str) -> None:
    with atomic_path(state / PROGRESS_NAME) as temporary:
        temporary.write_text(json.dumps({"done": done, "origin": origin}))


def samples_table(train_images: Int[np.ndarray, "image"], numbers: range, seed: int) -> "pd.DataFrame":
    """Return one row for each sample: its number, the seed, and the training image behind its start."""
    import pandas as pd

    return pd.DataFrame({"sample": list(numbers), "seed": seed, "train_image": train_images})
