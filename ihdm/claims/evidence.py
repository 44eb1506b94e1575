"""What a claim is decided from: the joint tables of a scale, and the scale itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ihdm.claims.decisions import Measured
from ihdm.config.experiments import Variant
from ihdm.config.scale import Config
from ihdm.data.sources import find_source
from ihdm.metrics.tables import with_most_images

FRECHET = ("fid", "frechet_distance")
"""The distances that quality is told by, the first that was measured."""
HELD_OUT = ("fid_held_out", "frechet_distance_held_out")
"""The same from held-out images."""

Subject = tuple[str, ...]
"""What a claim is checked on: an experiment, a data set, or two experiments that are compared."""

TOY: Subject = ("toy",)
"""What is computed without images, once for a scale."""


class NotRunError(Exception):
    """What a claim needs was not measured."""


@dataclass(frozen=True)
class Evidence:
    """Joint tables by name, and the scale that they belong to."""

    tables: Mapping[str, pd.DataFrame]
    config: Config

    def rows(self, table: str, **values: Any) -> pd.DataFrame:  # noqa: ANN401 (as cells are)
        """Return the rows that hold these values in these columns, but those without a value or its error.

        Raises:
            NotRunError: if there are none.
        """
        if table not in self.tables:
            raise NotRunError
        found = self.tables[table]
        for column, value in values.items():
            found = found[found[column].isin(value) if isinstance(value, tuple) else found[column] == value]
        found = found.dropna(subset=[name for name in ("value", "standard_error") if name in found])
        if found.empty:
            raise NotRunError
        return found

    def one(self, table: str, **values: Any) -> Measured:  # noqa: ANN401
        """Return the first such row's value, by its standard error; see :meth:`rows`."""
        return measured(self.rows(table, **values).iloc[0])

    def each(self, table: str, **values: Any) -> list[Measured]:  # noqa: ANN401
        """Return every such row's value, by its standard error; see :meth:`rows`."""
        return [measured(row) for _, row in self.rows(table, **values).iterrows()]

    def distance(self, experiment: str) -> Measured:
        """Return the Fréchet distance of an experiment's samples, at its own δ/σ and of the most images.

        Raises:
            NotRunError: if it was not measured.
        """
        ratio = self.config.variants[experiment].delta_ratio
        return frechet(self.rows("distance", experiment=experiment, delta_ratio=ratio, set="samples"))


def measured(row: "pd.Series[Any]") -> Measured:
    """Return the value of a row, by its standard error: stored intervals are cut off where a quantity ends."""
    return Measured.of(float(row["value"]), float(row["standard_error"]))


def frechet(rows: pd.DataFrame, metrics: tuple[str, ...] = FRECHET) -> Measured:
    """Return the Fréchet distance among these rows, by the first of its names that is there, of the most images.

    Raises:
        NotRunError: if there is none.
    """
    for metric in metrics:
        found = rows[rows["metric"] == metric]
        if len(found):
            return measured(with_most_images(found).iloc[0])
    raise NotRunError


def datasets(config: Config, *, natural: bool = False) -> Iterator[Subject]:
    """Yield the data sets that experiments are trained on, all or those of natural images."""
    for name in dict.fromkeys(variant.dataset for variant in config.variants.values()):
        if not natural or find_source(config.datasets[name]).natural:
            yield (name,)


def experiments(config: Config, *kinds: str) -> Iterator[Subject]:
    """Yield the experiments of these kinds of process, without what is swept of them."""
    for name, variant in config.variants.items():
        if variant.swept is None and variant.experiment.process.kind in kinds:
            yield (name,)


def heat_experiments(config: Config) -> Iterator[Subject]:
    """Yield the experiments of heat, without what is swept of them."""
    return experiments(config, "heat")


def rivals(config: Config) -> Iterator[Subject]:
    """Yield each heat experiment with each diffusion of equal data, network and training, by each of its samplers."""
    for (heat,) in heat_experiments(config):
        for name, variant in config.variants.items():
            if variant.swept in (None, "sampler") and are_rivals(config.variants[heat], variant):
                yield heat, name


def are_rivals(heat: Variant, other: Variant) -> bool:
    """Tell whether another experiment is a diffusion that had the same images, network and training."""
    ours, theirs = heat.experiment, other.experiment
    same = heat.dataset == other.dataset and ours.network == theirs.network and ours.num_train == theirs.num_train
    return same and theirs.process.kind == "diffusion" and ours.training == theirs.training
