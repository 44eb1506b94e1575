"""What the crate takes from the project: the pipeline's own files, whom to cite, captions."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ihdm.errors import UserError
from ihdm.storage.code import PACKAGE

PIPELINE = ("Snakefile", "workflow/rules/*.smk", "workflow/report/*.rst", "environment*.yml", "requirements.lock")
TOLD = ("CITATION.cff", "LICENSE")


@dataclass(frozen=True)
class Project:
    """A checkout of the project.

    Attributes:
        folder: where it lies.
        citation: the content of its CITATION.cff.
    """

    folder: Path
    citation: dict[str, Any]

    @classmethod
    def read(cls, folder: Path | None = None) -> "Project":
        """Read a checkout, by default the one that this package lies in.

        Raises:
            UserError: if it is none.
        """
        folder = folder or PACKAGE.parent
        path = folder / "CITATION.cff"
        try:
            citation = yaml.safe_load(path.read_text())
            is_complete = all(citation[key] for key in ("title", "license", "version", "authors"))
        except (OSError, yaml.YAMLError, LookupError, TypeError):
            is_complete = False
        if not is_complete or not (folder / "Snakefile").is_file():
            raise UserError(
                f"{folder}: no checkout of the project with Snakefile and CITATION.cff (title, license, version and "
                "authors); name one with --project"
            )
        return cls(folder, citation)

    @property
    def files(self) -> list[Path]:
        """The files of the pipeline, below the checkout."""
        found = [path for pattern in (*PIPELINE, *TOLD) for path in sorted(self.folder.glob(pattern))]
        return [path.relative_to(self.folder) for path in found]

    @property
    def captions(self) -> dict[str, str]:
        """The captions of figures in one line each, without markup."""
        paths = sorted(self.folder.glob("workflow/report/*.rst"))
        return {path.stem: " ".join(re.sub(r"[`*]", "", path.read_text()).split()) for path in paths}
