"""Atomic writing of files and folders, disk errors as messages of one line, locks on folders, hashes of files."""

import errno
import fcntl
import hashlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from ihdm.errors import UserError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk, or a quota that is used up, is called by the system."""
NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
LOCK_NAME = ".lock"


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; the file written there replaces ``path`` only if the block ends without error.

    The temporary file is in the same folder and keeps the extension, by which many writers choose the format.

    Raises:
        UserError: if the disk is full.
    """
    path = Path(path)
    with full_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary / path.name
            # Some writers ignore the umask and make files that only their owner can read.
            umask = os.umask(0)
            os.umask(umask)
            (temporary / path.name).chmod(0o666 & ~umask)
            os.replace(temporary / path.name, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder, which replaces ``path`` only if the block ends without error.

    Raises:
        UserError: if the disk is full.
    """
    path = path.absolute()
    with full_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        filled, previous = temporary / "new", temporary / "previous"
        try:
            filled.mkdir()
            yield filled
            if path.exists():
                os.replace(path, previous)
            os.replace(filled, path)
        finally:
            if previous.exists() and not path.exists():  # interrupted between the two renames
                os.replace(previous, path)
            shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of ``path`` from processes that were killed within :func:`atomic_path`."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        if leftover.is_dir():
            shutil.rmtree(leftover)


def clear_folder(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of these names from a folder, and the folder if it is then empty."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        remove_leftovers(folder / name)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def require_writable(path: Path) -> None:
    """Check that a file can be created at ``path``, whose folder may not exist yet; nothing is left behind.

    Raises:
        UserError: if it cannot.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; use the name of a file as output")
    _require_takes_files(path)


def require_replaceable(folder: Path) -> None:
    """Check that :func:`atomic_folder` can create or replace ``folder``; nothing is left behind.

    Raises:
        UserError: if it cannot, or it is the current folder.
    """
    if folder.resolve() == Path.cwd():
        raise UserError(f"{folder}: is the current folder, which would be replaced; use another output folder")
    _require_takes_files(folder)


def _require_takes_files(path: Path) -> None:
    """Check that files can be created next to ``path``, whose folder may not exist yet."""
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{path}: no file can be created in {folder} ({error.strerror}); use another output, or fix the permissions"
        ) from None


@contextmanager
def full_disk_errors(path: Path) -> Iterator[None]:
    """Within the block, a full disk becomes a UserError about ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise UserError(
            f"{error.filename or path}: no space is left on the disk; free some and run the same command again"
        ) from None


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Within the block, a full disk or a missing permission becomes a UserError about ``path``."""
    try:
        with full_disk_errors(path):
            yield
    except OSError as error:
        if error.errno in NO_PERMISSION:
            raise UserError(f"{error.filename or path}: no permission to write here ({error.strerror})") from None
        raise


def require_space(folder: Path, num_bytes: int) -> None:
    """Check that ``num_bytes`` fit on the disk of ``folder``, which exists.

    Raises:
        UserError: if they do not fit; nothing is written.
    """
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise UserError(
            f"{folder}: {num_bytes / 1e6:.1f} MB are needed but {free / 1e6:.1f} MB are free; free some space first"
        )


def give(source: Path, path: Path) -> None:
    """Link or copy a file that is no longer written to ``path``; on one disk no byte is copied."""
    with atomic_path(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, temporary)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, cached in this process while the file does not change."""
    status = Path(path).stat()
    return _sha256(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1000)
def _sha256(path: str, _inode: int, _size: int, _changed: int) -> str:
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Create ``folder`` and let one process at a time into the block; others wait. A killed process releases it."""
    with _lock_file(folder) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Lock ``folder``, a state that only one process may change; a killed process releases it.

    An earlier killed process is reported on standard error, because its own log ends without a message.

    Raises:
        UserError: if another process on this machine, or another one with this file system, holds the lock.
    """
    path = folder / LOCK_NAME
    with _lock_file(folder) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = path.exists() and path.stat().st_ino == os.fstat(stream.fileno()).st_ino
        except BlockingIOError:
            is_ours = False
        if not is_ours:
            stream.seek(0)
            raise UserError(f"{folder}: in use by {stream.read() or 'another process'}; stop it, or wait until it ends")
        stream.seek(0)
        if killed := stream.read():  # it would have removed the file
            print(
                f"{folder}: {killed} was killed, or its machine failed; resuming from its saved state", file=sys.stderr
            )
        stream.truncate(0)
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # as long as anything else is in it
                folder.rmdir()


def _lock_file(folder: Path) -> TextIO:
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK_NAME).open("a+", encoding="utf-8", errors="replace")
