"""What a measure or a figure is made for, and the files that it reads: one vocabulary for both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ihdm.config.experiments import Variant, format_number
from ihdm.config.scale import Config
from ihdm.config.settings import Extractor


@dataclass(frozen=True)
class Run:
    """One data set, experiment, or experiment at one δ/σ of a scale; or the whole scale.

    Attributes:
        config: the scale.
        experiment: name of an experiment or of one of its variants, "" for none.
        dataset: name of a data set; by default that of the experiment.
        ratio: a δ/σ as paths spell it, "" for none.
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
        """The experiment, resolved."""
        return self.config.variants[self.experiment]

    @property
    def delta_ratio(self) -> float:
        """The δ/σ as a number; the experiment's own if none is named."""
        if not self.ratio:
            return self.variant.delta_ratio
        return next(ratio for ratio in self.variant.delta_ratios if format_number(ratio) == self.ratio)

    @property
    def extractor(self) -> Extractor:
        """What turns the images of its data set into features; a squashed data set has that of the data set itself."""
        return self.config.evaluation.extractors[self.dataset.partition("-")[0]]

    def fill(self, path: str) -> str:
        """Fill in the placeholders of a path that :class:`Input` lists."""
        values = {"experiment": self.experiment, "dataset": self.dataset, "ratio": self.ratio, "split": self.split}
        if self.dataset:
            values["extractor"] = self.extractor
        if self.experiment:
            values |= {"model": self.variant.model, "default_ratio": format_number(self.variant.delta_ratio)}
        return path.format_map(values)

    def per_delta(self) -> dict[str, "Run"]:
        """Return the same at each δ/σ of the experiment, by its spelling."""
        ratios = map(format_number, self.variant.delta_ratios)
        return {ratio: Run(self.config, self.experiment, ratio=ratio) for ratio in ratios}


@dataclass(frozen=True)
class Input:
    """One kind of file that is read.

    Attributes:
        path: where it is below the results, or a function of the run that returns this, or several such paths by a
            name of each. ``{experiment}``, ``{dataset}``, ``{model}``, ``{extractor}`` (of the data set), ``{ratio}``,
            ``{default_ratio}`` (the δ/σ that the experiment is sampled at where none is swept) and ``{split}`` are
            filled in. A run without δ/σ reads one file for each δ/σ.
        exists: for which runs there is such a file; by default all.
        contains: for a folder, the files in it that are read.
        about: what it is, for the help of a command.
        is_optional: whether a command does without it.
    """

    path: str | Callable[[Run], str | Mapping[str, str]]
    exists: Callable[[Run], bool] = lambda _: True
    contains: tuple[str, ...] = ()
    about: str = ""
    is_optional: bool = False

    def files(self, run: Run) -> dict[str, str]:
        """Return the paths for a run, by the name of each; by "" if there is one."""
        if not self.exists(run):
            return {}
        found = self.path if isinstance(self.path, str) else self.path(run)
        if not isinstance(found, str):
            return dict(found)
        if "{ratio}" in found and not run.ratio:
            return {ratio: at.fill(found) for ratio, at in run.per_delta().items()}
        return {"": run.fill(found)}


def used_datasets(config: Config) -> list[str]:
    """Return the data sets of all experiments, each once."""
    return list(dict.fromkeys(variant.dataset for variant in config.variants.values()))


def each_dataset(config: Config) -> Iterable[Run]:
    """Return a run for each data set that an experiment uses."""
    return [Run(config, dataset=name) for name in used_datasets(config)]


def each_experiment(where: Callable[[Run], bool]) -> Callable[[Config], Iterable[Run]]:
    """Return a function that gives the runs of those experiments and variants that satisfy a condition."""
    return lambda config: [run for name in config.variants if where(run := Run(config, name))]


def each_sample_set(config: Config) -> Iterable[Run]:
    """Return a run for each experiment and δ/σ."""
    return [run for name in config.variants for run in Run(config, name).per_delta().values()]


def each_diagnosed(config: Config) -> Iterable[Run]:
    """Return a run for each experiment whose generation is analyzed."""
    return [Run(config, name) for name in config.diagnostics]


def whole_scale(config: Config) -> Iterable[Run]:
    """Return one run, of everything."""
    return [Run(config)]
