"""A folder of results as one object. Nothing is read until it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from ihdm.errors import UserError
from ihdm.results.origin import ENDING, Origin, find_origin
from ihdm.results.sets import DataSet, Samples
from ihdm.results.shelf import Shelf
from ihdm.storage.reading import DAMAGED, read_archive, read_array, read_table

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("data", "models", "samples", "metrics", "portable", "figures", "tables", "report")
"""The folders of results, in the order in which they are made."""


def load_results(folder: str | Path) -> "Results":
    """Open a folder of results, finished or not.

    Args:
        folder: what the configuration calls ``results``.

    Raises:
        UserError: if it is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"{path}: there is no such folder; give the one that the configuration calls results")
    if not any(any((path / stage).rglob(f"*{ENDING}")) for stage in STAGES):
        raise UserError(
            f"{path}: is no folder of results, for no result with a record ({ENDING}) lies in it; give the one that "
            "the configuration calls results"
        )
    return Results(path)


class Results:
    """What a pipeline has made, by kind and name.

    Args:
        folder: of the results.

    Attributes:
        folder: of the results.
        data: data sets.
        models: folders of trained networks, which ``UNet2DModel.from_pretrained`` loads.
        portable: the networks that are written as folders for ``IHDMPipeline.from_pretrained``, with card and prior.
        history: the training losses of each, as data frames.
        held_out: the held-out losses of each.
        samples: sets of samples by experiment and δ/σ.
        arrays: all arrays, those of samples and data too, by path without its ending:
            ``arrays["samples/digits/sequence"]``. An archive is a dictionary of arrays.
        tables: merged tables, as data frames.
        parts: the tables that these are joined from, by path: ``parts["spectrum/data/digits"]``.
        printed: tables as a paper prints them.
        figures: the path of each as PNG; a PDF lies beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = Shelf(
            "data set", folder, "data/*/train.npy", lambda path: DataSet(path.parts[-2], path.parent, folder)
        )
        self.models = Shelf("network", folder, "models/*/config.json", lambda path: path.parent)
        self.portable = Shelf("portable model", folder, "portable/*/model_index.json", lambda path: path.parent)
        self.history = Shelf("training history", folder, "models/*/history.csv", read_table)
        self.held_out = Shelf("table of held-out losses", folder, "models/*/held_out.csv", read_table)
        self.samples = Samples(folder)
        self.arrays = Arrays("array", folder, "*", _read_arrays)
        self.tables = Shelf("table", folder, "metrics/*.csv", read_table)
        self.parts = Shelf("part of a table", folder, "metrics/*/**/*.csv", read_table)
        self.printed = Shelf("printed table", folder, "tables/*.csv", read_table)
        self.figures = Shelf("figure", folder, "figures/*.png", Path)

    @property
    def claims(self) -> "pd.DataFrame":
        """The claims of the paper, each with a verdict.

        Raises:
            UserError: if they were not checked.
        """
        return read_table(self.folder / "report/claims.csv")

    @property
    def page(self) -> Path:
        """The path of the page."""
        return self.folder / "report/index.html"

    def origins(self) -> Iterator[Origin]:
        """Read every record, by stage and path.

        Raises:
            UserError: if one is damaged.
        """
        for stage in STAGES:
            for record in sorted((self.folder / stage).rglob(f"*{ENDING}")):
                yield Origin.read(self.folder, record)

    def origin(self, path: str | Path) -> Origin:
        """Return what made a file, or the files of a folder.

        Args:
            path: of the file, as it is, or below the results.

        Raises:
            UserError: if it is not there, or no record tells of it.
        """
        for place in (self.folder / path, Path(path)):
            if place.exists() and place.resolve().is_relative_to(self.folder.resolve()):
                return find_origin(self.folder, self.folder / place.resolve().relative_to(self.folder.resolve()))
        raise UserError(f"{path}: is not there, or not below {self.folder}")

    def __repr__(self) -> str:
        """Tell what there is, by kind."""
        samples = list(dict.fromkeys(experiment for experiment, _ in self.samples))
        kinds = {
            "data": list(self.data),
            "models": list(self.models),
            "portable": list(self.portable),
            "samples": samples,
            "tables": list(self.tables),
            "printed": list(self.printed),
            "figures": list(self.figures),
        }
        lines = [f"  {kind:<8} {_listed(names)}" for kind, names in kinds.items() if names]
        ends = [name for name in ("claims.csv", "index.html") if (self.folder / "report" / name).exists()]
        return "\n".join([f"Results in {self.folder}", *lines, *([f"  report   {', '.join(ends)}"] if ends else [])])


class Arrays(Shelf[np.ndarray | dict[str, np.ndarray]]):
    """Arrays and archives, by path below the results without the ending."""

    def paths(self) -> dict[str, Path]:
        """Return where each lies, by name."""
        found = [path for stage in STAGES for path in sorted((self.results / stage).rglob("*.np[yz]"))]
        return {path.relative_to(self.results).with_suffix("").as_posix(): path for path in found}

    def __repr__(self) -> str:
        """Count them."""
        return f"{len(self)} arrays and archives in {self.results}"


def _read_arrays(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    if path.suffix == ".npy":
        return read_array(path)
    try:
        with ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGED:
        names = []  # read_archive tells what is wrong
    return read_archive(path, names)


def _listed(names: list[str], shown: int = 8) -> str:
    rest = len(names) - shown
    return f"{len(names)}: {', '.join(names[:shown])}{f' and {rest} more' if rest > 0 else ''}"
