"""Nothing that is not finite is written, or read."""

import numpy as np
import pandas as pd
import pytest
import torch

from ihdm.commands.options import write_table
from ihdm.errors import UserError
from ihdm.models.weights import save_tensors
from ihdm.storage.arrays import save_array, save_arrays
from ihdm.storage.reading import read_archive

WRITERS = {
    "array.npy": lambda path, value: save_array(path, np.array([1, value])),
    "arrays.npz": lambda path, value: save_arrays(path, names=np.array(["a"]), x=np.array([1, value])),
    "table.csv": lambda path, value: write_table(pd.DataFrame({"name": ["a", "b"], "x": [1, value]}), path),
    "weights.safetensors": lambda path, value: save_tensors({"x": torch.tensor([1, value])}, path, {}),
}


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", WRITERS)
def test_values_that_are_not_finite_are_not_written(tmp_path, name, value):
    WRITERS[name](tmp_path / name, 2.0)
    assert (tmp_path / name).exists()
    (tmp_path / name).unlink()
    if name == "table.csv" and np.isnan(value):  # a missing value
        WRITERS[name](tmp_path / name, value)
        return
    with pytest.raises(
        UserError, match=rf"{name}: .*values that are not finite|^{name} has values that are not finite"
    ):
        WRITERS[name](tmp_path / name, value)
    assert not list(tmp_path.iterdir())


def test_a_stored_value_that_is_not_finite_is_refused(tmp_path):
    path = tmp_path / "stored.npz"
    save_arrays(path, missing=["x"], x=np.array([np.nan, 1.0]))
    assert read_archive(path, ["x"], missing=["x"])["x"][1] == 1
    with pytest.raises(UserError, match=f"^{path}: array x has values that are not finite"):
        read_archive(path, ["x"])
    with pytest.raises(UserError, match="array x has values that are not finite"):
        save_arrays(path, missing=["x"], x=np.array([np.inf]))


def test_arrays_are_written_where_they_are_asked_for(tmp_path):
    """NumPy would append an ending, and the file would not be found in its place."""
    save_arrays(tmp_path / "sequence", x=np.arange(3))
    save_array(tmp_path / "array", np.arange(3))
    np.savez(tmp_path / "numpy.npz", x=np.arange(3))
    assert {path.name for path in tmp_path.iterdir()} == {"sequence", "array", "numpy.npz"}
    assert (tmp_path / "sequence").read_bytes() == (tmp_path / "numpy.npz").read_bytes()
