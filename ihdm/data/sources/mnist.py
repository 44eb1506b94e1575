"""MNIST, handwritten digits, and data sets in its format: two IDX files of 28×28 gray images."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import fair_order
from ihdm.data.source import GRAY, RawData, RawFile, Source
from ihdm.errors import UserError
from ihdm.storage.images import StoredImages

TRAIN_NAME = "train-images-idx3-ubyte.gz"
TEST_NAME = "t10k-images-idx3-ubyte.gz"


def mnist_like(
    *,
    origin: str,
    data_license: str,
    address: str,
    train_sha256: tuple[str, ...],
    test_sha256: tuple[str, ...],
    installed: Path | None = None,
) -> Source:
    """Return the source of a data set with the file names and the split of MNIST.

    Args:
        origin: description of the data set.
        data_license: its license.
        address: base URL of the files.
        train_sha256: accepted digests of the training images.
        test_sha256: accepted digests of the test images.
        installed: folder of the files in a package of the operating system.
    """
    return Source(
        origin=origin,
        license=data_license,
        split="as published",
        load=load_idx,
        channels=GRAY,
        size=28,
        files=tuple(
            RawFile(name, address=f"{address}/{name}", sha256=digests, installed=installed)
            for name, digests in ((TRAIN_NAME, train_sha256), (TEST_NAME, test_sha256))
        ),
        counts={"train": 60_000, "test": 10_000},
    )


def load_idx(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the images in a fixed random order."""
    splits: dict[str, Split] = {}
    for split, name in (("train", TRAIN_NAME), ("test", TEST_NAME)):
        images = read_idx(raw.paths[name])
        splits[split] = images[fair_order(len(images), split)]
    return splits


def read_idx(path: Path) -> StoredImages:
    """Read an IDX file of gray images, gzipped or not.

    The format: four bytes 0, 0, 8 (unsigned bytes), 3 (dimensions); three big-endian counts; the pixels.

    Raises:
        UserError: if the file is damaged or in another format.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); delete it and run the same command again") from None
    header = np.frombuffer(content[:16], dtype=">u4")
    if len(header) < 4 or header[0] != 0x0803:
        raise UserError(f"{path}: not an IDX file of images")
    shape = tuple(int(count) for count in header[1:])
    if len(content) != 16 + np.prod(shape):
        raise UserError(
            f"{path}: has {len(content) - 16} pixels but its header says {shape}; it is truncated or damaged"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=16).reshape(*shape, 1)


SOURCE = mnist_like(
    origin="the MNIST database of handwritten digits (LeCun, Cortes, Burges)",
    data_license="CC BY-SA 3.0",
    address="https://ossci-datasets.s3.amazonaws.com/mnist",
    train_sha256=(
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",  # gunzipped
    ),
    test_sha256=(
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",  # gunzipped
    ),
)
