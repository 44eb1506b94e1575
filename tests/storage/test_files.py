import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from ihdm.errors import UserError
from ihdm.seeds import generator, torch_seed
from ihdm.storage.files import LOCK_NAME, atomic_path, clear_folder, give, owned, require_writable, sha256
from ihdm.storage.images import tile
from ihdm.storage.provenance import record, settings_hash
from ihdm.storage.reading import open_images
from ihdm.storage.tensors import to_tensor, to_uint8


def test_a_file_is_given_without_a_copy_and_with_one_where_links_are_not_to_be_had(tmp_path, monkeypatch):
    (tmp_path / "made").write_bytes(b"content")
    give(tmp_path / "made", tmp_path / "linked")
    assert (tmp_path / "linked").stat().st_ino == (tmp_path / "made").stat().st_ino

    def refuse(*_arguments):
        raise OSError("another disk")

    monkeypatch.setattr("os.link", refuse)
    give(tmp_path / "made", tmp_path / "copied")
    assert (tmp_path / "copied").read_bytes() == b"content"
    assert (tmp_path / "copied").stat().st_ino != (tmp_path / "made").stat().st_ino


def test_a_hash_follows_the_file(tmp_path):
    path = tmp_path / "file"
    seen = []
    for content in (b"one", b"two", b"one"):
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
        seen.append(sha256(path))
    assert seen == [hashlib.sha256(content).hexdigest() for content in (b"one", b"two", b"one")]


def test_nothing_is_left_of_a_failed_write(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.rglob("*.txt")) == []
    with atomic_path(target) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def test_files_have_the_permissions_of_the_umask(tmp_path):
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("")
        temporary.chmod(0o600)
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


class Both(BaseModel):
    a: float = 1.0
    b: str = "x"


def test_record_holds_the_origin(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    source, result, meta = tmp_path / "in", tmp_path / "out", tmp_path / "out.meta.json"
    source.write_text("in")
    with record([result], command="data prepare", inputs=[source], settings=Both(), seed=3):
        result.write_text("out")
    content = json.loads(meta.read_text())
    assert content["settings"] == {"a": 1.0, "b": "x"}
    assert content["settings_sha256"] == settings_hash(Both())
    assert content["inputs"] == {str(source): sha256(source)}
    assert content["outputs"] == {str(result): sha256(result)}
    assert content["seed"] == 3
    assert content["device"] == "cpu"
    assert content["seconds"] >= 0
    assert {"python", "ihdm", "torch", "numpy", "diffusers", "clean-fid"} <= content["versions"].keys()
    assert content["threads"] == 3


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, reason in (
        ("/proc/x.npy", r"/proc/x.npy: no file can be created in /proc"),
        (tmp_path / "folder", "folder: is a folder"),
    ):
        with pytest.raises(UserError, match=reason), record([Path(path)], command="data prepare", settings={}):
            pytest.fail("the block must not run")
    require_writable(tmp_path / "folder/new/x.npy")
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_full_disk_is_reported(tmp_path):
    with (
        pytest.raises(UserError, match=r"out: no space is left on the disk; free some"),
        atomic_path(tmp_path / "out"),
        Path("/dev/full").open("w") as stream,
    ):
        stream.write("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_cleared_of_known_files_alone(tmp_path):
    for name in ("ours", "theirs"):
        (tmp_path / "state" / f".{name}.abc").mkdir(parents=True)
        (tmp_path / "state" / name).write_text(name)
    clear_folder(tmp_path / "state", ["ours", "never written"])
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"theirs", ".theirs.abc"}
    clear_folder(tmp_path / "state", ["theirs"])
    assert not (tmp_path / "state").exists()


def test_no_record_of_a_failure(tmp_path):
    with pytest.raises(RuntimeError), record([tmp_path / "out"], command="data prepare", settings={}):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "given", "message"),
    [
        ("x/../table.csv", "table.csv", r"table\.csv: is one of the inputs, which it would replace"),
        ("out", "gone", "gone: input file not found"),
    ],
)
def test_inputs_must_exist_and_are_not_replaced(tmp_path, output, given, message):
    (tmp_path / "table.csv").write_text("old")
    with (
        pytest.raises(UserError, match=message),
        record([tmp_path / output], command="report compare", settings={}, inputs=[tmp_path / given]),
    ):
        pytest.fail("the block must not run")
    assert (tmp_path / "table.csv").read_text() == "old"


def test_settings_hash_ignores_the_order():
    assert settings_hash(Both(a=2.0, b="y")) == settings_hash(Both(b="y", a=2.0))
    assert settings_hash(Both(a=2.0)) != settings_hash(Both())
    assert settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})


def test_generators_are_known_values():
    """Pinned: a change here changes every result of the project."""
    assert generator(0, "prior", 3).integers(1000, size=4).tolist() == [466, 6, 268, 244]
    assert torch_seed(1, "dropout", 2) == 3186914060951819050


def test_generators_differ_by_seed_purpose_and_index():
    draws = [
        generator(*key).random()
        for key in [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a", 0, 0), (0, "a"), (0, "a", 2**40)]
    ]
    assert len(set(draws)) == len(draws)


def test_images_there_and_back():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(to_tensor(images)), images)
    rounded = to_uint8(to_tensor(images) + 0.4 / 255)
    np.testing.assert_array_equal(rounded, images)
    assert to_uint8(to_tensor(images) * 2 - 0.5).max() == 255


def test_mapped_images_become_tensors(tmp_path):
    """PyTorch warns of arrays that cannot be written to; warnings are errors here."""
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    mapped = open_images(tmp_path / "images.npy")
    np.testing.assert_array_equal(to_uint8(to_tensor(mapped)), images)
    np.testing.assert_array_equal(to_uint8(to_tensor(mapped[1:])), images[1:])


def test_tile():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 2, 3, 1), dtype=np.uint8)
    sheet = tile(images, columns=3)
    assert sheet.shape == (2 * 3 + 1, 3 * 4 + 1, 1)
    assert (sheet[1:3, 5:8] == 1).all()
    assert (sheet[4:6, 1:4] == 3).all()
    assert (sheet[:, 0] == 255).all()


def test_a_state_has_one_owner_at_a_time(tmp_path):
    state = tmp_path / "state"
    with owned(state):
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        with (
            pytest.raises(UserError, match=f"^{state}: in use by {holder}; stop it, or wait until it ends$"),
            owned(state),
        ):
            pass
        assert (state / LOCK_NAME).exists()
    assert not state.exists()
    with owned(state):
        (state / "kept").write_text("")
    assert [path.name for path in state.iterdir()] == ["kept"]


def test_a_killed_owner_frees_its_state_and_is_reported(tmp_path, capsys):
    code = "import os, sys; from pathlib import Path; from ihdm.storage.files import owned\n"
    code += "with owned(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    killed = subprocess.Popen([sys.executable, "-c", code, tmp_path / "state"])
    killed.wait()
    assert (tmp_path / "state" / LOCK_NAME).exists()
    with owned(tmp_path / "state"):
        told = capsys.readouterr().err
    assert f"process {killed.pid} on {socket.gethostname()} was killed" in told
    with owned(tmp_path / "state"):
        assert capsys.readouterr().err == ""
