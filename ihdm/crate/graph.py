"""The metadata of a crate: files and folders, the actions that made them, whom to cite."""

import hashlib
import json
import re
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from ihdm.crate.contents import KNOWN, PIPELINE, describe, encoding, read_citation
from ihdm.errors import UserError
from ihdm.results.origin import ENDING, Origin
from ihdm.storage.files import sha256

METADATA_NAME = "ro-crate-metadata.json"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"


class Crate:
    """A crate being described, the same for the same files; the arguments are those of ``write_crate``.

    Args:
        files: where each file is, by its path in the crate.
    """

    def __init__(
        self, files: dict[PurePosixPath, Path], results: Path, project: Path, license_name: str | None
    ) -> None:
        self.results, self.project, self.citation = results, project, read_citation(project)
        self.crate = ROCrate(version="1.1")  # the version that the profiles are made for
        self.crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
        self.license = self._license(license_name or self.citation["license"])
        self.people = self._people(self.citation["authors"])
        self.software = self._entity(
            f"#{self.citation['title']}", "SoftwareApplication", self.citation["title"], author=self.people,
            softwareVersion=str(self.citation["version"]), license=self._license(self.citation["license"]),
            url=self.citation.get("repository-code") or self.citation.get("url"),
        )  # fmt: skip
        self.files = {path: self._add_file(name, path) for name, path in files.items()}
        self.origins = [Origin.read(results, path) for name, path in files.items() if name.name.endswith(ENDING)]
        self.actions = [self._action(origin) for origin in self.origins]
        self._describe_root()

    def metadata(self) -> str:
        """Return the text of ``ro-crate-metadata.json``: the crate itself first, then all entities by name."""
        content = self.crate.metadata.generate()
        first = [METADATA_NAME, "./"]
        content["@graph"].sort(key=lambda one: (first.index(one["@id"]) if one["@id"] in first else 2, one["@id"]))
        for entity in content["@graph"]:
            entity.get("hasPart", []).sort(key=lambda part: part["@id"])
            # RO-Crate wants a single value without a list around it.
            entity |= {key: value[0] for key, value in entity.items() if isinstance(value, list) and len(value) == 1}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def _entity(self, identifier: str, kind: str, name: str, /, **properties: Any) -> ContextEntity:  # noqa: ANN401
        """Add what is not in the crate itself; empty properties are left out."""
        given = {key: value for key, value in properties.items() if value not in (None, "", [])}
        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, "name": name, **given}))

    def _license(self, name: str) -> Entity:
        if re.match(r"https?://\S+$", name):
            return self._entity(name, "CreativeWork", name, description="The license, as described at its address")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", name):
            raise UserError(
                f"--license {name!r}: give an SPDX identifier such as CC-BY-4.0, or the address of a license"
            )
        told = f"The license that SPDX calls {name}"
        return self._entity(
            f"https://spdx.org/licenses/{name}", "CreativeWork", name, identifier=name, description=told
        )

    def _people(self, authors: list[dict[str, str]]) -> list[Entity]:
        """Add the people and organizations of a list of authors."""
        found = []
        for one in authors:
            family, given = one.get("family-names"), one.get("given-names", "")
            name = f"{given} {family}".strip() if family else one["name"]
            address = one.get("orcid") or one.get("website") or "#" + re.sub(r"\W+", "-", name.lower())
            names = {"familyName": family, "givenName": given, "affiliation": one.get("affiliation")}
            found.append(self._entity(address, "Person" if family else "Organization", name, **names))
        return found

    def _paper(self) -> list[Entity]:
        """Add the paper to be cited, if there is one."""
        paper = self.citation.get("preferred-citation")
        if not paper:
            return []
        numbers = [one["value"] for one in paper.get("identifiers", [])]
        archived = [f"https://arxiv.org/abs/{one[6:]}" for one in numbers if one.startswith("arXiv:")]
        addresses = [f"https://doi.org/{paper['doi']}"] if "doi" in paper else []
        address = [*addresses, *archived, paper.get("url", "#paper")][0]
        told = {"datePublished": str(paper.get("year", "")), "publisher": paper.get("collection-title")}
        people = self._people(paper["authors"])
        return [self._entity(address, "ScholarlyArticle", paper["title"], author=people, identifier=numbers, **told)]

    def _action(self, origin: Origin) -> Entity:
        """Add the action of a record."""
        facts = {
            "seed": origin.seed, "device": origin.device, "seconds": origin.seconds,
            "SHA-256 of the settings": origin.content.get("settings_sha256"), "SHA-256 of the code": origin.code_sha256,
        }  # fmt: skip
        started = origin.finished and origin.seconds is not None and origin.finished - timedelta(seconds=origin.seconds)
        record = self.files[origin.record]
        record["about"] = action = self._entity(
            f"#made-{record.id}", "CreateAction", f"python -m ihdm {origin.command}",
            description="; ".join(f"{name} {value}" for name, value in facts.items() if value is not None),
            object=[self._file(origin, *one) for one in origin.inputs.items()],
            result=[self._file(origin, *one, is_result=True) for one in origin.outputs.items()],
            instrument=self._instrument(origin), actionStatus="http://schema.org/CompletedActionStatus",
            startTime=started.isoformat(timespec="seconds") if started else None,
            endTime=origin.finished and origin.finished.isoformat(),
        )  # fmt: skip
        return action

    def _file(self, origin: Origin, path: str, known: str, *, is_result: bool = False) -> Entity:
        """Return a file in the crate, or add what is known of one that is not, or was changed since it was read."""
        local = origin.local(path)
        if local in self.files:
            if sha256(local) == known:
                return self.files[local]
            if is_result:
                raise UserError(f"{local}: is not what {origin.record} records: it was changed since; make it again")
        name = local.relative_to(origin.results).as_posix() if local else PurePosixPath(path).name
        told = f"{name}, which is not in this crate; its SHA-256 is {known}"
        return self._entity(f"#{known}", "CreativeWork", name, description=told, sha256=known)

    def _instrument(self, origin: Origin) -> Entity:
        """Add the version of the software that a record names, and the packages below it."""
        version = str(origin.versions.get("ihdm", self.citation["version"]))
        packages = []
        for name, number in origin.versions.items():
            address = f"https://docs.python.org/release/{number}/" if name == "python" else f"pkg:pypi/{name}@{number}"
            if name != "ihdm":
                packages.append(self._entity(address, "SoftwareApplication", name, softwareVersion=number))
        name, commit = self.citation["title"], origin.commit
        known = hashlib.sha256(json.dumps(origin.versions, sort_keys=True).encode()).hexdigest()
        return self._entity(
            f"{self.software.id}-{version}-{(commit or 'unknown').replace('-dirty', '+')[:13]}-{known[:8]}",
            "SoftwareApplication", name, softwareVersion=f"{version} ({commit or 'no commit'})",
            description=f"{name} {version}, commit {commit or 'not known'}", isBasedOn=self.software,
            softwareRequirements=packages, url=self.software.get("url"),
        )  # fmt: skip

    def _add_file(self, name: PurePosixPath, path: Path) -> Entity:
        """Add a file, and every folder above it."""
        told = {
            "name": name.name,
            "description": describe(str(name), self.project) + _license_of_images(path),
            "encodingFormat": encoding(str(name)),
            "contentSize": str(path.stat().st_size),
            "sha256": sha256(path),
        }
        if name == PIPELINE / "Snakefile":
            told |= {"version": str(self.citation["version"]), "license": self.software["license"]}
            told |= {"author": self.people, "creator": self.people}
            file = self.crate.add_workflow(path, name, properties=told, main=True, lang="snakemake")
            for key in ("url", "identifier"):  # addresses alone, not entities that the crate would have to describe
                file.lang[key] = file.lang.properties()[key]["@id"]
        else:
            file = self.crate.add_file(path, name, properties=told)
        child = file
        for folder in name.parents[:-1]:
            told, known = {"name": folder.name, "description": describe(f"{folder}/", self.project)}, quote(str(folder))
            is_new = f"{known}/" not in self.crate
            parent = self.crate.add_dataset(None, folder, properties=told) if is_new else self.crate.get(f"{known}/")
            parent.append_to("hasPart", child)
            if not is_new:
                break
            child = parent
        return file

    def _describe_root(self) -> None:
        root, results = self.crate.root_dataset, self.results
        root["name"] = f"{results.resolve().name}: inverse heat dissipation, reproduced"
        places = [origin.record.relative_to(results).parts for origin in self.origins]
        networks = ", ".join(dict.fromkeys(place[1] for place in places if place[0] == "models"))
        kept = " and the exported pipelines, which may keep coefficients of each," * (results / "portable").is_dir()
        root["description"] = (
            "Results of the pipeline that reproduces “Generative Modelling with Inverse Heat Dissipation”: trained "
            "networks, samples, measurements, figures, tables and the claims of the paper with verdicts, each with a "
            f"record of what made it.{f' Networks: {networks}.' if networks else ''} "
            f"Images that networks were trained on{kept} are "
            + ("included." if "data/" in self.crate else "left out, as they may have a license of their own.")
        )
        root["conformsTo"] = [
            self._entity(PROCESS_RUN, "CreativeWork", "Process Run Crate", version="0.5"),
            self._entity(WORKFLOW_CRATE, "CreativeWork", "Workflow RO-Crate", version="1.0"),
        ]
        for address, name in KNOWN["specifications"].items():
            self._entity(address, "WebSite", name)
        root["keywords"] = "generative models, inverse heat dissipation, diffusion models, reproducibility"
        if finished := [origin.finished for origin in self.origins if origin.finished]:
            root.datePublished = max(finished)
        root["license"], root["author"] = self.license, self.people
        root["citation"] = [*self._paper(), self.software]
        root["mentions"] = self.actions


def _license_of_images(path: Path) -> str:
    """Return what is known of the license of images, from the description beside them."""
    try:
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) if path.suffix == ".npy" else {}
        return f"; source: {told['source']}; license: {told['licence']}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""
