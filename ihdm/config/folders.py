"""Types of paths in a configuration."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field


def _expand_home(folder: str) -> str:
    if not folder.startswith("~"):
        return folder
    try:
        return str(Path(folder).expanduser())
    except RuntimeError:
        raise ValueError("the home folder does not exist; use ~, ~USER of an existing user, or a full path") from None


def _require_printable(folder: str) -> str:
    if not folder.isprintable():
        raise ValueError("a path must not contain line breaks or other invisible characters")
    if any(len(part.encode()) > 255 for part in folder.split("/")):
        raise ValueError("each name in a path must have at most 255 bytes")
    return folder


def _require_separate(folder: str) -> str:
    if ".." in folder.split("/"):
        raise ValueError("a path must not contain '..'; use a path below this folder, or an absolute one")
    if os.path.normpath(folder) in (".", "/", "//"):
        raise ValueError("the results need a separate folder")
    if {"{", "}"} & set(folder):
        raise ValueError("a path must not contain { or }, which Snakemake reads as wildcards")
    return os.path.normpath(folder)


Folder = Annotated[
    str,
    Field(min_length=1, max_length=1000, json_schema_extra={"format": "path"}),
    AfterValidator(_expand_home),
    AfterValidator(_require_printable),
]
"""An absolute or relative path; a leading ``~`` is the home folder."""
OutputFolder = Annotated[Folder, AfterValidator(_require_separate)]
"""A folder for results only."""
