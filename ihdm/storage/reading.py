"""Read outputs of earlier stages: arrays, archives and tables. Unreadable files raise an error of one line.

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
ADVICE = "use the right file, or delete it and run the stage that writes it again"


TEXT_COLUMNS = frozenset(
    (
        *("dataset", "experiment", "base", "swept", "sampler", "set", "metric", "extractor", "extractor_sha256"),
        *("reference", "error_parts"),
    )
)
"""Columns of text, which can look like numbers."""
NUMBER_COLUMNS = frozenset(
    (
        *("value", "standard_error", "degrees", "low", "high", "null", "n", "n_reference", "num_curves", "num_ratios"),
        *("delta_ratio", "first_ratio", "last_ratio", "best_delta_ratio", "bits_per_dim", "nats", "nats_best_levels"),
        *("evaluations", "times_fewer", "fraction", "frequency", "low_frequency", "high_frequency", "strength"),
        *("level", "num_levels", "stage", "split", "step", "sigma", "blur_sigma", "num_train", "seed", "expected"),
        *("start", "noise", "interaction", "difference", "value_described", "value_variant", "loss", "baseline"),
    )
)
"""Columns of numbers; so are those whose names end in ``_error``."""


def read_array(path: Path) -> np.ndarray:
    """Memory-map an array, .npy, read-only.

    Raises:
        UserError: if the file has no array.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except DAMAGED as error:
        raise _unreadable(path, ".npy array", error) from None


def read_archive(path: Path, names: Sequence[str], *, missing: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Read arrays of an archive, .npz, by name.

    Args:
        path: the file.
        names: names of the arrays.
        missing: names of arrays in which NaN stands for a missing value.

    Raises:
        UserError: if the file is no archive, lacks one of these arrays, or has a value that is not finite.
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
    """Read arrays by name, and check their numbers of dimensions; the array in a .npy file has the name "".

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
        UserError: if the file has no table, no rows, not all of these columns, or text instead of numbers,
            or differs from its record.
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
                raise ValueError(f"column {name} has {shown(wrong.tolist()[0])} instead of a number")
    except DAMAGED as error:
        raise _unreadable(path, ".csv table", error) from None
    require_as_recorded(path)
    return table


@contextmanager
def missing_column_errors(paths: Iterable[Path]) -> Iterator[None]:
    """Within the block, a missing column or content that does not fit becomes a UserError about these files.

    If all files agree with their records, the error is a bug of this package and is not changed.
    """
    paths = list(paths)
    try:
        yield
    except KeyError as error:
        raise UserError(f"{', '.join(map(str, paths))}: no column or array {error}; {ADVICE}") from None
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        unknown = [str(path) for path in paths if not is_recorded(path)]
        if not unknown:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"{', '.join(unknown)}: it has no record and its content does not fit ({reason}); {ADVICE}"
        ) from error


def open_images(path: Path) -> StoredImages:
    """Memory-map an array of images.

    Raises:
        UserError: if the file is missing, damaged, or has no uint8 images.
    """
    images = read_array(path)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or images.size == 0:
        raise UserError(
            f"{path}: has {images.dtype} of shape {images.shape}, not uint8 images (N, H, W, 1 or 3); {ADVICE}"
        )
    return images


def require_one_shape(images: Mapping[str, StoredImages]) -> None:
    """Raise an error if image sizes differ.

    Args:
        images: arrays of images by their names in error messages.

    Raises:
        UserError: if sizes differ; it names the first two.
    """
    first, *others = images.items()
    for name, part in others:
        if part.shape[1:] != first[1].shape[1:]:
            raise UserError(
                f"{first[0]} has images of {_size(first[1])}, but {name} of {_size(part)}; their sizes must be equal"
            )


def _size(images: StoredImages) -> str:
    return "×".join(map(str, images.shape[1:]))


def _unreadable(path: Path, kind: str, error: Exception) -> UserError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
    return UserError(f"{path}: no {kind} can be read from it ({reason or type(error).__name__}); {ADVICE}")


def first_images(path: Path, count: int | None) -> StoredImages:
    """Open the first ``count`` images of an array; by default all.

    Raises:
        UserError: if there are fewer.
    """
    images = open_images(path)
    if count is not None and len(images) < count:
        raise UserError(f"{path}: {count} images are requested but it has {len(images)}")
    return images[:count]
