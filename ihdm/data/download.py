"""Resumable downloads, and safe unpacking of untrusted archives."""

import http.client
import os
import shutil
import tarfile
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ihdm.errors import UserError
from ihdm.progress import Progress
from ihdm.storage.files import disk_errors, require_space

BLOCK_BYTES = 2**20
PASSING_STATUSES = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses that are worth another attempt."""


class _PassingError(Exception):
    """A failure that is worth another attempt."""


def download(address: str, target: Path, *, attempts: int = 5, pause: float = 2.0, timeout: float = 60.0) -> None:
    """Download ``address`` to ``target``, whose folder exists.

    A partial download is kept in ``NAME.part``, and the next attempt, also of a later process, requests only the rest.

    Args:
        address: an http or https URL.
        target: path of the file.
        attempts: number of attempts; the pause between them doubles each time.
        pause: seconds before the second attempt.
        timeout: seconds without data after which a connection is lost.

    Raises:
        UserError: if the server refuses, or all attempts fail.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise UserError(f"{address}: only http and https addresses can be downloaded")
    part = target.with_name(f"{target.name}.part")
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _fetch_rest(address, target, part, timeout)
            os.replace(part, target)
            return
        except _PassingError as error:
            failure = error
    arrived = part.stat().st_size if part.exists() else 0
    kept = f"{arrived} bytes are kept in {part}; run the same command again to resume"
    raise UserError(
        f"{address}: the download failed {attempts} times, the last time with: {failure}. "
        f"{kept if arrived else 'Run the same command again'}, or copy the file to {target} yourself"
    )


def _fetch_rest(address: str, target: Path, part: Path, timeout: float) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 (checked above)
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310
            if have and response.status != 206:
                have = 0  # the server ignores ranges and sends the whole file
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            _receive(response, part, have, total)
    except HTTPError as error:
        error.close()
        if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return  # the download was complete
        if error.code == 416:
            part.unlink()
            raise _PassingError(f"the server has fewer than the {have} bytes already downloaded") from None
        if error.code in PASSING_STATUSES:
            raise _PassingError(f"status {error.code}, {error.reason}") from None
        raise UserError(
            f"{address}: the server responds {error.code}, {error.reason}; copy the file to {target} yourself"
        ) from None
    except (URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _PassingError(str(getattr(error, "reason", error)) or type(error).__name__) from None


def _receive(response: http.client.HTTPResponse, part: Path, have: int, total: int | None) -> None:
    if total is not None:
        require_space(part.parent, total - have)
    task = f"downloading {part.stem}"
    with (
        disk_errors(part),
        part.open("r+b" if have else "wb") as stream,
        Progress(task, total or 0, "bytes") as progress,
    ):
        stream.seek(have)
        while block := response.read(BLOCK_BYTES):
            stream.write(block)
            have += len(block)
            if total:
                progress.update(have)
    if total is not None and have != total:
        raise _PassingError(f"the connection ended after {have} of {total} bytes")


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar.gz to ``folder``, which is replaced when the archive is complete.

    Raises:
        UserError: if the archive is damaged, a path in it leads outside the folder, or the disk is full.
    """
    # A fixed name, so that the remains of a killed run are removed.
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with disk_errors(folder):
            temporary.mkdir(parents=True)
            if archive.suffix == ".zip":
                _unpack_zip(archive, temporary)
            else:
                _unpack_tar(archive, temporary)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
    except (NotImplementedError, RuntimeError) as error:  # another compression, or a password
        raise UserError(
            f"{archive}: cannot be unpacked ({error}); replace it by an archive with Deflate compression and no "
            "password, or unpack it manually"
        ) from None
    except (zipfile.BadZipFile, tarfile.ReadError, zlib.error, EOFError) as error:
        raise UserError(
            f"{archive}: a damaged or incomplete archive ({error}); delete it and run the same command again"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as stored:
        for member in stored.infolist():
            name = member.filename
            member.filename = name.replace("\\", "/")  # separator of some Windows programs
            if _leads_out(member.filename):
                raise _unsafe(archive, name)
        require_space(folder, sum(member.file_size for member in stored.infolist()))
        for member in stored.infolist():
            stored.extract(member, folder)  # its name is checked above


def _unpack_tar(archive: Path, folder: Path) -> None:
    """Write the folders and the contents of the files, without their owners and rights; refuse links and devices."""
    with tarfile.open(archive, "r:gz") as stored:
        members = stored.getmembers()
        for member in members:
            if _leads_out(member.name):
                raise _unsafe(archive, member.name)
            if not (member.isfile() or member.isdir()):
                raise _unsafe(archive, member.name, "leads out as a link or device")
        require_space(folder, sum(member.size for member in members))
        for member in members:
            target = folder / member.name
            (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
            if source := stored.extractfile(member):
                with source, target.open("wb") as stream:
                    shutil.copyfileobj(source, stream)


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1])


def _unsafe(archive: Path, name: str, reason: str = "leads out of the target folder") -> UserError:
    return UserError(f"{archive}: unsafe archive: its member '{name}' {reason}; nothing was unpacked")
