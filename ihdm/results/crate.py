"""Results as an RO-Crate 1.1 for archives, with the profiles Workflow RO-Crate 1.0 and Process Run Crate 0.5.

A crate is written to the results folder, another folder, or a .zip file.
"""

import json
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ihdm.errors import UserError
from ihdm.results.crate_graph import METADATA_NAME, WORKFLOW, ResultsCrate
from ihdm.results.folder import STAGES
from ihdm.storage.files import atomic_folder, atomic_path, disk_errors
from ihdm.storage.provenance import read_record

WITH_DATA = ("data", "portable")
"""Folders with training images, or with the coefficients of training images that a prior keeps.

An exported pipeline does not load without its prior; the network itself is also in ``models``.
"""
PROJECT_FILES = (
    "Snakefile", "workflow/*/*.smk", "workflow/*/*.rst", "environment*.yml", "requirements.lock", "CITATION.cff",
    "LICENSE",
)  # fmt: skip
WHOLE_SCALE = ("tables/tables.meta.json", "report/claims.meta.json", "report/index.meta.json")
"""Records whose settings are the complete configuration."""
COMPRESSED = (".png", ".webp", ".pdf", ".npz", ".parquet", ".safetensors")


def write_crate(
    results: Path, output: Path, project: Path, license_name: str | None = None, *, with_data: bool
) -> list[int]:
    """Write a crate; a new folder or .zip file appears only when complete. Returns the size of each file in bytes.

    Args:
        results: the results folder.
        output: a folder, possibly the results folder, or a path that ends in ``.zip``.
        project: the checkout of the project.
        license_name: license of the results: an SPDX identifier or a URL; the license of the software by default.
        with_data: whether to include ``WITH_DATA``.

    Raises:
        UserError: if ``output`` is taken, a result differs from its record, or the license is invalid.
    """
    _require_free(output, results)
    files = crate_files(results, project, with_data=with_data)
    with TemporaryDirectory() as folder, disk_errors(output):
        if scale := scale_of(results):
            files[WORKFLOW.with_name("scale.json")] = Path(folder, "scale.json")
            Path(folder, "scale.json").write_text(scale, encoding="utf-8")
        sizes = [path.stat().st_size for path in files.values()]
        metadata = ResultsCrate(files, results, project, license_name).text()
        files[PurePosixPath(METADATA_NAME)] = Path(folder, METADATA_NAME)  # written last
        Path(folder, METADATA_NAME).write_text(metadata, encoding="utf-8")
        if output.suffix == ".zip":
            with atomic_path(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
                for name in sorted(files, key=lambda name: (name.name != METADATA_NAME, name)):
                    _archive(archive, str(name), files[name])
        elif output.exists() and any(output.iterdir()):
            _copy(files, output)
        else:
            with atomic_folder(output) as temporary:
                _copy(files, temporary)
    return sizes


def crate_files(results: Path, project: Path, *, with_data: bool) -> dict[PurePosixPath, Path]:
    """Return finished results and the files of the pipeline by path in the crate, without logs and training states."""
    folders = [name for name in (*STAGES, "benchmarks") if with_data or name not in WITH_DATA]
    found = [path for name in folders for path in sorted((results / name).rglob("*")) if path.is_file()]
    files = {PurePosixPath(path.relative_to(results)): path for path in found}
    # Unfinished files are in folders whose names start with a dot.
    files = {name: path for name, path in files.items() if not any(part.startswith(".") for part in name.parts)}
    pipeline = [path for pattern in PROJECT_FILES for path in sorted(project.glob(pattern))]
    return files | {WORKFLOW.parent / path.relative_to(project): path for path in pipeline}


def scale_of(results: Path) -> str | None:
    """Return the configuration of the results, as a file for Snakemake; None if they are unfinished."""
    for name in WHOLE_SCALE:
        with suppress(UserError):
            return json.dumps(read_record(results / name)["settings"], indent=1, ensure_ascii=False) + "\n"
    return None


def _require_free(output: Path, results: Path) -> None:
    inside, outside = output.resolve(), results.resolve()
    if inside == outside:
        return
    if inside.is_relative_to(outside):
        raise UserError(f"--output {output}: inside the results folder; give a path outside it")
    if output.is_dir() and (output.suffix == ".zip" or any(output.iterdir())):
        raise UserError(f"--output {output}: the folder is not empty; give another path, or delete it")
    if output.is_file() and output.suffix != ".zip":
        raise UserError(f"--output {output}: a file; give a folder, or a path that ends in .zip")


def _copy(files: dict[PurePosixPath, Path], folder: Path) -> None:
    for name, path in files.items():
        if path != folder / name:
            # Copied, never linked: editing the crate must not change the results.
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(path, temporary)


def _archive(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    # One fixed time for all files, so that equal results give equal bytes.
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr, entry.file_size = 0o100644 << 16, path.stat().st_size
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(COMPRESSED) else zipfile.ZIP_DEFLATED
    with path.open("rb") as source, archive.open(entry, "w") as target:
        shutil.copyfileobj(source, target, 2**20)
