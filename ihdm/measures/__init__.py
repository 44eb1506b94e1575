"""Measures: declarations of everything that commands, rules, tables, report and docs need of them.

A module declares one ``MEASURE`` of its name, or several as constants with their names; see ``TOGETHER``. Planning a
workflow imports every measure, so functions that compute import their libraries themselves. A result is rerun if the
code that computes it changes; texts, columns and the choice of experiments rerun nothing.
"""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ihdm.config.settings import NumResamples, Seed, Settings
from ihdm.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from ihdm.config.scale import Config
    from ihdm.runs import Input, Run

Files = Mapping[str, Path]
"""Input files by ROLE, or by ROLE:NAME if there are several of a role."""
Rows = Sequence[Mapping[str, Any]]
Results = Mapping[str, "Rows | pd.DataFrame | Callable[[Path], object]"]
"""Outputs by role: a table, as rows or whole, or a function that writes to a path."""

HELPERS = {"inputs", "texts"}
TOGETHER = {
    "evaluations": ("evaluations", "milestones"),
    "likelihood": ("joints", "likelihood", "likelihood_cost"),
    "minimum": ("minimum_distance", "minimum_likelihood"),
    "real_images": ("distance_real", "extractor", "features", "mean_power", "moments", "spectrum_real"),
}
"""Measures of the modules with several; one named ``moments`` is the constant ``MOMENTS``."""
MODULES = {
    name: module.name
    for module in pkgutil.iter_modules(__path__)
    if module.name not in HELPERS
    for name in TOGETHER.get(module.name, (module.name,))
}
NAMES = tuple(sorted(MODULES))
"""All measures."""

ORDER = (
    *("data_spectrum", "forward", "levels", "distance", "memorisation", "spectrum", "likelihood", "likelihood_cost"),
    *("minimum", "evaluations", "restoration", "milestones", "departures", "disentanglement", "hierarchy"),
    *("interpolation", "generation", "cumulative_sums", "input_gradients", "asymptotics", "paths"),
)
"""Order of merged tables in report and docs; others follow."""


class NoSettings(Settings):
    """Settings of a measure without any."""


class Resampling(Settings):
    """Settings of a measure that only resamples."""

    num_resamples: NumResamples
    seed: Seed = 0


@dataclass(frozen=True)
class Table:
    """A merged table, over all experiments.

    Attributes:
        heading: in the report.
        explanation: how to read the table, for any data; notes on a data set belong to its source.
        columns: meaning of each column, or of several, "a, b", with the unit in brackets at the end. Columns that all
            tables share are described once, in docs/metrics.md.
        summarize: returns the table rounded for reading.
        is_reported: whether the report has a section for it.
        notes: for the documentation, as Markdown: the null, and the source of errors.
        made_by: the measures with an output of its name, in the order of their rows; by default the declaring one.
    """

    heading: str
    explanation: str
    columns: Mapping[str, str] = field(default_factory=dict)
    summarize: "Callable[[pd.DataFrame], pd.DataFrame]" = lambda table: table
    notes: str = ""
    made_by: tuple[str, ...] = ()
    is_reported: bool = True


@dataclass(frozen=True)
class Measure:
    """A computation on files, with settings.

    Attributes:
        compute: returns the outputs by role, from files and settings. It raises a :class:`~ihdm.errors.UserError` if
            these are not consistent.
        runs: the runs of a scale, in the order of their rows in a merged table. A run fills in the wildcards of paths.
        outputs: paths below the results by role. The record is next to the first.
        inputs: input files by role.
        settings: returns the settings of a run: everything except the files that the results depend on.
        model: pydantic model of the settings.
        labels: the first columns of its tables, equal in all rows.
        tables: the merged tables that are described here, by name. An output of this name is a part of the table, or
            the whole table if its path is that of merged tables.
        job: name of a job; measures with equal runs and settings can share one process.
        gpu: whether a network or features need a GPU (features of small images do not).
        memory_mb: of a job; 0 for the default.
        minutes: of a job; 0 for the default.
        is_local: whether it is faster than the start of a cluster job.
    """

    compute: Callable[[Files, Any], Results]
    runs: "Callable[[Config], Iterable[Run]]"
    outputs: Mapping[str, str]
    inputs: "Mapping[str, Input]"
    settings: "Callable[[Run], Settings]" = lambda _: NoSettings()
    model: type[Settings] = NoSettings
    labels: "Callable[[Run], Mapping[str, str]]" = lambda _: {}
    tables: Mapping[str, Table] = field(default_factory=dict)
    job: str = ""
    gpu: Literal["no", "network", "features"] = "no"
    memory_mb: int = 0
    minutes: int = 0
    is_local: bool = False


