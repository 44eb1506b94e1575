"""What lies in a results folder, as far as the page shows it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from ihdm.config.experiments import Variant, format_number
from ihdm.config.scale import Config
from ihdm.measures import reported
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import read_table

FRECHET = ("frechet_distance", "fid")
"""How the Fréchet distance is called, by its features."""


@dataclass(frozen=True)
class Results:
    """A scale and the folder of its results; what is not there is left out of the page.

    Attributes:
        config: the scale.
        folder: where its results lie.
    """

    config: Config
    folder: Path

    @property
    def files(self) -> list[Path]:
        """Every file that the page is made of and that is there, but for records and benchmarks."""
        tables = [self._table_path(name) for name in (*reported(), "sweep")]
        figures = [path for name in self.config.figures for path in (self.figure(name), self.animation(name))]
        looks = [self.trajectories(name) for name in self.config.diagnostics]
        samples = [
            self.samples(variant.name, ratio) for variant in self.curves.values() for ratio in variant.delta_ratios
        ]
        return [path for path in (*tables, *figures, *looks, *samples) if path.exists()]

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The merged tables that are there and hold rows, in the order of their sections."""
        paths = {name: self._table_path(name) for name in reported()}
        read = {name: read_table(path) for name, path in paths.items() if path.exists()}
        return {name: table for name, table in read.items() if len(table)}

    @property
    def curves(self) -> dict[str, Variant]:
        """What is sampled at three δ/σ or more, by name."""
        return {name: variant for name, variant in self.config.variants.items() if variant.has_curve}

    def _table_path(self, name: str) -> Path:
        return self.folder / f"metrics/{name}.csv"

    def figure(self, name: str) -> Path:
        """Where a figure lies, for a screen."""
        return self.folder / f"figures/{name}.png"

    def animation(self, name: str) -> Path:
        """Where the animation of a figure lies, if it has one."""
        return self.folder / f"figures/{name}.webp"

    def trajectories(self, experiment: str) -> Path:
        """Where the samples of an experiment lie as they form."""
        return self.folder / f"samples/{experiment}/probes/trajectories.npz"

    def samples(self, experiment: str, ratio: float) -> Path:
        """Where the samples of an experiment at a δ/σ lie."""
        return self.folder / f"samples/{experiment}/delta{format_number(ratio)}/samples.npy"

    def sampled_distances(self, experiment: str) -> pd.DataFrame | None:
        """Return the Fréchet distances of most images of an experiment's samples by δ/σ; None if there are none."""
        rows = self._distances("samples")
        found = rows[rows["experiment"] == experiment] if rows is not None else None
        return None if found is None or found.empty else with_most_images(found).sort_values("delta_ratio")

    def floor(self, dataset: str) -> float | None:
        """Return the Fréchet distance of as many real images from all others; None if it is not known."""
        rows = self._distances("train")
        found = rows[rows["dataset"] == dataset].dropna(subset="value") if rows is not None else None
        return None if found is None or found.empty else float(with_most_images(found)["value"].iloc[0])

    def _distances(self, images: str) -> pd.DataFrame | None:
        if "distance" not in self.tables:
            return None
        table = self.tables["distance"]
        return table[table["metric"].isin(FRECHET) & (table["set"] == images)]
