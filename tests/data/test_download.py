"""Downloads, unpacking, and all raw files of a scale, fetched before anything else is done."""

import dataclasses
import hashlib
import io
import json
import shutil
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import yaml

from ihdm.data.download import download, unpack
from ihdm.errors import UserError
from ihdm.metrics import extractors

CONTENT = np.random.default_rng(0).bytes(3 * 2**20 + 17)


@pytest.fixture
def fetch(server, tmp_path):
    server.files["file.bin"] = CONTENT
    target = tmp_path / "file.bin"

    def fetch(attempts=3):
        download(f"{server.address}/file.bin", target, attempts=attempts, pause=0.01, timeout=5)
        return target.read_bytes()

    return fetch


def test_a_file_arrives_whole_and_leaves_nothing_else(fetch, tmp_path):
    assert fetch() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_lost_connections_are_resumed(fetch, server):
    server.cut_after, server.num_cuts = 2**20, 2
    assert fetch() == CONTENT
    assert server.asked == [None, f"bytes={2**20}-", f"bytes={2**21}-"]


def test_a_later_run_resumes_the_download(fetch, server, tmp_path):
    server.cut_after, server.num_cuts = 2**20, 1
    with pytest.raises(UserError) as error:
        fetch(attempts=1)
    assert str(error.value) == (
        f"{server.address}/file.bin: the download failed 1 times, the last time with: the connection ended after "
        f"{2**20} of {len(CONTENT)} bytes. {2**20} bytes are kept in {tmp_path}/file.bin.part; run the same command "
        f"again to resume, or copy the file to {tmp_path}/file.bin yourself"
    )
    assert not (tmp_path / "file.bin").exists()
    assert fetch() == CONTENT
    assert server.asked[-1] == f"bytes={2**20}-"


def test_a_server_without_ranges_sends_all_again(fetch, server):
    server.ranges = False
    server.cut_after, server.num_cuts = 2**20, 1
    assert hashlib.sha256(fetch()).hexdigest() == hashlib.sha256(CONTENT).hexdigest()


