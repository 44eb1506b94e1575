"""The metadata of a crate: files and folders, the actions that created them, and whom to cite."""

import hashlib
import json
import mimetypes
import re
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import yaml
from rocrate.model import ContextEntity, Entity
from rocrate.rocrate import ROCrate

from ihdm.errors import UserError
from ihdm.measures import reported
from ihdm.results.origin import ENDING, Origin
from ihdm.storage.files import sha256

METADATA_NAME = "ro-crate-metadata.json"
WORKFLOW = PurePosixPath("pipeline/Snakefile")
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
KNOWN = yaml.safe_load(Path(__file__).with_name("descriptions.yaml").read_text(encoding="utf-8"))


class ResultsCrate(ROCrate):  # type: ignore[misc]  # rocrate has no types
    """The description of ``files`` by path in the crate; the other arguments are those of ``write_crate``."""

    def __init__(
        self, files: dict[PurePosixPath, Path], results: Path, project: Path, license_name: str | None
    ) -> None:
        super().__init__(version="1.1")  # the version that both profiles require
        self.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
        self.results, self.project, self.citation = results, project, read_citation(project)
        self.license = self._add_license(license_name or self.citation["license"])
        self.people = self._add_people(self.citation["authors"])
        self.software = self._add(
            f"#{self.citation['title']}", "SoftwareApplication", self.citation["title"], author=self.people,
            softwareVersion=str(self.citation["version"]), license=self._add_license(self.citation["license"]),
            url=self.citation.get("repository-code") or self.citation.get("url"),
        )  # fmt: skip
        self.files = {path: self._add_file(name, path) for name, path in files.items()}
        self._add_folders(files)
        self._describe_root([Origin.read(results, path) for path in files.values() if path.name.endswith(ENDING)])

    def text(self) -> str:
        """Return the content of ``ro-crate-metadata.json``."""
        content = self.metadata.generate()
        for entity in content["@graph"]:
            # RO-Crate requires a single value without a list around it.
            entity |= {key: value[0] for key, value in entity.items() if isinstance(value, list) and len(value) == 1}
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def _add(self, identifier: str, kind: str, name: str, /, **properties: Any) -> ContextEntity:  # noqa: ANN401
        """Add an entity that is not a file of the crate, without its empty properties."""
        given = {key: value for key, value in properties.items() if value not in (None, "", [])}
        return self.add(ContextEntity(self, identifier, {"@type": kind, "name": name, **given}))

    def _add_license(self, name: str) -> Entity:
        if re.match(r"https?://\S+$", name):
            return self._add(name, "CreativeWork", name, description="The license, as described at its URL")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", name):
            raise UserError(f"--license {name!r}: give an SPDX identifier such as CC-BY-4.0, or the URL of a license")
        text = f"The license with the SPDX identifier {name}"
        return self._add(f"https://spdx.org/licenses/{name}", "CreativeWork", name, identifier=name, description=text)

    def _add_people(self, authors: list[dict[str, str]]) -> list[Entity]:
        """Add the people and organizations of a list of authors in a CITATION.cff."""
        found = []
        for one in authors:
            family, given = one.get("family-names"), one.get("given-names", "")
            name = f"{given} {family}".strip() if family else one["name"]
            identifier = one.get("orcid") or one.get("website") or "#" + re.sub(r"\W+", "-", name.lower())
            names = {"familyName": family, "givenName": given, "affiliation": one.get("affiliation")}
            found.append(self._add(identifier, "Person" if family else "Organization", name, **names))
        return found

    def _add_paper(self, paper: dict[str, Any]) -> Entity:
        identifiers = [one["value"] for one in paper.get("identifiers", [])]
        urls = [f"https://doi.org/{paper['doi']}"] if "doi" in paper else []
        urls += [f"https://arxiv.org/abs/{one[6:]}" for one in identifiers if one.startswith("arXiv:")]
        return self._add(
            [*urls, paper.get("url", "#paper")][0], "ScholarlyArticle", paper["title"],
            author=self._add_people(paper["authors"]), identifier=identifiers,
            datePublished=str(paper.get("year", "")), publisher=paper.get("collection-title"),
        )  # fmt: skip

    def _add_file(self, name: PurePosixPath, path: Path) -> Entity:
        properties = {
            "name": name.name,
            "description": describe(str(name), self.project) + _license_of_images(path),
            "encodingFormat": encoding(str(name)),
            "contentSize": str(path.stat().st_size),
            "sha256": sha256(path),
        }
        if name != WORKFLOW:
            return self.add_file(path, name, properties=properties)
        properties |= {"version": self.software["softwareVersion"], "license": self.software["license"]}
        properties |= {"author": self.people, "creator": self.people}
        workflow = self.add_workflow(path, name, properties=properties, main=True, lang="snakemake")
        for key in ("url", "identifier"):  # as text: every entity that is referred to has to be described
            workflow.lang[key] = workflow.lang.properties()[key]["@id"]
        return workflow

    def _add_folders(self, files: dict[PurePosixPath, Path]) -> None:
        folders = {folder for name in files for folder in name.parents[:-1]}
        for folder in sorted(folders):
            properties = {"name": folder.name, "description": describe(f"{folder}/", self.project)}
            self.add_dataset(None, folder, properties=properties)
        for part in sorted({*files, *folders}):
            if len(part.parts) > 1:
                self.get(quote(str(part.parent))).append_to("hasPart", self.get(quote(str(part))))

    def _add_action(self, origin: Origin) -> Entity:
        """Add the action that a record describes."""
        facts = {
            "seed": origin.seed, "device": origin.device, "seconds": origin.seconds,
            "SHA-256 of the settings": origin.content.get("settings_sha256"), "SHA-256 of the code": origin.code_sha256,
        }  # fmt: skip
        finished, seconds = origin.finished, origin.seconds
        started = finished - timedelta(seconds=seconds) if finished and seconds is not None else None
        record = self.files[origin.record]
        record["about"] = action = self._add(
            f"#made-{record.id}", "CreateAction", f"python -m ihdm {origin.command}",
            description="; ".join(f"{name} {value}" for name, value in facts.items() if value is not None),
            instrument=self._add_instrument(origin), actionStatus="http://schema.org/CompletedActionStatus",
            object=[self._find_file(origin, *one) for one in origin.inputs.items()],
            result=[self._find_file(origin, *one, is_result=True) for one in origin.outputs.items()],
            startTime=started and started.isoformat(timespec="seconds"), endTime=finished and finished.isoformat(),
        )  # fmt: skip
        return action

    def _find_file(self, origin: Origin, path: str, digest: str, *, is_result: bool = False) -> Entity:
        """Return a file of the crate, or a description of one that is absent or has changed since it was read."""
        local = origin.local(path)
        if local in self.files:
            if sha256(local) == digest:
                return self.files[local]
            if is_result:
                raise UserError(f"{local}: differs from its record {origin.record}; run the stage that makes it again")
        name = local.relative_to(origin.results).as_posix() if local else PurePosixPath(path).name
        description = f"{name}, which is not in this crate; its SHA-256 is {digest}"
        return self._add(f"#{digest}", "CreativeWork", name, description=description, sha256=digest)

    def _add_instrument(self, origin: Origin) -> Entity:
        """Add the version of the software that a record names, with its packages."""
        packages = [
            self._add(f"pkg:{'generic' if package == 'python' else 'pypi'}/{package}@{number}", "SoftwareApplication",
                      package, softwareVersion=number)
            for package, number in origin.versions.items() if package != "ihdm"
        ]  # fmt: skip
        version, commit = str(origin.versions.get("ihdm", self.citation["version"])), origin.commit
        name, text = self.citation["title"], json.dumps(origin.versions, sort_keys=True)
        identifier = (commit or "unknown").replace("-dirty", "+")[:13], hashlib.sha256(text.encode()).hexdigest()[:8]
        return self._add(
            "-".join([self.software.id, version, *identifier]), "SoftwareApplication", name,
            softwareVersion=f"{version} ({commit or 'no commit'})", softwareRequirements=packages,
            description=f"{name} {version}, commit {commit or 'unknown'}", isBasedOn=self.software,
            url=self.software.get("url"),
        )  # fmt: skip

    def _describe_root(self, origins: list[Origin]) -> None:
        self.name = f"{self.results.resolve().name}: reproduction of inverse heat dissipation"
        parts = [origin.record.relative_to(self.results).parts for origin in origins]
        networks = ", ".join(dict.fromkeys(part[1] for part in parts if part[0] == "models"))
        has_pipelines = (self.results / "portable").is_dir()
        kept = " and the exported pipelines, which may keep coefficients of each," if has_pipelines else ""
        self.description = (
            "Results of the pipeline that reproduces “Generative Modelling with Inverse Heat Dissipation”: trained "
            "networks, samples, metrics, figures, tables and the claims of the paper with verdicts, each with a "
            f"record of how it was made.{f' Networks: {networks}.' if networks else ''} Training images{kept} are "
            + ("included." if "data/" in self else "left out, as they may have a separate license.")
        )
        self.keywords = "generative models, inverse heat dissipation, diffusion models, reproducibility"
        self.root_dataset["conformsTo"] = [
            self._add(url, "CreativeWork", name, version=url.rsplit("/", 1)[1]) for url, name in PROFILES.items()
        ]
        for url, name in KNOWN["specifications"].items():
            self._add(url, "WebSite", name)
        if finished := [origin.finished for origin in origins if origin.finished]:
            self.datePublished = max(finished)
        papers = [self.citation[key] for key in ("preferred-citation",) if key in self.citation]
        self.root_dataset["author"] = self.people
        self.root_dataset["citation"] = [*map(self._add_paper, papers), self.software]
        self.root_dataset["mentions"] = [self._add_action(origin) for origin in origins]


