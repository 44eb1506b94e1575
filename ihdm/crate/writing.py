"""Writing a crate: into the folder of results itself, into another one, or as one file, .zip."""

import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ihdm.crate.graph import METADATA_NAME
from ihdm.errors import UserError
from ihdm.storage.disk import disk_errors
from ihdm.storage.files import atomic_path

COMPRESSED = (".png", ".webp", ".pdf", ".npz", ".parquet", ".safetensors")
"""Files that take no less room when they are compressed once more."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a .zip, so that equal results make equal bytes."""


def require_free(output: Path, results: Path) -> None:
    """Check that a crate can be written to a path.

    Raises:
        UserError: if something else is there, or it lies among the results.
    """
    inside, outside = output.resolve(), results.resolve()
    if inside == outside:
        return
    if inside.is_relative_to(outside):
        raise UserError(f"--output {output}: lies in the folder of results; give a place outside of it")
    if output.is_dir() and (output.suffix == ".zip" or any(output.iterdir())):
        raise UserError(f"--output {output}: a folder with something in it; give another path, or remove it")
    if output.is_file() and output.suffix != ".zip":
        raise UserError(f"--output {output}: is a file; give a folder, or a path that ends in .zip")


def write_crate(files: Mapping[PurePosixPath, Path], metadata: str, output: Path) -> None:
    """Write files and metadata; a folder or an archive is there only when all of it is.

    Within the folder of results, the metadata is written last.

    Args:
        files: where each file lies, by its path in the crate.
        metadata: the text of ``ro-crate-metadata.json``.
        output: a folder, which may be that of the results, or a path that ends in ``.zip``.
    """
    with disk_errors(output):
        if output.suffix == ".zip":
            with atomic_path(output) as temporary:
                _write_zip(files, metadata, temporary)
        elif output.exists() and any(output.iterdir()):
            _fill(files, metadata, output)
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
            try:
                folder = temporary / output.name
                folder.mkdir()
                _fill(files, metadata, folder)
                folder.replace(output)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)


def _fill(files: Mapping[PurePosixPath, Path], metadata: str, folder: Path) -> None:
    for name, path in files.items():
        if path != folder / name:
            # Copied, never linked: who changes a crate changes no result.
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(path, temporary)
    with atomic_path(folder / METADATA_NAME) as temporary:
        temporary.write_text(metadata)


def _write_zip(files: Mapping[PurePosixPath, Path], metadata: str, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        _entry(archive, METADATA_NAME, metadata.encode())
        for name in sorted(files):
            _entry(archive, str(name), files[name])


def _entry(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr = 0o100644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(COMPRESSED) else zipfile.ZIP_DEFLATED
    if isinstance(content, bytes):
        archive.writestr(entry, content)
        return
    entry.file_size = content.stat().st_size
    with content.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)
