"""MNIST, handwritten digits, and data sets in its format: IDX files of 28×28 gray images and of their labels."""

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import fair_order
from ihdm.data.source import GRAY, Labels, RawData, RawFile, Source
from ihdm.errors import UserError

TRAIN_NAME = "train-images-idx3-ubyte.gz"
TEST_NAME = "t10k-images-idx3-ubyte.gz"
LABEL_NAMES = {"train": "train-labels-idx1-ubyte.gz", "test": "t10k-labels-idx1-ubyte.gz"}


def mnist_like(
    *,
    origin: str,
    data_license: str,
    address: str,
    train_sha256: tuple[str, ...],
    test_sha256: tuple[str, ...],
    label_sha256: Mapping[str, tuple[str, ...]],
    installed: Path | None = None,
) -> Source:
    """Return the source of a data set with the file names and the split of MNIST.

    Args:
        origin: description of the data set.
        data_license: its license.
        address: base URL of the files.
        train_sha256: accepted digests of the training images.
        test_sha256: accepted digests of the test images.
        label_sha256: accepted digests of the labels by split.
        installed: folder of the files in a package of the operating system.
    """

    def files_of(digests: Mapping[str, tuple[str, ...]]) -> tuple[RawFile, ...]:
        return tuple(
            RawFile(name, address=f"{address}/{name}", sha256=known, installed=installed)
            for name, known in digests.items()
        )

    return Source(
        origin=origin,
        license=data_license,
        split="as published",
        load=load_idx,
        channels=GRAY,
        size=28,
        files=files_of({TRAIN_NAME: train_sha256, TEST_NAME: test_sha256}),
        labels=load_idx_labels,
        label_files=files_of({name: label_sha256[split] for split, name in LABEL_NAMES.items()}),
        counts={"train": 60_000, "test": 10_000},
    )


def load_idx(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the images in a fixed random order."""
    splits: dict[str, Split] = {}
    for split, name in (("train", TRAIN_NAME), ("test", TEST_NAME)):
        images = read_idx(raw.paths[name])
        splits[split] = images[fair_order(len(images), split)]
    return splits


def load_idx_labels(settings: DatasetSettings, raw: RawData) -> dict[str, Labels]:  # noqa: ARG001 (as they are)
    """Return the classes of the images in their order."""
    splits = {split: read_idx(raw.paths[name], dimensions=1) for split, name in LABEL_NAMES.items()}
    return {split: labels[fair_order(len(labels), split)] for split, labels in splits.items()}


def read_idx(path: Path, dimensions: int = 3) -> UInt8[np.ndarray, "image *shape"]:
    """Read an IDX file of gray images, with a channel, or of labels; gzipped or not.

    The format: four bytes 0, 0, 8 (unsigned bytes) and the number of dimensions; their big-endian sizes; the values.

    Raises:
        UserError: if the file is damaged or in another format.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); delete it and run the same command again") from None
    size = 4 * (1 + dimensions)
    header = np.frombuffer(content[:size], dtype=">u4")
    kind, channel = ("images", (1,)) if dimensions == 3 else ("labels", ())
    if len(header) <= dimensions or header[0] != 0x0800 + dimensions:
        raise UserError(f"{path}: not an IDX file of {kind}")
    shape = tuple(int(count) for count in header[1:])
    if len(content) != size + np.prod(shape):
        raise UserError(
            f"{path}: has {len(content) - size} {'pixels' if channel else kind} but its header says {shape}; it is "
            "truncated or damaged"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=size).reshape(*shape, *channel)


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
    label_sha256={
        "train": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",  # gunzipped
        ),
        "test": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",  # gunzipped
        ),
    },
)
