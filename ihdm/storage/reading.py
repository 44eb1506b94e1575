"""Read outputs of earlier stages: arrays, archives, tables. Files that cannot be read raise an error of one line.

A split of a data set is stored as ``NAME.npy`` (uint8, N×H×W×C) next to ``NAME.json``, samples in the same way.
"""

import tokenize
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ihdm.errors import UserError, shown
from ihdm.storage.arrays import require_finite_values
from ihdm.storage.images import StoredImages
from ihdm.storage.provenance import is_recorded, require_as_recorded

if TYPE_CHECKING:
    import pandas as pd

DAMAGED = (
    *(OSError, EOFError, ValueError, KeyError, IndexError, OverflowError, SyntaxError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)
"""What NumPy and pandas raise for files that are damaged, cut short or something else altogether."""
ADVICE = "give the right file, or delete it and run the stage that makes it again"


TEXT_COLUMNS = frozenset(
    (
        *("dataset", "experiment", "base", "swept", "sampler", "set", "metric", "extractor", "extractor_sha256"),
        *("reference", "error_parts"),
    )
)
"""Columns of text, which can look like numbers."""
NUMBER_COLUMNS = frozenset(
    (
        *("value", "standard_error", "low", "high", "null", "n", "n_reference", "num_curves", "num_ratios"),
        *("delta_ratio", "first_ratio", "last_ratio", "best_delta_ratio", "bits_per_dim", "nats", "nats_best_levels"),
        *("evaluations", "times_fewer", "fraction", "frequency", "low_frequency", "high_frequency", "strength"),
        *("level", "num_levels", "stage", "split", "step", "sigma", "blur_sigma", "num_train", "seed", "expected"),
        *("start", "noise", "interaction", "difference", "value_described", "value_variant", "loss", "baseline"),
    )
)
"""Columns of numbers; so are those whose names end in ``_error``."""


def read_array(path: Path) -> np.ndarray:
    """Map an array, .npy, into memory, not to be written to; only what is indexed is read.

    Raises:
        UserError: if the file holds none.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except DAMAGED as error:
        raise _unreadable(path, ".npy array", error) from None


def read_archive(path: Path, names: Sequence[str], *, missing: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Read arrays of an archive, .npz, by name.

    Args:
        path: the file.
        names: of the arrays.
        missing: names of arrays in which NaN stands for a missing value.

    Raises:
        UserError: if the file is no archive, has no array of one of these names, or a value in it is not finite.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            if absent := [name for name in names if name not in archive.files]:
                raise ValueError(f"it holds {', '.join(archive.files)}, but no {' and no '.join(absent)}")
            stored = {name: archive[name] for name in names}
    except DAMAGED as error:
        raise _unreadable(path, ".npz archive", error) from None
    for name, array in stored.items():
        require_finite_values(f"{path}: array {name}", array, is_nan_allowed=name in missing)
    return stored


def read_arrays(path: Path, dimensions: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Read arrays by name, each of so many dimensions; a file of a single array, .npy, holds that of no name.

    Raises:
        UserError: if the file cannot be read, or an array has another number of dimensions.
    """
    stored = {"": read_array(path)} if path.suffix == ".npy" else read_archive(path, list(dimensions))
    for name, array in stored.items():
        if array.ndim != dimensions[name]:
            raise UserError(
                f"{path}: {name or 'its array'} is of shape {array.shape}, not of {dimensions[name]} dimensions; "
                f"{ADVICE}"
            )
    return stored


def read_table(path: Path, columns: Sequence[str] = ()) -> "pd.DataFrame":
    """Read a table, .csv: names as text, and only empty cells and NaN as missing.

    Raises:
        UserError: if the file holds none, one without rows or without one of these columns, one with text for numbers,
            or another than its record describes.
    """
    import pandas as pd

    try:
        found = list(pd.read_csv(path, nrows=0).columns)
        if missing := [name for name in columns if name not in found]:
            raise ValueError(f"its columns are {', '.join(map(str, found))}, but no {' and no '.join(missing)}")
        missing_values = {name: [""] if name in TEXT_COLUMNS else ["", "nan", "NaN"] for name in found}
        types = {name: str for name in found if name in TEXT_COLUMNS}
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=missing_values)
        if table.empty:
            raise ValueError("it has no rows")
        for name in found:
            if name not in NUMBER_COLUMNS and not name.endswith("_error"):
                continue
            numbers = pd.to_numeric(table[name], errors="coerce")
            if (wrong := table[name][~np.isfinite(numbers) & table[name].notna()]).size:
                raise ValueError(f"column {name} holds {shown(wrong.tolist()[0])} where a number belongs")
    except DAMAGED as error:
        raise _unreadable(path, ".csv table", error) from None
    require_as_recorded(path)
    return table


@contextmanager
def missing_columns_told(paths: Iterable[Path]) -> Iterator[None]:
    """Within the block, a missing column becomes a UserError about these files, as does any content that does not fit.

    Files that are as their records describe them are right, so an error about these alone is ours and stays as it is.
    """
    paths = list(paths)
    try:
        yield
    except KeyError as error:
        raise UserError(f"{', '.join(map(str, paths))}: no column or array {error} is there; {ADVICE}") from None
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        unknown = [str(path) for path in paths if not is_recorded(path)]
        if not unknown:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{', '.join(unknown)}: it has no record and its content does not fit ({reason}); {ADVICE}"
        ) from error


def open_images(path: Path) -> StoredImages:
    """Map an array of images into memory; only what is indexed is read.

    Raises:
        UserError: if the file is missing, damaged or holds something other than uint8 images.
    """
    images = read_array(path)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or images.size == 0:
        raise UserError(f"{path}: holds {images.dtype} of shape {images.shape}, not uint8 images (N, H, W, 1 or 3)")
    return images


def require_one_shape(images: Mapping[str, StoredImages]) -> None:
    """Refuse to compare images of different sizes.

    Args:
        images: arrays of images, by the name to call them in an error.

    Raises:
        UserError: naming the first two that differ.
    """
    first, *others = images.items()
    for name, part in others:
        if part.shape[1:] != first[1].shape[1:]:
            raise UserError(
                f"{first[0]} holds images of {_size(first[1])} but {name} of {_size(part)}; they must be of one size"
            )


def _size(images: StoredImages) -> str:
    return "×".join(map(str, images.shape[1:]))


def _unreadable(path: Path, kind: str, error: Exception) -> UserError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return UserError(f"{path}: no {kind} can be read from it ({reason or type(error).__name__}); {ADVICE}")


def first_images(path: Path, count: int | None) -> StoredImages:
    """Open an array of images, cut to the first ones; all of them if no number is given.

    Raises:
        UserError: if there are fewer.
    """
    images = open_images(path)
    if count is not None and len(images) < count:
        raise UserError(f"{path}: {count} images are asked for but it holds {len(images)}")
    return images[:count]
