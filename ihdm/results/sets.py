"""Sets of images: samples, and the data that networks are trained on. Arrays are mapped into memory, uint8 N×H×W×C."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ihdm.config.experiments import format_number
from ihdm.errors import UserError
from ihdm.results.origin import Origin, find_origin
from ihdm.results.shelf import UnknownNameError, unknown
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images, read_table

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, float]
"""An experiment and δ/σ."""


@dataclass(frozen=True)
class SampleSet:
    """The samples of an experiment at one δ/σ; row i of each belongs to sample i.

    Attributes:
        experiment: its name.
        delta_ratio: δ/σ.
        folder: where they lie.
        results: the folder of results.
    """

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
        """What each was made from, u_K."""
        return open_images(self.folder / "starts.npy")

    @property
    def table(self) -> "pd.DataFrame":
        """The number of each, and the training image behind its start."""
        return read_table(self.folder / "samples.csv")

    @property
    def grid(self) -> Path:
        """The path of a sheet of the first of them."""
        return self.folder / "grid.png"

    @property
    def origin(self) -> Origin:
        """What made them."""
        return find_origin(self.results, self.folder / "samples.npy")


@dataclass(frozen=True)
class Samples(Mapping[Key, SampleSet]):
    """Every set of samples, by experiment and δ/σ: ``samples["digits", 1.25]``; a name alone, if it has one δ/σ.

    Attributes:
        results: the folder of results.
    """

    results: Path

    def _sets(self) -> dict[Key, SampleSet]:
        found = {}
        for path in sorted(self.results.glob("samples/*/delta*/samples.npy")):
            experiment, text = path.parts[-3], path.parts[-2].removeprefix("delta")
            try:
                found[experiment, float(text)] = SampleSet(experiment, float(text), path.parent, self.results)
            except ValueError:  # a folder of something else
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
        """Return what made a set.

        Raises:
            UserError: if there is no such set, or no record tells.
        """
        return self[experiment, delta_ratio].origin

    def __getitem__(self, key: Key | str) -> SampleSet:
        """Return a set; nothing of it is read.

        Raises:
            UnknownNameError: if there is none, or the key is something else.
        """
        match key:
            case str(experiment):
                found = self.of(experiment)
                if len(found) == 1:
                    return next(iter(found.values()))
                known = ", ".join(map(format_number, found))
                raise UnknownNameError(f"{self.results}: holds samples of {experiment} at δ/σ {known}; name one")
            case (str(experiment), Real() as ratio):
                found = self.of(experiment)
                if ratio in found:
                    return found[ratio]
                known = [format_number(one) for one in found]
                raise unknown(f"samples of {experiment} at δ/σ", format_number(ratio), self.results, known)
        raise UnknownNameError(f'{self.results}: name an experiment and δ/σ, such as samples["digits", 1.25]')

    def __iter__(self) -> Iterator[Key]:
        """Go through experiments and δ/σ; nothing is read."""
        return iter(self._sets())

    def __len__(self) -> int:
        """Count the sets."""
        return len(self._sets())

    def __repr__(self) -> str:
        """Name the sets."""
        names = list(dict.fromkeys(name for name, _ in self))
        told = [f"{name} ({', '.join(map(format_number, self.of(name)))})" for name in names]
        return f"{len(self)} × samples in {self.results}, by δ/σ: {', '.join(told)}"


@dataclass(frozen=True)
class DataSet:
    """The images of a data set.

    Attributes:
        name: of the data set.
        folder: where it lies.
        results: the folder of results.
    """

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
        """Return what is known of a split: source, license, raw files.

        Raises:
            UserError: if it cannot be read.
        """
        path = self.folder / f"{split}.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{path}: no description can be read from it ({error}); prepare the data set again"
            ) from None
        return content

    @property
    def origin(self) -> Origin:
        """What made it."""
        return find_origin(self.results, self.folder / "train.npy")
