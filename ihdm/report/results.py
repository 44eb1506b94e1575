"""Results that the report page shows: files of a results folder, and merged tables as text."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ihdm.config.experiments import Variant, format_number
from ihdm.config.scale import Config
from ihdm.config.titles import titles
from ihdm.figures.style import DISTANCES
from ihdm.measures import reported
from ihdm.metrics.quality import ranking_distance
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import read_table


@dataclass(frozen=True)
class Results:
    """A scale and its results folder."""

    config: Config
    folder: Path

    @property
    def files(self) -> list[Path]:
        """Every existing input of the page, except records and benchmarks."""
        figures = [self.figure(name) for name in self.config.figures]
        paths = [
            *(self.folder / f"metrics/{name}.csv" for name in (*reported(), "sweep")),
            *(path for figure in figures for path in (figure, figure.with_suffix(".webp"))),
            *map(self.trajectories, self.config.diagnostics),
            *(path for variant in self.curves.values() for path in self.samples(variant).values()),
        ]
        return [path for path in paths if path.exists()]

    @cached_property
    def titles(self) -> dict[str, str]:
        """The display title of each experiment by name."""
        return titles(self.config)

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The merged tables that exist and are not empty, in the order of their sections."""
        paths = {name: self.folder / f"metrics/{name}.csv" for name in reported()}
        read = {name: read_table(path) for name, path in paths.items() if path.exists()}
        return {name: table for name, table in read.items() if len(table)}

    @property
    def curves(self) -> dict[str, Variant]:
        """The experiments that are sampled at three δ/σ or more, by name."""
        return {name: variant for name, variant in self.config.variants.items() if variant.has_curve}

    def figure(self, name: str) -> Path:
        """Return the path of a figure as PNG."""
        return self.folder / f"figures/{name}.png"

    def trajectories(self, experiment: str) -> Path:
        """Return the path of an experiment's states during generation."""
        return self.folder / f"samples/{experiment}/probes/trajectories.npz"

    def samples(self, variant: Variant) -> dict[float, Path]:
        """Return the path of an experiment's samples by δ/σ, ascending."""
        folder = self.folder / f"samples/{variant.name}"
        return {ratio: folder / f"delta{format_number(ratio)}/samples.npy" for ratio in variant.delta_ratios}

    def distances(self, images: str, **values: str) -> pd.DataFrame | None:
        """Return distances of the largest n, in the metric that may rank sets; see :mod:`ihdm.metrics.quality`.

        Args:
            images: the set, ``samples`` or ``train``.
            values: value of further columns, such as the experiment.

        Returns:
            Rows of the merged table of distances; None if there are none.
        """
        if "distance" not in self.tables:
            return None
        rows = self.tables["distance"]
        for column, value in ({"set": images} | values).items():
            rows = rows[rows[column] == value]
        return ranked(rows.dropna(subset="value"))


def ranked(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Return the rows of the largest n in the distance that may rank sets of so many images; None if there are none."""
    rows = rows[rows["metric"].isin(DISTANCES)]
    if rows.empty:
        return None
    rows = with_most_images(rows)
    rows = rows[rows["metric"] == ranking_distance(str(rows["extractor"].iloc[0]), int(rows["n"].iloc[0]))]
    return None if rows.empty else rows


@dataclass(frozen=True)
class Table:
    """A table of text that sorts and filters.

    Attributes:
        name: name of the merged table that it summarizes.
        heading: heading above it.
        explanation: how to read it.
        columns: names of its columns.
        rows: its cells.
    """

    name: str
    heading: str
    explanation: str
    columns: list[str]
    rows: list[list[str]]


def page_tables(results: Results) -> list[Table]:
    """Return the summary of each merged table, with display titles of experiments."""
    found = []
    for name, table in results.tables.items():
        measure, summary = reported()[name], reported()[name].summarize(table)
        if "experiment" in summary:
            summary = summary.assign(experiment=summary["experiment"].replace(results.titles))
        found.append(as_table(name, measure.heading, measure.explanation, summary))
    return found


def as_table(name: str, heading: str, explanation: str, table: pd.DataFrame) -> Table:
    """Return a table as text, numbers with four significant digits."""
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    return Table(name, heading, explanation, list(map(str, table.columns)), rows)


def _text(value: object) -> str:
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}"
    return str(value)
