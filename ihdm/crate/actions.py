"""What made the results: an action for each record, and the software that carried it out."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ihdm.crate.people import Entity, reference
from ihdm.errors import UserError
from ihdm.results.origin import Origin
from ihdm.storage.files import sha256


def identifier(path: PurePosixPath | str) -> str:
    """Return what a file of the crate is called in it."""
    return quote(str(path), safe="/+=,@~")


class Actions:
    """The actions behind the files of a crate, and what they need beside these.

    Args:
        files: the files of the crate: where each lies, by its path in the crate.
        software: what the project says of its software.

    Attributes:
        found: the actions.
        instruments: the versions of the software that carried them out, and of the packages below it.
        absent: what they read or wrote that is not in the crate.
    """

    def __init__(self, files: Mapping[PurePosixPath, Path], software: Entity) -> None:
        self.software = software
        self.found: list[Entity] = []
        self.instruments: dict[str, Entity] = {}
        self.absent: dict[str, Entity] = {}
        self._names = {path: identifier(name) for name, path in files.items()}

    def add(self, origin: Origin) -> Entity:
        """Add the action of a record.

        Raises:
            UserError: if a result is not what its record tells.
        """
        name = PurePosixPath(origin.record.relative_to(origin.results).as_posix())
        action: Entity = {
            "@id": f"#made-{identifier(name)}",
            "@type": "CreateAction",
            "name": f"python -m ihdm {origin.command}",
            "description": _told(origin),
            "instrument": reference(self._instrument(origin)),
            "object": [self._read(origin, path, known) for path, known in origin.inputs.items()],
            "result": list(self._written(origin)),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }
        if origin.finished:
            action["endTime"] = origin.finished.isoformat()
            if origin.seconds is not None:
                action["startTime"] = (origin.finished - timedelta(seconds=origin.seconds)).isoformat(
                    timespec="seconds"
                )
        action = {key: value for key, value in action.items() if value not in (None, [])}
        self.found.append(action)
        return action

    def _read(self, origin: Origin, path: str, known: str) -> dict[str, str]:
        local = origin.local(path)
        if local in self._names and sha256(local) == known:
            return {"@id": self._names[local]}
        return reference(self._absence(origin, path, known))

    def _written(self, origin: Origin) -> Iterator[dict[str, str]]:
        for path, known in origin.outputs.items():
            local = origin.local(path)
            if local in self._names:
                if sha256(local) != known:
                    raise UserError(
                        f"{local}: is not what {origin.record} tells of, so it was changed since; make it again"
                    )
                yield {"@id": self._names[local]}
            else:
                yield reference(self._absence(origin, path, known))

    def _absence(self, origin: Origin, path: str, known: str) -> Entity:
        local = origin.local(path)
        told = local.relative_to(origin.results).as_posix() if local else PurePosixPath(path).name
        entity: Entity = {
            "@id": f"#{known}",
            "@type": "CreativeWork",
            "name": told,
            "description": f"{told}, which is not in this crate; its SHA-256 is {known}",
            "sha256": known,
        }
        return self.absent.setdefault(entity["@id"], entity)

    def _instrument(self, origin: Origin) -> Entity:
        """Return the version of the software that a record tells of; each has one entity."""
        version = str(origin.versions.get("ihdm", self.software["softwareVersion"]))
        packages = [_package(*one) for one in origin.versions.items() if one[0] != "ihdm"]
        told: dict[str, Any] = {
            "@type": "SoftwareApplication",
            "name": self.software["name"],
            "softwareVersion": f"{version} ({origin.commit or 'no commit'})",
            "description": f"{self.software['name']} {version}, commit {origin.commit or 'not known'}",
            "isBasedOn": reference(self.software),
            "softwareRequirements": [reference(one) for one in packages],
        }
        if "url" in self.software:
            told["url"] = self.software["url"]
        same = (known for known in self.instruments.values() if all(known.get(key) == told[key] for key in told))
        if found := next(same, None):
            return found
        self.instruments |= {one["@id"]: one for one in packages}
        short = (origin.commit or "unknown").replace("-dirty", "+")[:13]
        place = f"{self.software['@id']}-{version}-{short}"
        number = sum(key.startswith(place) for key in self.instruments)
        entity = {"@id": f"{place}-{number + 1}" if number else place, **told}
        self.instruments[entity["@id"]] = entity
        return entity


def _package(name: str, version: str) -> Entity:
    address = f"https://docs.python.org/release/{version}/" if name == "python" else f"pkg:pypi/{name}@{version}"
    return {"@id": address, "@type": "SoftwareApplication", "name": name, "softwareVersion": version}


def _told(origin: Origin) -> str:
    facts = {
        "seed": origin.seed,
        "device": origin.device,
        "seconds": origin.seconds,
        "SHA-256 of the settings": origin.content.get("settings_sha256"),
        "SHA-256 of the code": origin.code_sha256,
    }
    return "; ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