def read_citation(project: Path) -> dict[str, Any]:
    """Return the content of the CITATION.cff of a checkout.

    Raises:
        UserError: if ``project`` is not a checkout of the project.
    """
    try:
        (project / "Snakefile").stat()
        citation: dict[str, Any] = yaml.safe_load((project / "CITATION.cff").read_text(encoding="utf-8"))
        if all(citation[key] for key in ("title", "license", "version", "authors")):
            return citation
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError):
        pass
    raise UserError(
        f"{project}: not a checkout of the project with Snakefile and CITATION.cff (title, license, version and "
        "authors); give one with --project"
    )


def describe(path: str, project: Path) -> str:
    """Describe a file of the crate, or a folder if the path ends in a slash; the checkout has captions of figures."""
    place = PurePosixPath(path)
    if place.parts[:-1] == ("metrics",) and place.suffix and place.stem in reported():
        return reported()[place.stem].heading
    caption = project / f"workflow/report/{place.stem}.rst"
    if place.parts[:-1] == ("figures",) and caption.is_file():
        return " ".join(re.sub(r"[`*]", "", caption.read_text(encoding="utf-8")).split())
    kinds = KNOWN["descriptions"].items()
    return next(text.format(*match.groups()) for pattern, text in kinds if (match := re.fullmatch(pattern, path)))


def encoding(path: str) -> Any:  # noqa: ANN401 (JSON)
    """Return the media type of a file by its extension; without one of its own, with the URL of its specification."""
    return KNOWN["formats"].get(PurePosixPath(path).suffix) or mimetypes.MimeTypes().guess_type(path)[0] or "text/plain"


def _license_of_images(path: Path) -> str:
    """Return the source and license of an array of images, from the JSON file next to it."""
    try:
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) if path.suffix == ".npy" else {}
        return f"; source: {known['source']}; license: {known['licence']}"
    except (OSError, ValueError, LookupError, TypeError):
        return ""
