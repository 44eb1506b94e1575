"""The metadata of a crate: files and folders, what made them, whom to cite."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rocrate.model import ContextEntity, DataEntity
from rocrate.rocrate import ROCrate

from ihdm.crate.actions import Actions, identifier
from ihdm.crate.contents import PIPELINE
from ihdm.crate.describing import SPECIFICATIONS, describe, describe_folder, encoding
from ihdm.crate.people import Entity, authors, licence_of, paper, reference, software
from ihdm.crate.project import Project
from ihdm.results.origin import ENDING, Origin
from ihdm.storage.files import sha256

METADATA_NAME = "ro-crate-metadata.json"
VERSION = "1.1"
"""Of RO-Crate: the one that the profiles are made for."""
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
PROFILES = {WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"), PROCESS_RUN: ("Process Run Crate", "0.5")}
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
"""Terms that this version of RO-Crate does not have."""
SNAKEMAKE: Entity = {
    "@id": "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
    "@type": "ComputerLanguage",
    "name": "Snakemake",
    "url": "https://snakemake.readthedocs.io",
}


def metadata(
    files: Mapping[PurePosixPath, Path], results: Path, project: Project, license_name: str | None = None
) -> str:
    """Return the metadata of a crate as text, the same for the same files.

    Args:
        files: where each file lies, by its path in the crate.
        results: the folder of results that they come from.
        project: the checkout of the project.
        license_name: of the results: an SPDX identifier or an address; that of the software, unless given.

    Raises:
        UserError: if a result is not what its record tells, or the licence is none.
    """
    crate = ROCrate(version=VERSION)
    crate.metadata.extra_terms.update(TERMS)
    crate.metadata["conformsTo"] = [{"@id": crate.metadata.profile}, {"@id": WORKFLOW_CRATE}]
    licence = licence_of(license_name or project.citation["license"])
    people = authors(project.citation["authors"])
    tool = software(project.citation, people, licence_of(project.citation["license"]))
    cited = paper(project.citation)
    actions = Actions(files, tool)
    origins = [Origin.read(results, path) for name, path in files.items() if _is_record(name)]
    about = {origin.record: reference(actions.add(origin)) for origin in origins}

    _add_files(crate, files, project, about, people, licence_of(project.citation["license"]))
    workflow = crate.dereference(f"{PIPELINE}/Snakefile")
    contexts = [licence, licence_of(project.citation["license"]), tool, *people, *actions.instruments.values()]
    contexts += [*actions.absent.values(), *actions.found]
    if cited:
        contexts += [cited[0], *cited[1]]
    contexts += [
        {"@id": place, "@type": "CreativeWork", "name": name, "version": version}
        for place, (name, version) in PROFILES.items()
    ]
    contexts += [{"@id": place, "@type": "WebSite", "name": name} for place, name in SPECIFICATIONS.items()]
    for entity in contexts:
        _add(crate, ContextEntity, entity)
    _describe_root(crate, results, origins, {
        "license": reference(licence),
        "author": [reference(one) for one in people],
        "citation": [reference(one) for one in ([cited[0]] if cited else []) + [tool]],
        "mainEntity": {"@id": workflow.id},
        "mentions": [reference(one) for one in actions.found],
    })  # fmt: skip
    return json.dumps(_sorted(crate.metadata.generate()), indent=1, ensure_ascii=False) + "\n"


def _is_record(name: PurePosixPath) -> bool:
    return name.name.endswith(ENDING)


def _add(crate: ROCrate, kind: type, entity: Entity) -> None:
    content = dict(entity)
    crate.add(kind(crate, content.pop("@id"), properties=content))


def _add_files(
    crate: ROCrate,
    files: Mapping[PurePosixPath, Path],
    project: Project,
    about: Mapping[Path, dict[str, str]],
    people: list[Entity],
    licence: Entity,
) -> None:
    """Add every file and every folder above one."""
    captions = project.captions
    parts: dict[PurePosixPath, list[dict[str, str]]] = defaultdict(list)
    _add(crate, ContextEntity, SNAKEMAKE)
    for name, path in files.items():
        entity: Entity = {
            "@id": identifier(name),
            "@type": "File",
            "name": name.name,
            "description": describe(str(name), captions) + _licence_told(path),
            "encodingFormat": encoding(str(name)),
            "contentSize": str(path.stat().st_size),
            "sha256": sha256(path),
        }
        if path in about:
            entity["about"] = about[path]
        if name == PIPELINE / "Snakefile":
            entity |= {
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "programmingLanguage": reference(SNAKEMAKE),
                "version": str(project.citation["version"]),
                "license": reference(licence),
                "author": [reference(one) for one in people],
                "creator": [reference(one) for one in people],
            }
        _add(crate, DataEntity, entity)
        child = {"@id": entity["@id"]}
        for folder in name.parents[:-1]:
            if child in parts[folder]:
                break
            parts[folder].append(child)
            child = {"@id": f"{identifier(folder)}/"}
    for folder, inside in sorted(parts.items()):
        _add(crate, DataEntity, {
            "@id": f"{identifier(folder)}/",
            "@type": "Dataset",
            "name": folder.name,
            "description": describe_folder(str(folder)),
            "hasPart": sorted(inside, key=lambda child: child["@id"]),
        })  # fmt: skip


def _licence_told(path: Path) -> str:
    """Return what is known of the licence of images, of which a description lies beside them."""
    described = path.with_suffix(".json")
    if path.suffix != ".npy" or not described.is_file():
        return ""
    try:
        told = json.loads(described.read_text())
        return f"; source: {told['source']}; licence: {told['licence']}"
    except (ValueError, LookupError, TypeError):
        return ""


def _describe_root(crate: ROCrate, results: Path, origins: list[Origin], told: Mapping[str, Any]) -> None:
    root = crate.root_dataset
    finished = max((origin.finished for origin in origins if origin.finished), default=None)
    names = ", ".join(dict.fromkeys(path.parts[1] for path in _models(origins)))
    folders = (
        " and the portable models, which may keep coefficients of each," if (results / "portable").is_dir() else ""
    )
    root["name"] = f"{results.resolve().name}: inverse heat dissipation, reproduced"
    root["description"] = (
        "Results of the pipeline that reproduces “Generative Modelling with Inverse Heat Dissipation”: trained "
        "networks, samples, measurements, figures, tables and the claims of the paper with verdicts, each with a "
        f"record of what made it.{f' Networks: {names}.' if names else ''} "
        f"Images that networks were trained on{folders} are "
        + ("included." if "data/" in crate else "left out, as they may have a licence of their own.")
    )
    root["conformsTo"] = [{"@id": place} for place in PROFILES]
    root["keywords"] = "generative models, inverse heat dissipation, diffusion models, reproducibility"
    if finished:
        root["datePublished"] = finished.isoformat()
    for key, value in told.items():
        root[key] = value


def _models(origins: list[Origin]) -> list[PurePosixPath]:
    paths = [PurePosixPath(origin.record.relative_to(origin.results).as_posix()) for origin in origins]
    return [path for path in paths if path.parts[0] == "models"]


def _sorted(content: dict[str, Any]) -> dict[str, Any]:
    """Put the graph in order: what is about the crate itself first, then by name."""
    first = [METADATA_NAME, "./"]
    graph = sorted(
        content["@graph"], key=lambda one: (one["@id"] not in first, one["@id"] != METADATA_NAME, one["@id"])
    )
    root = next(entity for entity in graph if entity["@id"] == "./")
    root["hasPart"] = sorted(root["hasPart"], key=lambda part: part["@id"])
    return content | {"@graph": [{key: _single(value) for key, value in entity.items()} for entity in graph]}


def _single(value: Any) -> Any:  # noqa: ANN401 (of JSON)
    """Return what is alone in a list without the list, as RO-Crate wants it."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
