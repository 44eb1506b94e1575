"""Batches from the memory map against Pillow and torch's DataLoader, and memory while reading an array of 2 GB.

    python benchmarks/loader.py speed
    python benchmarks/loader.py memory

Both print a table for benchmarks/README.md.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ihdm.config.settings import DatasetSettings
from ihdm.data.sources import load_splits
from ihdm.models.batches import BatchLoader
from ihdm.seeds import generator
from ihdm.storage.reading import open_images

BATCH_SIZE = 128
ROUNDS = 5
NUM_IMAGES = 8000
SIZES = (32, 64)
MEMORY_BYTES = 2_000_000_000


class Files(Dataset[Tensor]):
    """The usual way: one file an image, decoded when asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as image:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255


def orders(count: int, round_number: int) -> Iterator[np.ndarray]:
    """Return the positions of all batches of a pass in random order."""
    order = generator(0, "order of the benchmark", round_number).permutation(count)
    return iter(np.array_split(order, range(BATCH_SIZE, count, BATCH_SIZE)))


def images_per_second(read_all: Callable[[int], object], turn: int) -> float:
    """Return the speed of one pass over all images."""
    started = time.perf_counter()
    read_all(turn)
    return NUM_IMAGES / (time.perf_counter() - started)


def read_batches(loader: BatchLoader, turn: int) -> float:
    """Read all batches from the memory map."""
    return consume(map(loader.batch, orders(NUM_IMAGES, turn)))


def load_batches(loader: DataLoader[Tensor], _turn: int) -> float:
    """Read all batches by a DataLoader."""
    return consume(iter(loader))


def consume(batches: Iterator[Tensor]) -> float:
    """Look at one pixel of every batch."""
    return sum(float(batch[0, 0, 0, 0]) for batch in batches)


def speed() -> None:
    """Compare on the same photo crops, the ways taking turns; print the median of the rounds."""
    torch.set_num_threads(1)
    print("| size | way | images/s | map is faster by |\n|---|---|---|---|")
    for size in SIZES:
        splits = load_splits(DatasetSettings(source="photos", image_size=size, image_channels=3))
        images = np.asarray(splits["train"])[:NUM_IMAGES]
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/train.npy", images)
            loader = BatchLoader(open_images(Path(f"{folder}/train.npy")))
            files = {}
            for ending in ("png", "jpg"):
                paths = [Path(folder, f"{number:05}.{ending}") for number in range(len(images))]
                for path, image in zip(paths, images, strict=True):
                    Image.fromarray(image).save(path)
                files[ending] = Files(paths)
            ways: dict[str, Callable[[int], object]] = {"memory map": partial(read_batches, loader)}
            for ending, dataset in files.items():
                for workers in (0, 2):
                    loading = DataLoader(dataset, BATCH_SIZE, shuffle=True, num_workers=workers)
                    ways[f"Pillow ({ending}) and DataLoader, {workers} workers"] = partial(load_batches, loading)
            speeds: dict[str, list[float]] = {way: [] for way in ways}
            for turn in range(ROUNDS + 1):
                for way, run in ways.items():
                    speeds[way].append(images_per_second(run, turn))
            typical = {way: median(values[1:]) for way, values in speeds.items()}  # the first warms caches up
            for way, value in typical.items():
                print(f"| {size} | {way} | {value:,.0f} | {typical['memory map'] / value:.1f} |")


def anonymous_megabytes() -> float:
    """Return this process's memory that no file backs."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def memory(num_bytes: int = MEMORY_BYTES) -> float:
    """Read every image of a large array once, in random order; return by how much anonymous memory grew, in MB."""
    count = num_bytes // (64 * 64 * 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "train.npy")
        written = np.lib.format.open_memmap(path, "w+", np.uint8, (count, 64, 64, 3))
        for first in range(0, count, 256):
            rows = written[first : first + 256]
            rows[:] = generator(0, "benchmark pixels", first).integers(0, 256, rows.shape, dtype=np.uint8)
        del written, rows
        loader = BatchLoader(open_images(path))
        loader.batch(np.arange(BATCH_SIZE))
        before, largest = anonymous_megabytes(), 0.0
        for _ in map(loader.batch, orders(count, 0)):
            largest = max(largest, anonymous_megabytes())
    return largest - before


if __name__ == "__main__":
    if sys.argv[1:] == ["speed"]:
        speed()
    elif sys.argv[1:] == ["memory"]:
        print(f"| array | growth of anonymous memory |\n|---|---|\n| 2 GB | {memory():.1f} MB |")
    else:
        sys.exit(__doc__)
