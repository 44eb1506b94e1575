import hashlib
import shutil
from collections import namedtuple

import numpy as np
import pytest

from ihdm.data.download import download
from ihdm.errors import UserError

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
