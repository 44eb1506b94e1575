"""Measures, one module each, which defines ``MEASURE``: all that commands, rules, tables, report and docs need of it.

Planning a workflow imports every measure, so a module imports in ``compute`` what it computes with. A result is
regenerated if what ``compute`` reaches changes; texts, columns and the choice of experiments change no result.
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
"""The files that a measure reads, by ROLE or, where there are several of a role, by ROLE:NAME."""
Rows = Sequence[Mapping[str, Any]]
Results = Mapping[str, "Rows | pd.DataFrame | Callable[[Path], object]"]
"""What a measure writes, by the role of its file: a table, as rows or whole, or a function that writes to a path."""

HELPERS = {"inputs", "reference", "texts"}
NAMES = tuple(module.name for module in pkgutil.iter_modules(__path__) if module.name not in HELPERS)
"""All measures."""

ORDER = (
    *("data_spectrum", "forward", "levels", "distance", "memorisation", "spectrum", "likelihood", "likelihood_cost"),
    *("minimum", "evaluations", "restoration", "milestones", "departures", "disentanglement", "hierarchy"),
    *("interpolation", "generation", "cumulative_sums", "input_gradients", "asymptotics", "paths"),
)
"""Merged tables as a reader meets them; others follow."""


class NoSettings(Settings):
    """The settings of a measure that depends on none."""


class Resampling(Settings):
    """The settings of a measure that depends on resampling alone."""

    num_resamples: NumResamples
    seed: Seed = 0


@dataclass(frozen=True)
class Table:
    """A merged table, over all experiments.

    Attributes:
        heading: the question that it answers.
        explanation: how to read its summary, true of any data: what must be known of a data set is said by its source.
        columns: the meaning of each column, or of several, "a, b", at its end in brackets the unit, if it has one. What
            a column means in all tables is said once (docs/metrics.md).
        summarize: returns the table rounded for reading.
        is_reported: whether the report has a section of it.
        rows: what a row is, for the documentation.
        notes: what else to know, for the documentation, as Markdown: the null, where errors come from.
        made_by: the measures with an output of its name, in the order of their rows; by default the one that has it.
    """

    heading: str
    explanation: str
    columns: Mapping[str, str]
    summarize: "Callable[[pd.DataFrame], pd.DataFrame]" = lambda table: table
    rows: str = ""
    notes: str = ""
    made_by: tuple[str, ...] = ()
    is_reported: bool = True


@dataclass(frozen=True)
class Measure:
    """What is computed from some files by some settings.

    Attributes:
        compute: returns what is written, by role, from the files and the settings. It raises a
            :class:`~ihdm.errors.UserError` if these do not fit together.
        runs: what it can be computed for, in the order of its rows in a merged table. The wildcards of its outputs are
            those of a run.
        outputs: paths below the results by role. The first names the record beside it.
        inputs: the files that it reads, by role.
        settings: the settings of a run: all that the results depend on beside the files.
        model: what they are validated by.
        labels: the first columns of its tables, the same in every row.
        tables: the merged tables that are described here, by name. An output of this name is a part of it, or all of
            it if it lies where merged tables do.
        job: a name that measures share which are computed in one process; they have equal runs and settings.
        gpu: what it needs a GPU for: a network, features (those of small images need none), or nothing.
        memory_mb: of a job; 0 for the default.
        minutes: of a job; 0 for the default.
        is_local: whether it takes less time than a job of a cluster takes to begin.
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
    """One or several measures that are computed in one process.

    Attributes:
        name: that of the measure, or the one that they share.
        about: what they measure, in a line.
        members: the measures by name.
    """

    name: str
    about: str
    members: Mapping[str, Measure]

    @property
    def first(self) -> Measure:
        """The measure whose settings, runs and resources are those of the job."""
        return next(iter(self.members.values()))

    @property
    def uses_inception(self) -> bool:
        """Whether it may need the weights of Inception."""
        return "extractor" in self.inputs or self.first.gpu == "features"

    @cached_property
    def inputs(self) -> "dict[str, Input]":
        """The files that are read, by role."""
        return {role: source for member in self.members.values() for role, source in member.inputs.items()}

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The files that are written, by role."""
        return {role: path for member in self.members.values() for role, path in member.outputs.items()}

    def files(self, run: "Run") -> dict[str, str]:
        """Return the files and folders that are read for a run: paths below the results by ROLE or ROLE:NAME."""
        return {
            f"{role}:{name}" if name else role: path
            for role, source in self.inputs.items()
            for name, path in source.files(run).items()
        }

    def parts(self, role: str, path: Path) -> list[Path]:
        """Return the files that are read of an input: of a folder, those in it."""
        contained = self.inputs[role.partition(":")[0]].contains
        return [path / name for name in contained] or [path]

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
    found: Measure = importlib.import_module(f"{__name__}.{name}").MEASURE
    return found


def find_job(name: str) -> Job:
    """Return a job by its name, importing no other where it is of one measure.

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
    texts = [(importlib.import_module(f"{__name__}.{name}").__doc__ or "").partition("\n")[0] for name in members]
    return " ".join(texts)


def documented() -> dict[str, Table]:
    """Return every table that is described, by its name."""
    return {name: table for measure in NAMES for name, table in find(measure).tables.items()}


@cache
def reported() -> dict[str, Table]:
    """Return every merged table by its name, in the order in which a reader meets them."""
    found = {name: table for name, table in documented().items() if table.is_reported}
    return {name: found[name] for name in (*(name for name in ORDER if name in found), *(found.keys() - {*ORDER}))}


def merged_tables(config: "Config") -> dict[str, list[str]]:
    """Return the merged tables of a scale by name, each with the files below the results that it is made of."""
    made = {table: measure for measure in NAMES for table in find(measure).tables}
    found = {}
    for name, table in reported().items():
        sources = [find(measure) for measure in table.made_by or (made[name],)]
        parts = [run.fill(source.outputs[name]) for source in sources for run in source.runs(config)]
        if parts:
            found[name] = parts
    return found


def measured(name: str, role: str = "") -> "Input":
    """Return the files that a measure writes, as an input of others, where there are some.

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
