import io
import shutil
import zipfile
from collections import namedtuple

import pytest

from ihdm.data.download import unpack
from ihdm.errors import UserError

MEMBERS = {"set/a.txt": b"a", "set/b/c.txt": b"c" * 1000}


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_all_members_come_out(make, tmp_path, kind):
    archive = tmp_path / f"x.{kind}"
    archive.write_bytes((make.zip_of if kind == "zip" else make.tar_of)(MEMBERS))
    unpack(archive, tmp_path / "x")
    assert {name: (tmp_path / "x" / name).read_bytes() for name in names(tmp_path / "x")} == MEMBERS


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize("name", ["../escaped.txt", "/absolute/escaped.txt", "set/../../escaped.txt"])
def test_paths_that_lead_out_are_refused(make, tmp_path, kind, name):
    place = tmp_path / "place"
    place.mkdir()
    archive = place / f"x.{kind}"
    archive.write_bytes((make.zip_of if kind == "zip" else make.tar_of)({"set/a.txt": b"a", name: b"evil"}))
    if kind == "tar.gz" and name.startswith("/"):
        # tarfile's own filter takes the slash off, so that the member lands inside
        unpack(archive, place / "x")
        assert names(place / "x") == ["absolute/escaped.txt", "set/a.txt"]
        return
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
    import tarfile

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
    whole = (make.zip_of if kind == "zip" else make.tar_of)({f"set/{i}.txt": bytes([i]) * 500 for i in range(20)})
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
