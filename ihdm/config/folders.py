"""What a folder may be called that a configuration names."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field


def _at_home(folder: str) -> str:
    if not folder.startswith("~"):
        return folder
    try:
        return str(Path(folder).expanduser())
    except RuntimeError:
        raise ValueError("a path from a home folder that exists, ~ or ~NAME, is needed") from None


def _require_nameable(folder: str) -> str:
    if not folder.isprintable():
        raise ValueError("a path without line breaks and other characters that are not seen is needed")
    if any(len(part.encode()) > 255 for part in folder.split("/")):
        raise ValueError("a path of names of at most 255 bytes is needed")
    return folder


def _require_own(folder: str) -> str:
    if ".." in folder.split("/"):
        raise ValueError("a path without '..' is needed: one below this folder, or a whole one from /")
    if os.path.normpath(folder) in (".", "/", "//"):
        raise ValueError("a folder of its own is needed, for all that is made")
    if {"{", "}"} & set(folder):
        raise ValueError("a path without { and }, which Snakemake would fill in, is needed")
    return os.path.normpath(folder)


Folder = Annotated[
    str,
    Field(min_length=1, max_length=1000, json_schema_extra={"format": "path"}),
    AfterValidator(_at_home),
    AfterValidator(_require_nameable),
]
"""Where something lies, absolute or not; ``~`` at its beginning is the home folder."""
OwnFolder = Annotated[Folder, AfterValidator(_require_own)]
"""Where nothing else lies."""
