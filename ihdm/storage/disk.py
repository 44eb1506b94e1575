"""Disk errors as messages of one line, and locks on folders."""

import errno
import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ihdm.errors import UserError
from ihdm.storage.files import full_disk_errors

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
LOCK_NAME = ".lock"


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


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Create ``folder`` and let one process at a time into the block; others wait. A killed process releases it."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / ".lock").open("w")
    with stream:
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
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8", errors="replace")
    with stream:
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
