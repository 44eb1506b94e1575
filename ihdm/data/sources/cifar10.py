"""CIFAR-10 from its binary archive; the Python archive has pickles, which are never read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import fair_order
from ihdm.data.source import COLOR, Labels, RawData, RawFile, Source
from ihdm.errors import UserError
from ihdm.storage.images import StoredImages

ARCHIVE_NAME = "cifar-10-binary.tar.gz"
FOLDER_NAME = "cifar-10-batches-bin"
BATCHES = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
SIZE = 32
ARCHIVE = RawFile(
    ARCHIVE_NAME,
    address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha256=("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",),
    contents=FOLDER_NAME,
)


def load_cifar10(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the images in a fixed random order."""
    return _in_order(raw, images_of)


def load_cifar10_labels(settings: DatasetSettings, raw: RawData) -> dict[str, Labels]:  # noqa: ARG001 (as they are)
    """Return the classes of the images in their order."""
    return _in_order(raw, lambda records: records[:, 0])


def _in_order(raw: RawData, part: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """Return a part of all records of each split, in a fixed random order."""
    splits = {}
    for split, names in BATCHES.items():
        parts = part(np.concatenate([read_batch(raw.paths[ARCHIVE_NAME] / name) for name in names]))
        splits[split] = parts[fair_order(len(parts), split)]
    return splits


def images_of(records: UInt8[np.ndarray, "image byte"]) -> StoredImages:
    """Return the images of records."""
    return records[:, 1:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)


def read_batch(path: Path) -> UInt8[np.ndarray, "image byte"]:
    """Read the records of one batch: a byte for the class, then the red, the green and the blue plane.

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
    return content.reshape(-1, record)


SOURCE = Source(
    origin="CIFAR-10 (Krizhevsky), the binary version",
    license="none stated; for research",
    split="as published",
    load=load_cifar10,
    channels=COLOR,
    labels=load_cifar10_labels,
    natural=True,
    size=SIZE,
    files=(ARCHIVE,),
    label_files=(ARCHIVE,),
    counts={"train": 50_000, "test": 10_000},
)
