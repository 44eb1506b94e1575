"""Which files go into a crate, and under which path."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ihdm.crate.project import Project
from ihdm.results.folder import STAGES

FOLDERS = (*STAGES, "benchmarks")
WITH_DATA = ("data", "portable")
"""Those that hold images that networks were trained on, or what a prior keeps of each: their coefficients.

Without its prior a portable model does not load, and the network itself is among the models.
"""
PIPELINE = PurePosixPath("pipeline")
"""Folder of the crate that holds the project's own files."""


def result_files(results: Path, *, with_data: bool) -> dict[PurePosixPath, Path]:
    """Return the finished results by their path in the crate; logs and what is unfinished are none.

    Args:
        results: the folder of results.
        with_data: whether the images that networks were trained on are among them, and what keeps something of each.
    """
    folders = [name for name in FOLDERS if with_data or name not in WITH_DATA]
    return {
        PurePosixPath(path.relative_to(results).as_posix()): path
        for folder in folders
        for path in _finished(results / folder)
    }


def pipeline_files(project: Project) -> dict[PurePosixPath, Path]:
    """Return the files of the pipeline by their path in the crate."""
    return {PIPELINE / path.as_posix(): project.folder / path for path in project.files}


def _finished(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        # What is being written lies in a folder whose name starts with a dot.
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path
