"""Runs and inputs of measures and figures."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ihdm.config.experiments import Variant, format_number
from ihdm.config.scale import Config
from ihdm.config.settings import Extractor


@dataclass(frozen=True)
class Run:
    """A data set, an experiment, an experiment at one δ/σ, or a whole scale.

    Attributes:
        config: the scale.
        experiment: name of an experiment or variant, "" for none.
        dataset: name of a data set; by default that of the experiment.
        ratio: δ/σ as spelled in paths, "" for none.
        split: ``train`` or ``test``, "" for neither.
    """

    config: Config
    experiment: str = ""
    dataset: str = ""
    ratio: str = ""
    split: str = ""

    def __post_init__(self) -> None:
        """Fill in the data set."""
        if self.experiment:
            object.__setattr__(self, "dataset", self.variant.dataset)

    @property
    def variant(self) -> Variant:
        """The resolved experiment."""
        return self.config.variants[self.experiment]

    @property
    def delta_ratio(self) -> float:
        """δ/σ as a number; by default that of the experiment."""
        if not self.ratio:
            return self.variant.delta_ratio
        return next(ratio for ratio in self.variant.delta_ratios if format_number(ratio) == self.ratio)

    @property
    def extractor(self) -> Extractor:
        """The extractor of its data set; a squashed data set, ``NAME-…``, has the extractor of ``NAME``."""
        return self.config.evaluation.extractors[self.dataset.partition("-")[0]]

    def fill(self, path: str) -> str:
        """Fill in the placeholders of a path; see :class:`Input`."""
        values = {"experiment": self.experiment, "dataset": self.dataset, "ratio": self.ratio, "split": self.split}
        if self.dataset:
            values["extractor"] = self.extractor
        if self.experiment:
            values |= {"model": self.variant.model, "default_ratio": format_number(self.variant.delta_ratio)}
        return path.format_map(values)

    def per_delta(self) -> dict[str, "Run"]:
        """Return the runs at each δ/σ of the experiment, by its spelling in paths."""
        ratios = map(format_number, self.variant.delta_ratios)
        return {ratio: Run(self.config, self.experiment, ratio=ratio) for ratio in ratios}


@dataclass(frozen=True)
class Input:
    """A kind of input file.

    Attributes:
        path: path below the results, or a function of the run that returns it, or several paths by name. Placeholders
            are ``{experiment}``, ``{dataset}``, ``{model}``, ``{extractor}``, ``{ratio}``, ``{default_ratio}`` and
            ``{split}``. A run without δ/σ reads one file per δ/σ if the path contains ``{ratio}``.
        exists: whether a run has the file; by default always.
        contains: for a folder, the files that are read.
        contains_for: for a folder, the files that only some runs read, each with the condition.
        about: description for the help of a command.
        is_optional: whether a command can omit it.
    """

    path: str | Callable[[Run], str | Mapping[str, str]]
    exists: Callable[[Run], bool] = lambda _: True
    contains: tuple[str, ...] = ()
    contains_for: Mapping[str, Callable[[Run], bool]] = field(default_factory=dict)
    about: str = ""
    is_optional: bool = False

    def files(self, run: Run) -> dict[str, str]:
        """Return the paths for a run by name; a single path has the name ""."""
        if not self.exists(run):
            return {}
        found = self.path if isinstance(self.path, str) else self.path(run)
        if not isinstance(found, str):
            return dict(found)
        if "{ratio}" in found and not run.ratio:
            return {ratio: at.fill(found) for ratio, at in run.per_delta().items()}
        return {"": run.fill(found)}


def used_datasets(config: Config) -> list[str]:
    """Return the data sets of all experiments."""
    return list(dict.fromkeys(variant.dataset for variant in config.variants.values()))


def each_dataset(config: Config) -> Iterable[Run]:
    """Return a run per data set of an experiment."""
    return [Run(config, dataset=name) for name in used_datasets(config)]


def each_experiment(where: Callable[[Run], bool]) -> Callable[[Config], Iterable[Run]]:
    """Return a function that returns a run per experiment and variant that satisfies a condition."""
    return lambda config: [run for name in config.variants if where(run := Run(config, name))]


def each_sample_set(config: Config) -> Iterable[Run]:
    """Return a run per experiment, variant and δ/σ."""
    return [run for name in config.variants for run in Run(config, name).per_delta().values()]


def each_diagnosed(config: Config) -> Iterable[Run]:
    """Return a run per experiment and variant with sampling diagnostics."""
    return [Run(config, name) for name in config.diagnostics]


def whole_scale(config: Config) -> Iterable[Run]:
    """Return a single run of the whole scale."""
    return [Run(config)]
