"""What goes into a crate: finished results, the pipeline's own files, and descriptions of both."""

import json
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from ihdm.errors import UserError
from ihdm.measures import reported
from ihdm.results.folder import STAGES
from ihdm.storage.provenance import read_record

WITH_DATA = ("data", "portable")
"""Folders with training images, or with the coefficients of training images that a prior keeps.

An exported pipeline does not load without its prior; the network itself is also in ``models``.
"""
PIPELINE = PurePosixPath("pipeline")
"""Folder of the crate with the project's own files."""
PIPELINE_FILES = ("Snakefile", "workflow/*/*.smk", "workflow/*/*.rst", "environment*.yml", "requirements.lock")
CITED = ("CITATION.cff", "LICENSE")
WHOLE_SCALE = ("tables/tables.meta.json", "report/claims.meta.json", "report/index.meta.json")
"""Records whose settings are the complete configuration."""
KNOWN = yaml.safe_load(Path(__file__).with_name("descriptions.yaml").read_text(encoding="utf-8"))
"""Formats and descriptions of files by their paths."""


def crate_files(results: Path, project: Path, *, with_data: bool) -> dict[PurePosixPath, Path]:
    """Return finished results and the files of the pipeline by their path in the crate; logs and state are left out."""
    folders = [name for name in (*STAGES, "benchmarks") if with_data or name not in WITH_DATA]
    found = [(PurePosixPath(), results, path) for name in folders for path in _finished(results / name)]
    found += [
        (PIPELINE, project, path) for pattern in (*PIPELINE_FILES, *CITED) for path in sorted(project.glob(pattern))
    ]
    return {place / path.relative_to(folder).as_posix(): path for place, folder, path in found}


def _finished(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        # Unfinished files are in folders whose names start with a dot.
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def read_citation(project: Path) -> dict[str, Any]:
    """Return the content of the CITATION.cff of a checkout.

    Raises:
        UserError: if there is no checkout of the project.
    """
    try:
        citation = yaml.safe_load((project / "CITATION.cff").read_text(encoding="utf-8"))
        is_complete = all(citation[key] for key in ("title", "license", "version", "authors"))
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        is_complete = False
    if not is_complete or not (project / "Snakefile").is_file():
        raise UserError(
            f"{project}: no checkout of the project with Snakefile and CITATION.cff (title, license, version and "
            "authors); name one with --project"
        )
    return citation


def scale_of(results: Path) -> str | None:
    """Return the configuration that results were made with, as a file for Snakemake; None if they are unfinished."""
    for name in WHOLE_SCALE:
        try:
            return json.dumps(read_record(results / name)["settings"], indent=1, ensure_ascii=False) + "\n"
        except UserError:
            continue
    return None


def describe(path: str, project: Path) -> str:
    """Describe a file, or a folder if the path ends in a slash.

    Args:
        path: in the crate.
        project: the checkout, which holds the captions of figures.
    """
    place = PurePosixPath(path)
    if place.parts[:-1] == ("metrics",) and place.suffix and place.stem in reported():
        return reported()[place.stem].heading
    caption = project / f"workflow/report/{place.stem}.rst"
    if place.parts[:-1] == ("figures",) and caption.is_file():
        return " ".join(re.sub(r"[`*]", "", caption.read_text(encoding="utf-8")).split())
    kinds = KNOWN["descriptions"].items()
    return next(text.format(*match.groups()) for pattern, text in kinds if (match := re.fullmatch(pattern, path)))


def encoding(path: str) -> Any:  # noqa: ANN401 (of JSON)
    """Return the media type of a file from its extension; if it has none, with the page of its specification."""
    return KNOWN["formats"].get(PurePosixPath(path).suffix) or mimetypes.MimeTypes().guess_type(path)[0] or "text/plain"
