"""CIFAR-10 from its binary archive; the Python archive has pickles, which are never read."""

from pathlib import Path

import numpy as np

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import fair_order
from ihdm.data.source import COLOR, RawData, RawFile, Source
from ihdm.errors import UserError
from ihdm.storage.images import StoredImages

ARCHIVE_NAME = "cifar-10-binary.tar.gz"
FOLDER_NAME = "cifar-10-batches-bin"
BATCHES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
SIZE = 32


def load_cifar10(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the images in a fixed random order."""
    splits: dict[str, Split] = {}
    for split, names in BATCHES.items():
        images = np.concatenate([read_batch(raw.paths[ARCHIVE_NAME] / name) for name in names])
        splits[split] = images[fair_order(len(images), split)]
    return splits


def read_batch(path: Path) -> StoredImages:
    """Read one batch: for each image a byte for its class, then the red, the green and the blue plane.

    Raises:
        UserError: if the file is missing or cut short.
    """
    try:
        content = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; delete the folder {path.parent} to unpack it again") from None
    record = 1 + 3 * SIZE * SIZE
    if len(content) == 0 or len(content) % record:
        raise UserError(
            f"{path}: {len(content)} bytes are not a multiple of {record}, the bytes per image; the file is truncated"
        )
    return content.reshape(-1, record)[:, 1:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)


SOURCE = Source(
    origin="CIFAR-10 (Krizhevsky), the binary version",
    license="none stated; for research",
    split="as published",
    load=load_cifar10,
    channels=COLOR,
    natural=True,
    size=SIZE,
    files=(
        RawFile(
            ARCHIVE_NAME,
            address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            sha256=("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",),
            contents=FOLDER_NAME,
        ),
    ),
    counts={"train": 50_000, "test": 10_000},
)
