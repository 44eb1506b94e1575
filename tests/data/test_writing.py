import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ihdm.config.settings import DatasetSettings
from ihdm.data import files
from ihdm.data.source import RawData
from ihdm.data.sources.folder import load_folder
from ihdm.data.writing import CHUNK_IMAGES, find_copies, prepare_splits
from ihdm.errors import UserError
from ihdm.storage.files import disk_errors, owned
from ihdm.storage.reading import open_images

SPLITS = ("train", "test")


def settings_for(folder, **more):
    return DatasetSettings(source="folder", image_size=16, image_channels=3, path=str(folder), **more)


def prepare(folder, place, workers=1, **more):
    """Prepare a folder of images below ``place``; return the SHA-256 of each array."""
    settings = settings_for(folder, **more)
    splits = load_folder(settings, RawData(Path(folder)))
    prepare_splits(splits, settings, place / "state", place / "out", {"source": "made by a test"}, workers=workers)
    return {split: digest(place / "out" / f"{split}.npy") for split in SPLITS}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def everything_in(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


def described(place):
    return {split: json.loads((place / f"out/{split}.json").read_text()) for split in SPLITS}


def names_of(folder, split="train"):
    return load_folder(settings_for(folder), RawData(folder))[split].names


@pytest.fixture
def folder(make, tmp_path):
    return make.folder(tmp_path / "images", 3 * CHUNK_IMAGES)


def test_arrays_and_descriptions(folder, tmp_path):
    prepare(folder, tmp_path)
    assert everything_in(tmp_path / "out") == ["test.json", "test.npy", "train.json", "train.npy"]
    assert not (tmp_path / "state").exists()
    settings = settings_for(folder)
    for split, encoded in load_folder(settings, RawData(folder)).items():
        path = tmp_path / "out" / f"{split}.npy"
        images = open_images(path)
        np.testing.assert_array_equal(images, np.stack([encoded.decode(i).pixels for i in range(len(encoded))]))
        np.save(tmp_path / "by_numpy.npy", images)
        assert (tmp_path / "by_numpy.npy").read_bytes() == path.read_bytes()
        assert json.loads(path.with_suffix(".json").read_text()) == {
            "shape": list(images.shape),
            "layout": "image, row, column, channel",
            "dtype": "uint8",
            "range": [int(images.min()), int(images.max())],
            "source": "made by a test",
            "left_out": {},
            "num_transparent": 0,
            "num_shared": 0,
            "sha256": digest(path),
        }


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_no_byte(folder, tmp_path, workers):
    assert prepare(folder, tmp_path / "one") == prepare(folder, tmp_path / "more", workers=workers)


@pytest.mark.pipeline
def test_killed_in_the_middle_and_run_again(make, tmp_path):
    folder = make.folder(tmp_path / "many", CHUNK_IMAGES // 4, width=600, height=500)
    for number in range(CHUNK_IMAGES // 4, 6 * CHUNK_IMAGES):
        shutil.copy(folder / f"{number % 8:04}.png", folder / f"{number:04}.png")
    expected = prepare(folder, tmp_path / "whole")
    place = tmp_path / "killed"
    command = [
        *(sys.executable, "-m", "ihdm", "data", "prepare", "--settings", settings_for(folder).model_dump_json()),
        *("--output", str(place / "out"), "--state", str(place / "state"), "--workers", "2"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    journal = place / "state" / "train.jsonl"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 2):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = journal.read_text().count("\n")
    assert 2 <= done < 6
    assert not (place / "out").exists() or everything_in(place / "out") == []
    # What lies beyond the journal is not trusted.
    with (place / "state" / "train.npy").open("ab") as partial:
        partial.write(b"half an image")
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "173/173 images" in result.stderr
    assert {split: digest(place / "out" / f"{split}.npy") for split in SPLITS} == expected
    names = ("data.meta.json", "test.json", "test.npy", "train.json", "train.npy")
    assert everything_in(place) == [f"out/{name}" for name in names]


@pytest.fixture
def count(monkeypatch):
    """The number of decoded images; after ``limit`` of them, decoding is interrupted."""
    original, count = files.ImageFiles.decode, SimpleNamespace(decoded=0, limit=10**6)

    def decode(self, position):
        count.decoded += 1
        if count.decoded > count.limit:
            raise KeyboardInterrupt
        return original(self, position)

    monkeypatch.setattr(files.ImageFiles, "decode", decode)
    return count


@pytest.fixture
def interrupt(count, folder, tmp_path):
    """Prepare the folder until so many images are decoded."""

    def interrupt(after):
        count.limit = count.decoded + after
        with pytest.raises(KeyboardInterrupt):
            prepare(folder, tmp_path)
        count.limit, count.decoded = 10**6, 0

    return interrupt


def test_what_is_done_is_not_done_again(folder, tmp_path, count, interrupt):
    expected = prepare(folder, tmp_path / "whole")
    interrupt(CHUNK_IMAGES + 3)
    assert prepare(folder, tmp_path) == expected
    assert count.decoded == 2 * CHUNK_IMAGES


@pytest.mark.parametrize("change", ["image", "array"])
def test_an_image_that_changed_and_a_lost_end_of_the_array_are_noticed(folder, tmp_path, interrupt, make, change):
    interrupt(2 * CHUNK_IMAGES)
    if change == "image":
        make.picture(999).save(folder / names_of(folder)[CHUNK_IMAGES])
    else:
        os.truncate(tmp_path / "state" / "train.npy", 3000)
    assert prepare(folder, tmp_path) == prepare(folder, tmp_path / "anew")


def test_another_size_starts_again(folder, tmp_path, interrupt):
    interrupt(2 * CHUNK_IMAGES)
    settings = settings_for(folder).model_copy(update={"image_size": 8})
    prepare_splits(load_folder(settings, RawData(folder)), settings, tmp_path / "state", tmp_path / "out", {})
    assert open_images(tmp_path / "out" / "train.npy").shape[1:] == (8, 8, 3)


def test_broken_images_are_named_and_counted_and_may_be_skipped(folder, tmp_path, count, capsys):
    broken = names_of(folder)[5]
    (folder / broken).write_bytes(b"no image")
    with pytest.raises(UserError) as error:
        prepare(folder, tmp_path)
    assert str(error.value) == (
        f"1 of 86 images of split 'train' cannot be used: {broken} (not an image, or of an unknown format); fix or "
        "remove them, or set skip_broken: true for the data set, and run the same command again to resume"
    )
    assert everything_in(tmp_path / "out") == []
    count.decoded = 0
    prepare(folder, tmp_path, skip_broken=True)
    assert count.decoded == 10  # the test split alone; the training split was complete
    assert "skipped, as skip_broken is set" in capsys.readouterr().out
    assert len(open_images(tmp_path / "out" / "train.npy")) == 85
    description = described(tmp_path)["train"]
    assert description["shape"][0] == 85
    assert description["left_out"] == {broken: "not an image, or of an unknown format"}


def test_the_same_command_resumes_after_an_image_is_fixed(folder, tmp_path, count):
    broken = names_of(folder)[CHUNK_IMAGES]
    whole = (folder / broken).read_bytes()
    (folder / broken).write_bytes(whole[:100])
    with pytest.raises(UserError, match="1 of 86 images"):
        prepare(folder, tmp_path)
    (folder / broken).write_bytes(whole)
    count.decoded = 0
    found = prepare(folder, tmp_path)
    assert count.decoded == 86 - CHUNK_IMAGES + 10  # from the mended image's chunk on
    assert found == prepare(folder, tmp_path / "anew")


def test_many_broken_images_are_counted_and_some_named(folder, tmp_path):
    for name in names_of(folder)[:8]:
        (folder / name).write_bytes(b"")
    with pytest.raises(
        UserError, match=r"^8 of 86 images of split 'train' cannot be used: (.* \(.*\), ){4}.* and 3 more;"
    ):
        prepare(folder, tmp_path)


def test_transparent_images_are_counted_and_reported(folder, tmp_path, interrupt, make, capsys):
    names = names_of(folder)
    clear, half = make.picture(1001, mode="RGBA"), make.picture(1002).quantize(8)
    clear.putpixel((3, 3), (0, 0, 0, 254))
    clear.save(folder / names[0])
    half.save(folder / names[CHUNK_IMAGES], transparency=half.getpixel((0, 0)))
    make.picture(1003, mode="RGBA").save(folder / names[1])  # whole, though it could be transparent
    make.picture(1004, mode="L").save(folder / names[2])
    interrupt(2 * CHUNK_IMAGES)
    prepare(folder, tmp_path)  # what was counted before the interruption is not forgotten
    assert {split: content["num_transparent"] for split, content in described(tmp_path).items()} == {
        "train": 2,
        "test": 0,
    }
    assert capsys.readouterr().out == "2 of 86 images of split 'train' have transparent parts, now white\n"


@pytest.mark.parametrize("skip_broken", [False, True])
def test_images_in_both_splits_are_counted_and_reported(folder, tmp_path, capsys, skip_broken):
    train, test = names_of(folder), names_of(folder, "test")
    for original, copy in ((train[7], test[2]), (train[7], test[4]), (train[9], train[10]), (test[5], train[50])):
        shutil.copy(folder / original, folder / copy)
    broken = [test[0]] if skip_broken else []
    for name in broken:
        (folder / name).write_bytes(b"no image")
    prepare(folder, tmp_path, skip_broken=skip_broken)
    assert [described(tmp_path)[split]["num_shared"] for split in SPLITS] == [2, 3]
    assert capsys.readouterr().out.splitlines()[len(broken) :] == [
        f"warning: 3 of {10 - len(broken)} test images are exact copies of training images ({test[2]}, {test[4]}, "
        f"{test[5]}); results on test images are too optimistic: remove the copies below {folder}, "
        f"then {tmp_path}/out, and run the same command again"
    ]


def test_copies_among_images_that_need_no_decoding(tmp_path, capsys):
    splits = {split: np.zeros((count, 8, 8, 1), np.uint8) for split, count in (("train", 7), ("test", 4))}
    splits["train"][3:] = np.arange(1, 5).reshape(4, 1, 1, 1)
    splits["test"][1:] = np.array([4, 9, 4]).reshape(3, 1, 1, 1)
    assert find_copies(**splits) == {"train": [0, 1, 2, 6], "test": [0, 1, 3]}
    settings = DatasetSettings(source="digits", image_size=8, image_channels=1)
    prepare_splits(splits, settings, tmp_path / "state", tmp_path / "out", {})
    assert capsys.readouterr().out == (
        "warning: 3 of 4 test images are exact copies of training images; results on test images are too optimistic: "
        "the source contains them, so interpret such results with care\n"
    )
    np.testing.assert_array_equal(open_images(tmp_path / "out/train.npy"), splits["train"])


def test_copies_are_found_in_a_stream(tmp_path):
    """Of 100 MB of training images none stay in memory, and no pair of images is compared."""
    train = np.lib.format.open_memmap(tmp_path / "train.npy", "w+", np.uint8, (100_000, 32, 32, 1))
    train[:, 0, :3, 0] = np.arange(100_000)[:, None] >> np.array([0, 8, 16]) & 255
    test = train[[5, 70_000]].copy()
    tracemalloc.start()
    assert find_copies(open_images(tmp_path / "train.npy"), test) == {"train": [5, 70_000], "test": [0, 1]}
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_nothing_left_of_a_split(make, tmp_path):
    folder = make.folder(tmp_path / "images", 3, width=10, height=10)
    with pytest.raises(UserError, match=r"^2 of 2 images of split 'train' .* \(only 10×10 pixels\); no image is left$"):
        prepare(folder, tmp_path, skip_broken=True)
    assert everything_in(tmp_path / "out") == []


@pytest.mark.parametrize("damage", [b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"key": 1, "written": "many"}\n'])
def test_a_damaged_journal_restarts_the_split(folder, tmp_path, damage):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/train.jsonl").write_bytes(damage)
    (tmp_path / "state/train.npy").write_bytes(b"something else")
    assert prepare(folder, tmp_path) == prepare(folder, tmp_path / "anew")


def test_files_of_others_in_the_state_stay(folder, tmp_path):
    (tmp_path / "state/.train.jsonl.abc").mkdir(parents=True)  # what a kill has left
    (tmp_path / "state/notes.txt").write_text("mine")
    prepare(folder, tmp_path)
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["notes.txt"]


def test_too_little_space_is_reported_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1000))
    with pytest.raises(UserError, match=r"/state: 0\.1 MB are needed but 0\.0 MB are free; free some space first$"):
        prepare(folder, tmp_path)
    monkeypatch.undo()
    assert prepare(folder, tmp_path) == prepare(folder, tmp_path / "anew")


def test_a_disk_that_fills_up_meanwhile(folder, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "train.npy").symlink_to("/dev/full")
    with pytest.raises(UserError) as error:
        prepare(folder, tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/state: no space is left on the disk; free some and run the same command again"
    )
    assert everything_in(tmp_path / "out") == []
    (tmp_path / "state" / "train.npy").unlink()
    assert prepare(folder, tmp_path) == prepare(folder, tmp_path / "anew")


@pytest.mark.parametrize("part", ["out", "state"])
def test_a_folder_that_may_not_be_written_to(folder, part):
    # Root may write anywhere, so the test lets go of that for a moment.
    with tempfile.TemporaryDirectory() as outer:
        place = Path(outer)
        place.chmod(0o755)
        for name in ("out", "state"):
            (place / name).mkdir()
            (place / name).chmod(0o555 if name == part else 0o777)
        shutil.copytree(folder, place / "images")
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65534)
        try:
            with pytest.raises(
                UserError, match=rf"{outer}/{part}/.*: no permission to write here \(Permission denied\)$"
            ):
                prepare(place / "images", place)
        finally:
            if was_root:
                os.seteuid(0)
        assert everything_in(place / "out") == []


def test_other_errors_are_not_disguised(tmp_path):
    with pytest.raises(OSError, match="Input/output error"), disk_errors(tmp_path):
        raise OSError(errno.EIO, "Input/output error")


def test_two_processes_do_not_prepare_one_data_set(folder, tmp_path, ihdm):
    with (
        owned(tmp_path / "state"),
        pytest.raises(SystemExit, match=rf"^ihdm: {tmp_path / 'state'}: in use by process \d+ on .*; stop it, or wait"),
    ):
        ihdm(
            *("data", "prepare", "--settings", settings_for(folder).model_dump_json()),
            *("--output", tmp_path / "out", "--state", tmp_path / "state"),
        )
    assert not (tmp_path / "out").exists()
