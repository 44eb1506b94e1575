"""A server on loopback that can be made to misbehave, and tiny archives laid out like the published ones."""

import gzip
import http.server
import io
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ihdm.data.sources import SOURCES


@dataclass
class Server:
    """Files by name, and how they are served."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None  # the connection ends after so many bytes …
    num_cuts: int = 0  # … so many times
    statuses: list[int] = field(default_factory=list)  # answers given before any other
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)  # the Range header of every request


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            content = state.files.get(self.path.strip("/"))
            if state.statuses or content is None:
                self.send_error(state.statuses.pop(0) if state.statuses else 404)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            if state.num_cuts:
                state.num_cuts -= 1
                body = body[: state.cut_after]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Clients that hang up are part of the tests."""

    with Quiet(("127.0.0.1", 0), Handler) as running:
        state = Server(f"http://127.0.0.1:{running.server_port}")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let a source of the registry fetch its files from the server; its counts and hashes are those given."""

    def publish(
        name: str, files: dict[str, bytes], counts: dict[str, int], sha256: dict[str, str] | None = None
    ) -> None:
        server.files |= files
        source = SOURCES[name]
        raw, of_labels = (
            tuple(
                replace(
                    file,
                    address=file.address and f"{server.address}/{file.name}",
                    sha256=(sha256[file.name],) if sha256 and file.name in sha256 else (),
                    installed=None,
                )
                for file in files_of
            )
            for files_of in (source.files, source.label_files)
        )
        changed = replace(source, files=raw, label_files=of_labels, counts=counts)
        monkeypatch.setitem(SOURCES, name, changed)

    return publish


def picture(seed: int, width: int = 40, height: int = 30, mode: str = "RGB") -> Image.Image:
    """A smooth random picture that JPEG and WebP keep well."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encode(image: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def idx_of(values: np.ndarray) -> bytes:
    return gzip.compress(np.array([0x0800 + values.ndim, *values.shape], ">u4").tobytes() + values.tobytes())


class Make:
    """The makers of tiny files, for tests, which cannot import them."""

    picture = staticmethod(picture)
    encode = staticmethod(encode)
    zip_of = staticmethod(zip_of)
    tar_of = staticmethod(tar_of)
    archive_of = {"zip": zip_of, "tar.gz": tar_of}  # noqa: RUF012 (as it is)
    idx_of = staticmethod(idx_of)

    @staticmethod
    def folder(path: Path, count: int, **kind: object) -> Path:
        """A folder of ``count`` pictures, PNG."""
        path.mkdir(parents=True)
        for number in range(count):
            picture(number, **kind).save(path / f"{number:04}.png")
        return path


@pytest.fixture
def make() -> Make:
    return Make()
