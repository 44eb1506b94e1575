"""Results of one kind as a mapping by name, read on access. Arrays are memory-mapped; images are uint8 N×H×W×C."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ihdm.config.experiments import format_number
from ihdm.errors import UserError
from ihdm.results.origin import Origin, find_origin
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images, read_table

if TYPE_CHECKING:
    import pandas as pd

Value = TypeVar("Value")
Key = tuple[str, float]
"""An experiment and δ/σ."""


class UnknownNameError(UserError, KeyError, AttributeError):
    """A name without a result."""

    def __str__(self) -> str:
        return str(self.args[0])  # without the quotes that a KeyError adds


def unknown(kind: str, name: object, folder: Path, known: list[str]) -> UnknownNameError:
    """Return the error for a name without a result, with similar names."""
    near = get_close_matches(str(name), known, 5, 0.5)
    if near:
        advice = f"did you mean {' or '.join(near)}?"
    elif known:
        advice = f"choose from {', '.join(known[:20])}{', …' if len(known) > 20 else ''}"
    else:
        advice = f"it has no {kind} at all"
    return UnknownNameError(f"{folder}: no {kind} {name}; {advice}")


@dataclass(frozen=True, repr=False)
class Collection(Mapping[str, Value], Generic[Value]):
    """Results of one kind by name, also as attributes where the name is a Python identifier.

    Each access reads the file again, so that changing a returned object does not change later ones; names are listed
    without reading files. A missing name raises UnknownNameError.

    Attributes:
        kind: the name of the kind in messages.
        results: the results folder.
        pattern: glob pattern of the files below it; the part from the first to the last star is the name.
        read: converts a path to an object.
    """

    kind: str
    results: Path
    pattern: str
    read: Callable[[Path], Value]

    def paths(self) -> dict[str, Path]:
        """Return the path of each result by name."""
        before, after = self.pattern.partition("*")[0], self.pattern.rpartition("*")[2]
        paths = sorted(self.results.glob(self.pattern))
        inside = [path.relative_to(self.results).as_posix() for path in paths]
        return {name[len(before) : len(name) - len(after)]: path for name, path in zip(inside, paths, strict=True)}

    def path(self, name: str) -> Path:
        """Return the path of a result.

        Raises:
            UnknownNameError: if there is no result of this name.
        """
        paths = self.paths()
        if name not in paths:
            raise unknown(self.kind, name, self.results, list(paths))
        return paths[name]

    def origin(self, name: str) -> Origin:
        """Return the record of a result.

        Raises:
            UserError: if there is no result of this name, or no record of it.
        """
        return find_origin(self.results, self.path(name))

    def __getitem__(self, name: str) -> Value:
        return self.read(self.path(name))

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths())

    def __len__(self) -> int:
        return len(self.paths())

    def __contains__(self, name: object) -> bool:
        return name in self.paths()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self if name.isidentifier())]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        return f"{len(self)} × {self.kind} in {self.results}: {', '.join(self)}"


@dataclass(frozen=True)
class DataSet:
    """A prepared data set in a folder."""

    name: str
    folder: Path
    results: Path

    @property
    def train(self) -> StoredImages:
        """The training images."""
        return open_images(self.folder / "train.npy")

    @property
    def test(self) -> StoredImages:
        """The test images."""
        return open_images(self.folder / "test.npy")

    def description(self, split: str = "train") -> dict[str, Any]:
        """Return the description of a split: source, license, raw files.

        Raises:
            UserError: if it cannot be read.
        """
        path = self.folder / f"{split}.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot read the description ({error}); prepare the data set again") from None
        return content

    @property
    def origin(self) -> Origin:
        """The record of the data set."""
        return find_origin(self.results, self.folder / "train.npy")


@dataclass(frozen=True)
class SampleSet:
    """The samples of an experiment at one δ/σ; row i of every array and table belongs to sample i."""

    experiment: str
    delta_ratio: float
    folder: Path
    results: Path

    @property
    def images(self) -> StoredImages:
        """The samples."""
        return open_images(self.folder / "samples.npy")

    @property
    def starts(self) -> StoredImages:
        """Their initial states u_K."""
        return open_images(self.folder / "starts.npy")

    @property
    def table(self) -> "pd.DataFrame":
        """Their numbers, and the training image behind each initial state."""
        return read_table(self.folder / "samples.csv")

    @property
    def grid(self) -> Path:
        """The path of an image with the first samples."""
        return self.folder / "grid.png"

    @property
    def origin(self) -> Origin:
        """The record of the samples."""
        return find_origin(self.results, self.folder / "samples.npy")


@dataclass(frozen=True)
class Samples(Mapping[Key, SampleSet]):
    """All sets of samples by experiment and δ/σ: ``samples["digits", 1.25]``; the name is enough for a single δ/σ.

    Files are read on access to a set. A missing set or an invalid key raises UnknownNameError.
    """

    results: Path

    def _sets(self) -> dict[Key, SampleSet]:
        found = {}
        for path in sorted(self.results.glob("samples/*/delta*/samples.npy")):
            experiment, text = path.parts[-3], path.parts[-2].removeprefix("delta")
            try:
                found[experiment, float(text)] = SampleSet(experiment, float(text), path.parent, self.results)
            except ValueError:  # another folder
                continue
        return dict(sorted(found.items()))

    def of(self, experiment: str) -> dict[float, SampleSet]:
        """Return the sets of an experiment by δ/σ, ascending.

        Raises:
            UnknownNameError: if there is none.
        """
        sets = self._sets()
        found = {ratio: one for (name, ratio), one in sets.items() if name == experiment}
        if not found:
            raise unknown("samples of", experiment, self.results, list(dict.fromkeys(name for name, _ in sets)))
        return found

    def origin(self, experiment: str, delta_ratio: float) -> Origin:
        """Return the record of a set.

        Raises:
            UserError: if there is no such set, or no record of it.
        """
        return self[experiment, delta_ratio].origin

    def __getitem__(self, key: Key | str) -> SampleSet:
        match key:
            case str(experiment):
                found = self.of(experiment)
                if len(found) == 1:
                    return next(iter(found.values()))
                known = ", ".join(map(format_number, found))
                raise UnknownNameError(f"{self.results}: samples of {experiment} exist at δ/σ {known}; choose one")
            case (str(experiment), Real() as ratio):
                found = self.of(experiment)
                if ratio in found:
                    return found[ratio]
                ratios = [format_number(one) for one in found]
                raise unknown(f"samples of {experiment} at δ/σ", format_number(ratio), self.results, ratios)
        raise UnknownNameError(f'{self.results}: give an experiment and δ/σ, such as samples["digits", 1.25]')

    def __iter__(self) -> Iterator[Key]:
        return iter(self._sets())

    def __len__(self) -> int:
        return len(self._sets())

    def __repr__(self) -> str:
        names = dict.fromkeys(name for name, _ in self)
        sets = [f"{name} ({', '.join(map(format_number, self.of(name)))})" for name in names]
        return f"{len(self)} × samples in {self.results}, by δ/σ: {', '.join(sets)}"
