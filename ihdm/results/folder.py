"""A results folder as one object, which reads files on access."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from ihdm.errors import UserError
from ihdm.results.collections import Collection, DataSet, Samples
from ihdm.results.origin import ENDING, Origin, find_origin
from ihdm.storage.reading import DAMAGED, read_archive, read_array, read_table

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("data", "models", "samples", "metrics", "portable", "figures", "tables", "report")
"""The folders of results, in the order in which they are made."""


def load_results(folder: str | Path) -> "Results":
    """Open a results folder, finished or not.

    Args:
        folder: the path that the configuration sets as ``results``.

    Raises:
        UserError: if it is not a results folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"{path}: folder not found; give the path that the configuration sets as results")
    if not any(any((path / stage).rglob(f"*{ENDING}")) for stage in STAGES):
        raise UserError(
            f"{path}: not a results folder, as it has no result with a record ({ENDING}); give the path that the "
            "configuration sets as results"
        )
    return Results(path)


class Results:
    """The results of a pipeline, by kind and name.

    Args:
        folder: the results folder.

    Attributes:
        folder: the results folder.
        data: data sets.
        models: folders of trained networks, for ``UNet2DModel.from_pretrained``.
        portable: folders of exported pipelines, for ``IHDMPipeline.from_pretrained``.
        history: training losses of each network, as data frames.
        held_out: held-out losses of each network, as data frames.
        samples: sets of samples by experiment and δ/σ.
        arrays: all arrays by path without extension, including images: ``arrays["samples/digits/sequence"]``.
            A .npz file is a dictionary of arrays.
        tables: merged tables, as data frames.
        parts: the tables of single experiments and data sets by path: ``parts["spectrum/data/digits"]``.
        printed: tables in the layout of the paper.
        figures: the path of each figure as PNG; its PDF is in the same folder.
    """

    def __init__(self, folder: Path) -> None:
        def tables(kind: str, pattern: str) -> Collection["pd.DataFrame"]:
            return Collection(kind, folder, pattern, read_table)

        def folders(kind: str, pattern: str) -> Collection[Path]:
            return Collection(kind, folder, pattern, lambda path: path.parent)

        self.folder = folder
        self.data = Collection(
            "data set", folder, "data/*/train.npy", lambda path: DataSet(path.parts[-2], path.parent, folder)
        )
        self.models = folders("network", "models/*/config.json")
        self.portable = folders("exported pipeline", "portable/*/model_index.json")
        self.history = tables("training history", "models/*/history.csv")
        self.held_out = tables("table of held-out losses", "models/*/held_out.csv")
        self.samples = Samples(folder)
        self.arrays = Arrays("array", folder, "*", _read_arrays)
        self.tables = tables("table", "metrics/*.csv")
        self.parts = tables("part of a table", "metrics/*/**/*.csv")
        self.printed = tables("printed table", "tables/*.csv")
        self.figures = Collection("figure", folder, "figures/*.png", Path)

    @property
    def claims(self) -> "pd.DataFrame":
        """The claims of the paper with their verdicts.

        Raises:
            UserError: if the claims were not checked.
        """
        return read_table(self.folder / "report/claims.csv")

    @property
    def page(self) -> Path:
        """The path of the results page."""
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
        """Return the record of a file, or of the files of a folder.

        Args:
            path: an existing path, or one relative to the results folder.

        Raises:
            UserError: if the file does not exist, or no record names it.
        """
        for place in (self.folder / path, Path(path)):
            if place.exists() and place.resolve().is_relative_to(self.folder.resolve()):
                return find_origin(self.folder, self.folder / place.resolve().relative_to(self.folder.resolve()))
        raise UserError(f"{path}: not found in {self.folder}")

    def __repr__(self) -> str:
        kinds = {name: list(getattr(self, name)) for name in ("data", "models", "portable")}
        kinds["samples"] = list(dict.fromkeys(experiment for experiment, _ in self.samples))
        kinds |= {name: list(getattr(self, name)) for name in ("tables", "printed", "figures")}
        lines = [f"  {kind:<8} {_listed(names)}" for kind, names in kinds.items() if names]
        ends = [name for name in ("claims.csv", "index.html") if (self.folder / "report" / name).exists()]
        return "\n".join([f"Results in {self.folder}", *lines, *([f"  report   {', '.join(ends)}"] if ends else [])])


class Arrays(Collection[np.ndarray | dict[str, np.ndarray]]):
    """Arrays and .npz files by path inside the results folder, without extension."""

    def paths(self) -> dict[str, Path]:
        """Return the path of each by name."""
        found = [path for stage in STAGES for path in sorted((self.results / stage).rglob("*.np[yz]"))]
        return {path.relative_to(self.results).with_suffix("").as_posix(): path for path in found}

    def __repr__(self) -> str:
        return f"{len(self)} arrays and archives in {self.results}"


def _read_arrays(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    if path.suffix == ".npy":
        return read_array(path)
    try:
        with ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
    except DAMAGED:
        names = []  # read_archive reports the damage
    return read_archive(path, names)


def _listed(names: list[str], shown: int = 8) -> str:
    rest = len(names) - shown
    return f"{len(names)}: {', '.join(names[:shown])}{f' and {rest} more' if rest > 0 else ''}"
