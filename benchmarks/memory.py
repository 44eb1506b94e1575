"""Memory of a training on a memory-mapped array that is much larger; anonymous memory must not grow with it.

Usage: python benchmarks/memory.py [GIGABYTES]
"""

import multiprocessing
import sys
import tempfile
from pathlib import Path

import numpy as np

from ihdm.config.experiments import Experiment
from ihdm.config.reading import read_config
from ihdm.config.settings import RunSettings
from ihdm.models.trainer import Trainer, make_accelerator
from ihdm.storage.reading import open_images

WARM_UP, STEPS = 20, 300


def memory(kind: str) -> float:
    """Return this process's resident memory in MB: ``RssAnon``, its own, or ``RssFile``, mapped from files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{kind}:"))
    return int(kilobytes) * 1024 / 1e6


def write_array(path: Path, gigabytes: float, size: int, channels: int) -> None:
    """Write random images in pieces, so that they are never all in memory."""
    count = int(gigabytes * 1e9 / (size * size * channels))
    rng = np.random.default_rng(0)
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, size, size, channels))
    for first in range(0, count, 2**14):
        part = images[first : first + 2**14]
        part[:] = rng.integers(0, 256, part.shape, dtype=np.uint8)
    images.flush()


def train_from(path: Path, experiment: Experiment) -> None:
    """Train some steps and print the memory after the first of them and after the last."""
    images = open_images(path)
    trainer = Trainer(experiment, images, make_accelerator("no"), RunSettings())
    rows = []
    for step in range(STEPS):
        trainer.train_step()
        if step + 1 in (WARM_UP, STEPS):
            rows.append((memory("RssAnon"), memory("RssFile")))
    (own_first, _), (own_last, mapped) = rows
    gigabytes = images.nbytes / 1e9
    print(f"| {gigabytes:.2f} GB | {own_first:.0f} MB | {own_last:.0f} MB | {mapped:.0f} MB |", flush=True)


def main() -> None:
    """Print one row for a small array and one for the large one, each in a separate process."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    experiment = read_config("workflow/config/quick.yaml").variants["photos"].experiment
    dataset = experiment.dataset
    print(f"| array | own memory after {WARM_UP} steps | after {STEPS} steps | mapped from files, all of them |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for size in (0.01, gigabytes):
            path = Path(folder) / "train.npy"
            writer = multiprocessing.get_context("spawn").Process(
                target=write_array, args=(path, size, dataset.image_size, dataset.image_channels)
            )
            reader = multiprocessing.get_context("spawn").Process(target=train_from, args=(path, experiment))
            for process in (writer, reader):
                process.start()
                process.join()
                if process.exitcode:
                    sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
