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
    """Give a path to write a file or folder to; it takes the place of ``path`` only if the block ends without error.

    The temporary name lies in the same folder and keeps the ending, by which many writers choose the format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary / path.name
        if path.is_dir():
            # A folder cannot be replaced in one step: move the old one aside, to be removed with the temporary folder.
            os.replace(path, temporary / f"{path.name}.old")
        os.replace(temporary / path.name, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, or of a folder: that of its sorted files' names and digests."""
    path = Path(path)
    if path.is_dir():
        lines = [f"{file.relative_to(path)} {sha256(file)}" for file in sorted(path.rglob("*")) if file.is_file()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