@dataclass(frozen=True)
class Job:
    """One or several measures that run in one process.

    Attributes:
        name: of the measure, or of the shared job.
        about: description in one line.
        members: the measures by name.
    """

    name: str
    about: str
    members: Mapping[str, Measure]

    @property
    def first(self) -> Measure:
        """The measure that defines settings, runs and resources of the job."""
        return next(iter(self.members.values()))

    @property
    def uses_inception(self) -> bool:
        """Whether it may use the weights of Inception."""
        return "extractor" in self.inputs or self.first.gpu == "features"

    @cached_property
    def inputs(self) -> "dict[str, Input]":
        """Input files by role."""
        return {role: source for member in self.members.values() for role, source in member.inputs.items()}

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Output files by role."""
        return {role: path for member in self.members.values() for role, path in member.outputs.items()}

    def files(self, run: "Run") -> dict[str, str]:
        """Return input files and folders of a run: paths below the results by ROLE or ROLE:NAME."""
        return {
            f"{role}:{name}" if name else role: path
            for role, source in self.inputs.items()
            for name, path in source.files(run).items()
        }

    def parts(self, role: str, path: Path, run: "Run | None" = None) -> list[Path]:
        """Return the files of an input: of a folder, the declared files in it.

        Files that only some runs read are those of ``run``; without one, those that exist.
        """
        source = self.inputs[role.partition(":")[0]]
        some = [name for name, reads in source.contains_for.items() if (reads(run) if run else (path / name).exists())]
        return [path / name for name in (*source.contains, *some)] or [path]

    def settings(self, run: "Run") -> str:
        """Return the settings of a run, with the labels of its rows, as JSON."""
        labels = self.first.labels(run)
        values = self.first.settings(run).model_dump(mode="json")
        return json.dumps(({"labels": dict(labels)} if labels else {}) | values, ensure_ascii=False)


@cache
def find(name: str) -> Measure:
    """Return a measure by its name.

    Raises:
        UserError: if there is none.
    """
    if name not in NAMES:
        raise UserError(f"there is no measure '{name}'; known are {', '.join(NAMES)}")
    module = importlib.import_module(f"{__name__}.{MODULES[name]}")
    found: Measure = getattr(module, name.upper() if MODULES[name] in TOGETHER else "MEASURE")
    return found


def find_job(name: str) -> Job:
    """Return a job by its name; for a single measure only its module is imported.

    Raises:
        UserError: if there is none.
    """
    if name in NAMES and not find(name).job:
        return Job(name, _about([name]), {name: find(name)})
    if name not in jobs():
        raise UserError(f"there is no measure '{name}'; known are {', '.join(jobs())}")
    return jobs()[name]


@cache
def jobs() -> dict[str, Job]:
    """Return every job by its name."""
    members: dict[str, dict[str, Measure]] = {}
    for name in NAMES:
        members.setdefault(find(name).job or name, {})[name] = find(name)
    return {job: Job(job, _about(parts), parts) for job, parts in members.items()}


def _about(members: Iterable[str]) -> str:
    """Return the first line of the docstring of the modules, or of ``compute`` of a module with several measures."""
    found = [
        find(name).compute if MODULES[name] in TOGETHER else importlib.import_module(f"{__name__}.{name}")
        for name in members
    ]
    return " ".join((described.__doc__ or "").partition("\n")[0] for described in found)


@cache
def documented() -> dict[str, Table]:
    """Return every described table by its name, in the order of report and docs."""
    found = {name: table for measure in NAMES for name, table in find(measure).tables.items()}
    return {
        name: found[name] for name in (*(name for name in ORDER if name in found), *sorted(found.keys() - {*ORDER}))
    }


def reported() -> dict[str, Table]:
    """Return every reported table by its name, in the order of the report."""
    return {name: table for name, table in documented().items() if table.is_reported}


def merged_tables(config: "Config") -> dict[str, list[str]]:
    """Return the merged tables of a scale by name, each with its parts, as paths below the results."""
    made = {table: measure for measure in NAMES for table in find(measure).tables}
    found = {}
    for name, table in reported().items():
        sources = [find(measure) for measure in table.made_by or (made[name],)]
        parts = [run.fill(source.outputs[name]) for source in sources for run in source.runs(config)]
        if parts:
            found[name] = parts
    return found


def measured(name: str, role: str = "") -> "Input":
    """Return an output of a measure as an input for others, for the experiments that have it.

    Args:
        name: of the measure.
        role: of the file; by default the first.
    """
    from ihdm.runs import Input

    measure = find(name)
    path = measure.outputs[role] if role else next(iter(measure.outputs.values()))
    return Input(
        path,
        exists=lambda run: any(other.experiment == run.experiment for other in measure.runs(run.config)),
        about=f"what `metrics {name}` writes",
    )
