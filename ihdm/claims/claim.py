"""A claim as data: statement, place in the paper, subjects, numbers and decision rule; and what it is decided from."""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from ihdm.claims.decisions import Decision, Measured, mean
from ihdm.config.scale import Config
from ihdm.data.sources import find_source
from ihdm.metrics.estimates import degrees_of_freedom, read_parts
from ihdm.metrics.quality import NAMES, ranking_distance
from ihdm.metrics.tables import with_most_images

REPOSITORY = "this repository"
"""Place of our claims, instead of a place in the paper."""
Subject = tuple[str, ...]
"""What a claim is checked on: an experiment, a data set, or two experiments that are compared."""


class NotRunError(Exception):
    """What a claim needs was not measured."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or one of ours.

    Attributes:
        id: stable name.
        text: the statement, in our words.
        paper: place in the paper.
        table: the merged table of its numbers.
        quantity: description of the quantity that is tested.
        subjects: returns the experiments or data sets of a scale that it is tested on.
        measure: returns the values of a subject, from the evidence and the names in the subject, or raises NotRunError.
        decision: the decision rule.
        reason: why the rule has this form and margin.
        reference: the number in the paper, if it gives one.
        kind: a finding about networks or data, or a mathematical check, which holds by construction and tests the code.
        rule_set: whether the rule was set before any result was known.
    """

    id: str
    text: str
    paper: str
    table: str
    quantity: str
    subjects: Callable[[Config], Iterable[Subject]]
    measure: Callable[..., Sequence[Measured]]
    decision: Decision
    reason: str
    reference: str = ""
    kind: Literal["finding", "mathematical check"] = "finding"
    rule_set: Literal["before results", "after results"] = "before results"

    @property
    def is_ours(self) -> bool:
        """Whether the claim is ours, not the paper's."""
        return self.paper == REPOSITORY

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"{self.quantity}: {self.decision.rule}"


@dataclass(frozen=True)
class Evidence:
    """Merged tables by name, and the scale that they belong to."""

    tables: Mapping[str, pd.DataFrame]
    config: Config

    def rows(self, table: str, **values: Any) -> pd.DataFrame:  # noqa: ANN401 (as cells are)
        """Return the rows that hold these values in these columns, without those that lack a value, its error or n.

        Raises:
            NotRunError: if there are none.
        """
        if table not in self.tables:
            raise NotRunError
        found = self.tables[table]
        for column, value in values.items():
            found = found[found[column].isin(value) if isinstance(value, tuple) else found[column] == value]
        found = found.dropna(subset=[name for name in ("value", "standard_error", "n") if name in found])
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
        """Return the distance of an experiment's samples from the training images, at its own δ/σ; see :func:`quality`.

        Raises:
            NotRunError: if it was not measured.
        """
        ratio = self.config.variants[experiment].delta_ratio
        return quality(self.rows("distance", experiment=experiment, delta_ratio=ratio, set="samples"))

    def over_trainings(
        self, experiment: str, measure: Callable[[str], Measured], *, is_of_test_images: bool = False
    ) -> Measured:
        """Return the mean of a value over trainings with different seeds, with Student's interval over trainings.

        The interval includes the variance over samples, as each training has its own. It does not include the variance
        over test images, which all trainings share: for a measure of test images that is added. With a single training
        it is the interval over images, without the variance between trainings.
        """
        seeds = [
            name
            for name, variant in self.config.variants.items()
            if variant.base == self.config.variants[experiment].base and variant.swept == "seed"
        ]
        found = [measure(experiment)]
        for name in seeds if self.config.variants[experiment].swept is None else []:
            try:
                found.append(measure(name))
            except NotRunError:
                continue
        if len(found) == 1:
            return found[0]
        values = [one.value for one in found]
        error = statistics.stdev(values) / math.sqrt(len(values))
        over = replace(Measured.of(statistics.fmean(values), error, len(values) - 1.0), trainings=len(values))
        return over.widened(mean(found)) if is_of_test_images else over


def measured(row: "pd.Series[Any]") -> Measured:
    """Return the value of a row with Student's interval, not clipped as stored intervals are."""
    found = Measured.of(float(row["value"]), float(row["standard_error"]), degrees_of_freedom(row))
    return replace(found, parts=read_parts(row.get("error_parts")))


def deciding(rows: pd.DataFrame, suffix: str = "") -> "pd.Series[Any]":
    """Return the row of the distance that may decide, of the most images; see :mod:`ihdm.metrics.quality`.

    The rows are of one set of images, by one extractor; the suffix is that of the metrics' names, as ``_held_out``.

    Raises:
        NotRunError: if it was not measured.
    """
    names = [name + suffix for pair in NAMES.values() for name in pair]
    rows = rows[rows["metric"].isin(names)]
    if rows.empty:
        raise NotRunError
    most = with_most_images(rows)
    metric = ranking_distance(str(most["extractor"].iloc[0]), int(most["n"].iloc[0])) + suffix
    found = most[most["metric"] == metric]
    if found.empty:
        raise NotRunError
    return found.iloc[0]


def quality(rows: pd.DataFrame, suffix: str = "") -> Measured:
    """Return the distance that may decide, of the most images; see :func:`deciding`."""
    return measured(deciding(rows, suffix))


def datasets(config: Config, *, natural: bool = False) -> Iterator[Subject]:
    """Yield the data sets that experiments are trained on, all or those of natural images."""
    for name in dict.fromkeys(variant.dataset for variant in config.variants.values()):
        if not natural or find_source(config.datasets[name]).natural:
            yield (name,)


def heat_experiments(config: Config) -> Iterator[Subject]:
    """Yield the experiments of heat with the paper's prediction, without what is swept of them."""
    for name, variant in config.variants.items():
        experiment = variant.experiment
        if variant.swept is None and experiment.process.kind == "heat" and experiment.prediction is None:
            yield (name,)


def whitened_pairs(config: Config) -> Iterator[Subject]:
    """Yield each heat experiment with whitened prediction, with that of the paper's prediction and equal training."""
    for name, variant in config.variants.items():
        ours = variant.experiment
        if variant.swept is None and ours.process.kind == "heat" and ours.predicted.kind == "whitened":
            for (other,) in heat_experiments(config):
                theirs = config.variants[other].experiment.model_copy(update={"prediction": ours.prediction})
                if theirs == ours:
                    yield name, other


def baselines(config: Config) -> Iterator[Subject]:
    """Yield each heat experiment with each diffusion of equal data, network and training, by each of its samplers."""
    for (heat,) in heat_experiments(config):
        ours = config.variants[heat].experiment
        for name, variant in config.variants.items():
            theirs = variant.experiment
            is_diffusion = theirs.process.kind == "diffusion" and theirs.prediction is None
            if (
                variant.swept in (None, "sampler")
                and is_diffusion
                and variant.dataset == config.variants[heat].dataset
                and theirs.network == ours.network
                and theirs.num_train == ours.num_train
                and theirs.training == ours.training
            ):
                yield heat, name
