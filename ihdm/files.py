"""Writing so that nothing half-written is ever left, and knowing files by their content."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path to write a file to; it takes the place of ``path`` only if the block ends without error.

    The temporary name lies in the same folder and keeps the ending, by which many writers choose the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary / path.name
        # Some writers make files that only their owner can read, whatever the umask says.
        umask = os.umask(0)
        os.umask(umask)
        (temporary / path.name).chmod(0o666 & ~umask)
        os.replace(temporary / path.name, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