def test_a_complete_part_only_needs_its_name(fetch, server, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert fetch() == CONTENT


def test_a_part_longer_than_the_file_is_downloaded_again(fetch, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    assert fetch() == CONTENT


def test_a_busy_server_is_asked_again(fetch, server):
    server.statuses = [503, 429]
    assert fetch() == CONTENT


def test_a_refusal_is_final(fetch, server):
    server.statuses = [403]
    with pytest.raises(
        UserError, match=r"file\.bin: the server responds 403, Forbidden; copy the file to .*/file\.bin yourself$"
    ):
        fetch()
    assert len(server.asked) == 1


def test_an_unreachable_server_is_reported(tmp_path):
    with pytest.raises(UserError, match=r"failed 2 times, the last time with: .*refused.*Run the same command again"):
        download("http://127.0.0.1:9/file", tmp_path / "file", attempts=2, pause=0.01)


def test_other_schemes_are_refused(tmp_path):
    with pytest.raises(UserError, match="only http and https"):
        download("file:///etc/hostname", tmp_path / "file")


def test_too_little_space_is_reported_before_the_download(fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(2**20))
    with pytest.raises(UserError) as error:
        fetch()
    assert str(error.value) == f"{tmp_path}: 3.1 MB are needed but 1.0 MB are free; free some space first"
    assert list(tmp_path.iterdir()) == []


MEMBERS = {"set/a.txt": b"a", "set/b/c.txt": b"c" * 1000}


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_all_members_come_out(make, tmp_path, kind):
    archive = tmp_path / f"x.{kind}"
    archive.write_bytes(make.archive_of[kind](MEMBERS))
    unpack(archive, tmp_path / "x")
    assert {name: (tmp_path / "x" / name).read_bytes() for name in names(tmp_path / "x")} == MEMBERS


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["../escaped.txt", "/absolute/escaped.txt", "set/../../escaped.txt"])
def test_paths_that_lead_out_are_refused(make, tmp_path, kind, name):
    place = tmp_path / "place"
    place.mkdir()
    archive = place / f"x.{kind}"
    archive.write_bytes(make.archive_of[kind]({"set/a.txt": b"a", name: b"evil"}))
    with pytest.raises(UserError) as error:
        unpack(archive, place / "x")
    assert str(error.value) == (
        f"{archive}: unsafe archive: its member '{name}' leads out of the target folder; nothing was unpacked"
    )
    assert names(tmp_path) == [f"place/x.{kind}"]


def test_zips_from_windows_and_with_odd_entries_come_out(make, tmp_path):
    (tmp_path / "x.zip").write_bytes(make.zip_of({"./": b"", "set\\b\\c.txt": b"c", "set/a.txt": b"a"}))
    unpack(tmp_path / "x.zip", tmp_path / "x")
    assert names(tmp_path / "x") == ["set/a.txt", "set/b/c.txt"]


@pytest.mark.parametrize(("field", "value"), [("compress_type", 9), ("compress_type", 93), ("flag_bits", 1)])
def test_damaged_archives_are_reported(tmp_path, field, value):
    """Deflate64, Zstandard, and encryption, as the directory at the end says it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as stored:
        stored.writestr("set/a.txt", "a" * 100)
    raw = bytearray(content.getvalue())
    offsets = {"flag_bits": (6, 8), "compress_type": (8, 10)}[field]
    for signature, offset in zip((b"PK\x03\x04", b"PK\x01\x02"), offsets, strict=True):
        place = raw.index(signature) + offset
        raw[place : place + 2] = value.to_bytes(2, "little")
    (tmp_path / "x.zip").write_bytes(raw)
    with pytest.raises(UserError, match=r"x.zip: cannot be unpacked .*replace it by an archive with Deflate"):
        unpack(tmp_path / "x.zip", tmp_path / "x")
    assert names(tmp_path) == ["x.zip"]


def test_a_link_that_leads_out_is_refused(tmp_path):
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as stored:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        stored.addfile(link)
    with pytest.raises(UserError, match="its member 'link' leads out"):
        unpack(archive, tmp_path / "x")
    assert names(tmp_path) == ["x.tar.gz"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_a_truncated_archive_leaves_nothing(make, tmp_path, kind, part):
    whole = make.archive_of[kind]({f"set/{i}.txt": bytes([i]) * 500 for i in range(20)})
    archive = tmp_path / f"x.{kind}"
    archive.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(
        UserError, match=r"a damaged or incomplete archive \(.*delete it and run the same command again"
    ):
        unpack(archive, tmp_path / "x")
    assert names(tmp_path) == [f"x.{kind}"]


def test_a_flipped_byte_is_noticed(make, tmp_path):
    content = bytearray(make.zip_of({"a.txt": bytes(range(256)) * 40}))
    content[60] ^= 255
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match="a damaged or incomplete archive"):
        unpack(tmp_path / "x.zip", tmp_path / "x")


def test_what_a_kill_left_behind_is_removed(make, tmp_path):
    (tmp_path / ".x.unpacking").mkdir()
    (tmp_path / ".x.unpacking" / "half.txt").write_text("half")
    (tmp_path / "x.zip").write_bytes(make.zip_of(MEMBERS))
    unpack(tmp_path / "x.zip", tmp_path / "x")
    assert names(tmp_path / "x") == sorted(MEMBERS)
    assert not (tmp_path / ".x.unpacking").exists()


def test_too_little_space_is_reported_before_unpacking(make, tmp_path, monkeypatch):
    (tmp_path / "x.zip").write_bytes(make.zip_of({"a": bytes(3_000_000)}))
    assert zipfile.is_zipfile(tmp_path / "x.zip")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(2_000_000))
    with pytest.raises(UserError, match=r"3\.0 MB are needed but 2\.0 MB are free"):
        unpack(tmp_path / "x.zip", tmp_path / "x")
    assert names(tmp_path) == ["x.zip"]


ROOT = Path(__file__).parents[2]


@pytest.fixture
def scale(tmp_path):
    """The quick scale with its data sets brought from elsewhere, its raw files in a folder of the test."""

    def make(**datasets):
        values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
        shape = {"image_size": 28, "image_channels": 1}
        values["datasets"] |= {"unused": {"source": "fashion_mnist", **shape}}
        for name, source in datasets.items():
            values["datasets"][name]["source"] = source
        values |= {"data": {"root": str(tmp_path / "data")}}
        values["datasets"]["digits"] |= shape
        values["networks"]["digits"] |= shape
        values["evaluation"]["extractors"] = {"digits": "inception", "photos": "pca"}
        return json.dumps(values)

    return make


@pytest.fixture
def published(publish, server, make, monkeypatch):
    """MNIST and Inception's weights, on the server."""
    names = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
    publish("mnist", {name: make.idx_of(np.zeros((2, 28, 28), np.uint8)) for name in names}, {})
    server.files[extractors.INCEPTION.name] = b"weights"
    address = f"{server.address}/{extractors.INCEPTION.name}"
    known = (hashlib.sha256(b"weights").hexdigest(),)
    monkeypatch.setattr(
        extractors, "INCEPTION", dataclasses.replace(extractors.INCEPTION, address=address, sha256=known)
    )


def test_what_a_scale_needs_is_fetched_once_and_nothing_else(scale, published, server, ihdm, tmp_path, capsys):
    for _ in range(2):
        ihdm("data", "download", "--settings", scale(digits="mnist"))
    assert len(server.asked) == 3
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("[!.]*") if path.is_file())
    assert found == [
        "data/inception/inception-2015-12-05.pt",
        "data/mnist/sha256.json",
        "data/mnist/t10k-images-idx3-ubyte.gz",
        "data/mnist/train-images-idx3-ubyte.gz",
    ]
    assert "photos: inside a package" in capsys.readouterr().out


def test_manual_downloads_are_listed_and_skipped(scale, published, server, ihdm_fails, tmp_path, capsys):
    message = ihdm_fails("data", "download", "--settings", scale(digits="mnist", photos="ffhq"))
    assert message == "ihdm: files are missing for photos; see the messages above"
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("photos")]
    assert line.startswith(
        f"photos: {tmp_path}/data/ffhq/images1024x1024.zip is missing and cannot be downloaded automatically: fetch"
    )
    assert len(server.asked) == 3
