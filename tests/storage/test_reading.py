"""Whatever a file holds instead of what it should, one line says so."""

import io
import random
from pathlib import Path

import numpy as np
import pytest

from ihdm.errors import UserError
from ihdm.storage.provenance import record
from ihdm.storage.reading import (
    missing_column_errors,
    open_images,
    read_archive,
    read_array,
    read_table,
    require_one_shape,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)


def content(kind: str) -> bytes:
    stream = io.BytesIO()
    match kind:
        case "array":
            np.save(stream, IMAGES)
        case "archive":
            np.savez(stream, x=IMAGES, y="name")
        case "compressed":
            np.savez_compressed(stream, x=IMAGES, y="name")
        case "pickle":
            np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        case "table":
            stream.write(b"a,b\n1,2\n")
        case "binary":
            stream.write(bytes(range(256)))
    return stream.getvalue()


READERS = {
    "array": read_array,
    "archive": lambda path: read_archive(path, ["x", "y"]),
    "table": lambda path: read_table(path, ["a", "b"]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["array", "archive", "table", "pickle", "binary", "empty", "missing"])
def test_other_files_are_refused(tmp_path, reader, kind):
    path = tmp_path / "file"
    if kind != "missing":
        path.write_bytes(content(kind))
    if kind == reader:
        READERS[reader](path)
        return
    with pytest.raises(UserError) as caught:
        READERS[reader](path)
    assert str(caught.value).startswith(f"{path}: no .np" if reader != "table" else f"{path}: no .csv table")
    assert "use the right file, or delete it and run the stage that writes it again" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["array", "archive", "compressed"])
def test_damage_anywhere_is_reported(tmp_path, kind):
    """Cut short at any place, or with bytes of header or content changed, a file is read or refused, nothing else."""
    path, whole, rng = tmp_path / "file", content(kind), random.Random(0)
    read = READERS["array" if kind == "array" else "archive"]
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            read(path)
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 3, 10])):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read(path)
        except UserError:
            continue


def test_what_is_missing_is_named(tmp_path):
    (tmp_path / "a.npz").write_bytes(content("archive"))
    with pytest.raises(UserError, match=r"a.npz: .*\(it holds x, y, but no z\)"):
        read_archive(tmp_path / "a.npz", ["x", "z"])
    (tmp_path / "a.csv").write_bytes(content("table"))
    with pytest.raises(UserError, match=r"a.csv: .*\(its columns are a, b, but no c and no d\)"):
        read_table(tmp_path / "a.csv", ["c", "b", "d"])


@pytest.mark.parametrize(
    "array", [IMAGES.astype(float), IMAGES[0], IMAGES[:0], np.repeat(IMAGES, 2, axis=-1)], ids=lambda array: array.shape
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, array: np.ndarray):
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(UserError, match="not uint8 images"):
        open_images(tmp_path / "array.npy")


def test_images_of_one_size():
    require_one_shape({"a": IMAGES, "b": IMAGES[:2]})
    with pytest.raises(UserError, match="a has images of 8×8×1, but c of 8×4×1; their sizes must be equal"):
        require_one_shape({"a": IMAGES, "b": IMAGES, "c": IMAGES[:, :, :4]})


def test_names_stay_text_and_numbers_must_be_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("experiment,set,value\n007,NA,1.5\nnan,1e3,\n")
    table = read_table(path)
    assert table["experiment"].tolist() == ["007", "nan"]
    assert table["set"].tolist() == ["NA", "1e3"]
    assert table["value"].isna().tolist() == [False, True]
    path.write_text("experiment,value\na,much\n")
    with pytest.raises(UserError, match="column value has 'much' instead of a number"):
        read_table(path)
    path.write_text("experiment,value\n")
    with pytest.raises(UserError, match="it has no rows"):
        read_table(path)


def test_content_that_does_not_fit_is_told_of_files_without_a_record(tmp_path):
    path, other = tmp_path / "one/table.csv", tmp_path / "two/table.csv"
    for one in (path, other):
        one.parent.mkdir()
    with record([path, other], command="report compare", settings={}):
        for one in (path, other):
            one.write_text("experiment,value\na,1\n")
    with pytest.raises(IndexError), missing_column_errors([path]):
        [].pop()
    with (
        pytest.raises(UserError, match=f"^{other}: it has no record and .* .IndexError: pop from empty list"),
        missing_column_errors([path, other]),
    ):
        [].pop()


def test_a_table_that_was_cut_is_not_read(tmp_path):
    path = tmp_path / "table.csv"
    with record([path], command="report compare", settings={}):
        path.write_text("experiment,value\na,1\nb,2\n")
    assert len(read_table(path)) == 2
    path.write_text("experiment,value\na,1\n")
    with pytest.raises(
        UserError, match=r"differs from its record table\.meta\.json, so it is damaged or was edited; restore"
    ):
        read_table(path)


@pytest.mark.parametrize("name", ["train.npy", "test.npy"])
def test_an_input_that_is_not_as_recorded_is_refused(tmp_path, name):
    """Also where one record is of several files, and files of the right shape and finite values."""
    paths = [tmp_path / "train.npy", tmp_path / "test.npy"]
    with record(paths, command="data prepare", meta=tmp_path / "data.meta.json", settings={}):
        for path in paths:
            np.save(path, IMAGES)
    with record([tmp_path / "out"], command="data prepare", inputs=paths, settings={}):
        (tmp_path / "out").write_text("")
    np.save(tmp_path / name, IMAGES ^ 1)
    with (
        pytest.raises(UserError, match=rf"{name}: differs from its record data\.meta\.json"),
        record([tmp_path / "out"], command="data prepare", inputs=paths, settings={}),
    ):
        pass
