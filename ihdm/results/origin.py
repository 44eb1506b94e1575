"""Which record tells of a result, and what it says.

Records name files as the pipeline did that made them, relative to where it ran; a results folder may have moved since.
So a file is known by where it lies below the results.
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
    """What made a result: the content of its record. What a record does not tell is None or empty.

    Attributes:
        results: the folder of results.
        record: path of the record.
        content: all that it says.
        command: the command, as it is typed after ``python -m ihdm``.
        settings: the complete settings that the result depends on.
        seed: the seed of what was drawn; None if nothing was, or the settings hold it.
        code_sha256: the hash of the code behind the command.
        commit: the git commit, marked ``-dirty`` if files differed from it; None outside a checkout.
        versions: the versions of Python and of packages, by name.
        device: where it was computed.
        seconds: how long it took.
        inputs: the SHA-256 of what was read, by path as it was called then.
        outputs: the SHA-256 of what was written, by path as it was called then.
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
            raise UserError(f"{record}: is no record, but something else; run the stage that makes it again")
        known = [one.name for one in fields(cls)][3:]
        return cls(results, record, content, **{key: content[key] for key in known if key in content})

    @property
    def finished(self) -> datetime | None:
        """When it was finished."""
        try:
            return datetime.fromisoformat(self.content["finished"])
        except (KeyError, TypeError, ValueError):
            return None

    @cached_property
    def root(self) -> Path | None:
        """What the folder of results was called then; None if the record is of files that lay elsewhere."""
        place = self.record.parent.relative_to(self.results).parts
        for output in map(Path, self.outputs):
            parts = output.parts[:-1]
            # From the right: the name of a stage may be in the path of the folder too.
            for start in range(len(parts) - len(place), -1, -1):
                inside = output.parts[start:]
                if inside[: len(place)] == place and (self.results / Path(*inside)).exists():
                    return Path(*parts[:start])
        return None

    def local(self, path: str | Path) -> Path | None:
        """Return where a file that the record names lies below the results now; None if it lay elsewhere.

        It may have been removed since.
        """
        if self.root is None or not Path(path).is_relative_to(self.root):
            return None
        return self.results / Path(path).relative_to(self.root)

    def made(self, path: Path) -> bool:
        """Tell whether this is the record of a file below the results."""
        return any(self.local(output) == path for output in self.outputs)

    def __repr__(self) -> str:
        """Say what made the result, in a line for each fact."""
        facts = {
            "command": self.command,
            "seed": self.seed,
            "commit": self.commit,
            "code": self.code_sha256,
            "device": self.device,
            "finished": self.content.get("finished"),
            "seconds": self.seconds,
            "settings": ", ".join(self.settings) or None,
            "inputs": ", ".join(self.inputs) or None,
            "outputs": ", ".join(self.outputs) or None,
            "versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()) or None,
        }
        lines = [f"  {name:<9} {value}" for name, value in facts.items() if value is not None]
        return "\n".join([f"{self.record}", *lines])


def find_origin(results: Path, path: Path) -> Origin:
    """Return what made a file below the results; of a folder, what made most of the files in it.

    Records that lie beside it or above it are read first, and others only if none of these tells.

    Raises:
        UserError: if no record tells of it, or one that is read is damaged.
    """
    wanted = _wanted(path)
    for records in (_near(results, path), results.rglob(f"*{ENDING}")):
        best: tuple[int, Origin] | None = None
        for record in records:
            origin = Origin.read(results, record)
            count = sum(origin.made(one) for one in wanted)
            if count and not path.is_dir():
                return origin
            if count > (best[0] if best else 0):
                best = count, origin
        if best:
            return best[1]
    raise UserError(f"{path}: no record tells what made it; run the stage that makes it again")


def _wanted(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.endswith(ENDING)]
    # The description of an array is written with it.
    return [path, path.with_suffix(".npy")] if path.suffix == ".json" else [path]


def _near(results: Path, path: Path) -> Iterator[Path]:
    folder = path if path.is_dir() else path.parent
    own = path.with_name(f"{path.stem}{ENDING}")
    if own.exists():
        yield own
    for place in (folder, *folder.parents):
        yield from (record for record in sorted(place.glob(f"*{ENDING}")) if record != own)
        if place == results:
            return
