"""The record of a result.

Records name files relative to where the pipeline ran, and the results folder may have moved since. So a file is
identified by its path inside the results folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ihdm.errors import UserError
from ihdm.storage.provenance import read_record

ENDING = ".meta.json"


@dataclass(frozen=True)
class Origin:
    """The record of how results were made. Facts that it lacks are None or empty.

    Attributes:
        results: the results folder.
        record: path of the record.
        content: the complete record.
        command: the command after ``python -m ihdm``.
        settings: all settings that the result depends on.
        seed: the random seed; None if nothing was drawn, or the seed is one of the settings.
        code_sha256: the hash of the code behind the command.
        commit: the git commit, marked ``-dirty`` if files differed from it; None outside a checkout.
        versions: the versions of Python and of packages, by name.
        device: the device of the computation.
        seconds: the run time.
        inputs: the SHA-256 of each input file by its path at that time.
        outputs: the SHA-256 of each output file by its path at that time.
    """

    results: Path
    record: Path
    content: Mapping[str, Any]
    command: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    code_sha256: str | None = None
    commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: str | None = None
    seconds: float | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, results: Path, record: Path) -> "Origin":
        """Read a record.

        Raises:
            UserError: if it is missing or damaged.
        """
        content = read_record(record)
        if not all(isinstance(content.get(key, {}), dict) for key in ("inputs", "outputs", "settings", "versions")):
            raise UserError(f"{record}: not a record; run the stage that makes it again")
        known = [one.name for one in fields(cls)][3:]
        return cls(results, record, content, **{key: content[key] for key in known if key in content})

    @property
    def finished(self) -> datetime | None:
        """The time when the command finished."""
        try:
            return datetime.fromisoformat(self.content["finished"])
        except (KeyError, TypeError, ValueError):
            return None

    @cached_property
    def root(self) -> Path | None:
        """The path of the results folder in the record; None if the recorded files were elsewhere."""
        place = self.record.parent.relative_to(self.results).parts
        for output in map(Path, self.outputs):
            parts = output.parts[:-1]
            # From the right, as the name of a stage may also be in the path of the folder.
            for start in range(len(parts) - len(place), -1, -1):
                inside = output.parts[start:]
                if inside[: len(place)] == place and (self.results / Path(*inside)).exists():
                    return Path(*parts[:start])
        return None

    def local(self, path: str | Path) -> Path | None:
        """Return the present path of a recorded file, which may not exist; None if it was outside the results."""
        if self.root is None or not Path(path).is_relative_to(self.root):
            return None
        return self.results / Path(path).relative_to(self.root)

    def __repr__(self) -> str:
        facts = {
            **{name: getattr(self, name) for name in ("command", "seed", "commit")},
            "code": self.code_sha256,
            "device": self.device,
            "finished": self.content.get("finished"),
            "seconds": self.seconds,
            **{name: ", ".join(getattr(self, name)) or None for name in ("settings", "inputs", "outputs")},
            "versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()) or None,
        }
        return "\n".join([f"{self.record}", *(f"  {name:<9} {one}" for name, one in facts.items() if one is not None)])


def find_origin(results: Path, path: Path) -> Origin:
    """Return the record of a file in the results folder, or of most files in a folder.

    Records in the same folder and its parents are read first, and others only if none of these names the file.

    Raises:
        UserError: if no record names the file, or a record is damaged.
    """
    files = [path]
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.endswith(ENDING)]
    elif path.suffix == ".json":
        files.append(path.with_suffix(".npy"))  # written together with its description
    for records in (_near(results, path), results.rglob(f"*{ENDING}")):
        best: tuple[int, Origin] | None = None
        for record in records:
            origin = Origin.read(results, record)
            made = {origin.local(output) for output in origin.outputs}
            count = sum(file in made for file in files)
            if count and not path.is_dir():
                return origin
            if count > (best[0] if best else 0):
                best = count, origin
        if best:
            return best[1]
    raise UserError(f"{path}: no record of this file; run the stage that makes it again")


def _near(results: Path, path: Path) -> Iterator[Path]:
    own = path.with_name(f"{path.stem}{ENDING}")
    if own.exists():
        yield own
    folder = path if path.is_dir() else path.parent
    for place in (folder, *folder.parents):
        yield from (record for record in sorted(place.glob(f"*{ENDING}")) if record != own)
        if place == results:
            return
