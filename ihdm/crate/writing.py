"""Writing a crate: into the folder of results itself, into another folder, or as a .zip file."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ihdm.crate.contents import PIPELINE, crate_files, scale_of
from ihdm.crate.graph import METADATA_NAME, Crate
from ihdm.errors import UserError
from ihdm.storage.disk import disk_errors
from ihdm.storage.files import atomic_folder, atomic_path

COMPRESSED = (".png", ".webp", ".pdf", ".npz", ".parquet", ".safetensors")
"""Extensions of files that compression does not make smaller."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a .zip, so that equal results give equal bytes."""


def write_crate(
    results: Path, output: Path, project: Path, license_name: str | None = None, *, with_data: bool
) -> list[int]:
    """Write a crate; a new folder or an archive appears only when it is complete. Returns the size of each file.

    Args:
        results: the folder of results.
        output: a folder, which may be that of the results, or a path that ends in ``.zip``.
        project: the checkout of the project.
        license_name: of the results: an SPDX identifier or an address; by default that of the software.
        with_data: whether training images, and exported pipelines, which keep something of each, are included.

    Raises:
        UserError: if something else is at ``output``, a result differs from its record, or the license is none.
    """
    _require_free(output, results)
    files = crate_files(results, project, with_data=with_data)
    with TemporaryDirectory() as folder, disk_errors(output):
        if scale := scale_of(results):
            files[PIPELINE / "scale.json"] = Path(folder, "scale.json")
            Path(folder, "scale.json").write_text(scale, encoding="utf-8")
        sizes = [path.stat().st_size for path in files.values()]
        metadata = Crate(files, results, project, license_name).metadata()
        files[PurePosixPath(METADATA_NAME)] = Path(folder, METADATA_NAME)  # written last
        Path(folder, METADATA_NAME).write_text(metadata, encoding="utf-8")
        if output.suffix == ".zip":
            with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                for name in sorted(files, key=lambda name: (name.name != METADATA_NAME, name)):
                    _archive(archive, str(name), files[name])
        elif output.exists() and any(output.iterdir()):
            _fill(files, output)
        else:
            with atomic_folder(output) as temporary:
                _fill(files, temporary)
    return sizes


def _require_free(output: Path, results: Path) -> None:
    inside, outside = output.resolve(), results.resolve()
    if inside == outside:
        return
    if inside.is_relative_to(outside):
        raise UserError(f"--output {output}: lies in the folder of results; give a place outside of it")
    if output.is_dir() and (output.suffix == ".zip" or any(output.iterdir())):
        raise UserError(f"--output {output}: a folder with something in it; give another path, or remove it")
    if output.is_file() and output.suffix != ".zip":
        raise UserError(f"--output {output}: is a file; give a folder, or a path that ends in .zip")


def _fill(files: Mapping[PurePosixPath, Path], folder: Path) -> None:
    for name, path in files.items():
        if path != folder / name:
            # Copied, never linked: a change of the crate changes no result.
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(path, temporary)


def _archive(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.external_attr, entry.file_size = 0o100644 << 16, path.stat().st_size
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(COMPRESSED) else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 2**20)
