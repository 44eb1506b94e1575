"""Writing arrays; values that are not finite are refused, as they would spread unnoticed to later stages."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from ihdm.errors import UserError


def save_arrays(path: Path, /, *, missing: Collection[str] = (), **arrays: object) -> None:
    """Write arrays as an archive, .npz.

    Args:
        path: the file.
        missing: names of arrays in which NaN stands for a missing value.
        arrays: the arrays by name.

    Raises:
        UserError: if a value is not finite.
    """
    for name, array in arrays.items():
        require_finite_values(f"{path.name}: array {name}", np.asarray(array), is_nan_allowed=name in missing)
    with path.open("wb") as stream:  # to a path without ".npz" NumPy would add it
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def save_array(path: Path, array: np.ndarray) -> None:
    """Write one array, .npy; see :func:`save_arrays`."""
    require_finite_values(path.name, array)
    with path.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def require_finite_values(name: str, array: np.ndarray, *, is_nan_allowed: bool = False) -> None:
    """Raise an error for NaN and infinity in an array; ``name`` is used in the message.

    Raises:
        UserError: if a value is not finite.
    """
    if array.dtype.kind in "fc" and not (np.isfinite(array) | (np.isnan(array) & is_nan_allowed)).all():
        raise UserError(
            f"{name} has values that are not finite (NaN or infinity); check the images and the network that it is "
            "computed from"
        )
