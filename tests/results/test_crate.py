"""What an archive and its readers rely on: the rules of RO-Crate 1.1 and of the two profiles, on a made-up folder."""

import hashlib
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from rocrate.rocrate import ROCrate

from ihdm.config.reading import read_config
from ihdm.results.crate_graph import describe
from ihdm.storage.provenance import record

ROOT = Path(__file__).parents[2]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CREATE_ACTION = {"instrument", "result", "name", "endTime", "startTime", "description"}


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert content["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in content["@graph"]}
    assert len(entities) == len(content["@graph"]), "an identifier is given twice"
    return entities


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        assert set(value) == {"@id"}, "the graph is not flat"
        yield value["@id"]
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def kinds(entity: dict[str, Any]) -> set[str]:
    return set(listed(entity["@type"]))


def require_crate(folder: Path) -> dict[str, dict[str, Any]]:
    """Check all that RO-Crate 1.1 requires, and that the files are what is said of them."""
    entities = graph(folder)
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert {"@id": "https://w3id.org/ro/crate/1.1"} in descriptor["conformsTo"]
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "license", "datePublished"))
    assert datetime.fromisoformat(root["datePublished"]).tzinfo
    for name, entity in entities.items():
        assert entity["@type"], name
        for key, value in entity.items():
            for wanted in references(value) if key not in ("@id", "@type") else ():
                assert wanted in entities or wanted == "https://w3id.org/ro/crate/1.1", f"{name}: {key} names {wanted}"
    reached, ahead = {"./"}, ["./"]
    while ahead:
        for part in references(entities[ahead.pop()].get("hasPart", [])):
            if part not in reached:
                reached.add(part)
                ahead.append(part)
    for name, entity in entities.items():
        path = folder / unquote(name)
        if "File" in kinds(entity):
            content = path.read_bytes()
            assert entity["contentSize"] == str(len(content)), name
            assert entity["sha256"] == hashlib.sha256(content).hexdigest(), name
            assert entity["encodingFormat"], name
            assert entity["description"], name
        elif "Dataset" in kinds(entity):
            assert path.is_dir(), name
        else:
            continue
        assert name in reached, f"{name}: is no part of the crate"
    return entities


@pytest.fixture(scope="module")
def moved(built, tmp_path_factory) -> Path:
    """The results where they were moved to, for crates that no test changes."""
    return Path(shutil.copytree(built, tmp_path_factory.mktemp("moved") / "after"))


@pytest.fixture(scope="module")
def crated(moved, ihdm) -> Path:
    ihdm("results", "crate", moved, "--output", moved.with_name("crate"), "--license", "CC-BY-4.0")
    return moved.with_name("crate")


@pytest.fixture(scope="module")
def entities(crated) -> dict[str, dict[str, Any]]:
    return require_crate(crated)


@pytest.fixture(scope="module")
def with_all(moved, ihdm) -> dict[str, dict[str, Any]]:
    """The entities of a crate with training images and exported pipelines."""
    ihdm("results", "crate", moved, "--output", moved.with_name("all"), "--include-data")
    return require_crate(moved.with_name("all"))


@pytest.fixture
def crate(folder, tmp_path, ihdm) -> Callable[..., dict[str, dict[str, Any]]]:
    """Write a crate of the folder, which the test may have changed, and return its entities."""

    def run(*options: str) -> dict[str, dict[str, Any]]:
        ihdm("results", "crate", folder, "--output", tmp_path / "crate", *options)
        return require_crate(tmp_path / "crate")

    return run


def test_a_crate_is_as_the_specification_requires(crated, entities):
    described = {unquote(name) for name, entity in entities.items() if "File" in kinds(entity)}
    there = {path.relative_to(crated).as_posix() for path in crated.rglob("*") if path.is_file()}
    assert described == there - {"ro-crate-metadata.json"}
    assert not {"state", "logs"} & {path.name for path in crated.iterdir()}


def test_its_own_library_reads_it(crated):
    crate = ROCrate(crated)
    assert crate.version == "1.1"
    assert crate.mainEntity.id == "pipeline/Snakefile"
    assert crate.license.id == "https://spdx.org/licenses/CC-BY-4.0"
    assert crate.dereference("metrics/spectrum.csv")["encodingFormat"] == "text/csv"
    assert "actionStatus" in crate.get_by_type("CreateAction")[0].properties()


def test_it_conforms_to_the_profile_of_workflows(crated, entities):
    profile = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
    assert {"@id": profile} in entities["ro-crate-metadata.json"]["conformsTo"]
    workflow = entities[entities["./"]["mainEntity"]["@id"]]
    assert kinds(workflow) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert entities[workflow["programmingLanguage"]["@id"]]["name"] == "Snakemake"
    assert (crated / "pipeline/Snakefile").read_bytes() == (ROOT / "Snakefile").read_bytes()
    assert (crated / "pipeline/workflow/rules/common.smk").exists()
    assert json.loads((crated / "pipeline/scale.json").read_text())["experiments"] == {}


def test_every_record_is_an_action_by_a_version_of_the_software(entities, moved):
    actions = {name: entity for name, entity in entities.items() if kinds(entity) == {"CreateAction"}}
    paths = [path.relative_to(moved) for path in moved.rglob("*.meta.json")]
    records = [path for path in paths if path.parts[0] not in ("data", "portable")]
    assert len(actions) == len(records)
    assert {reference["@id"] for reference in entities["./"]["mentions"]} == set(actions)
    for path in records:
        content = json.loads((moved / path).read_text())
        action = actions[entities[path.as_posix()]["about"]["@id"]]
        assert set(action) >= CREATE_ACTION
        assert action["name"] == f"python -m ihdm {content['command']}"
        assert action["endTime"] == content["finished"]
        assert action["startTime"] <= action["endTime"]
        results = {entities[one["@id"]]["sha256"] for one in listed(action["result"])}
        assert results == set(content["outputs"].values())
        inputs = {entities[one["@id"]]["sha256"] for one in listed(action.get("object"))}
        assert inputs == set(content["inputs"].values())
        tool = entities[action["instrument"]["@id"]]
        assert tool["@type"] == "SoftwareApplication"
        assert str(content["commit"] or "no commit") in tool["softwareVersion"]
        needed = {
            (entities[one["@id"]]["name"], entities[one["@id"]]["softwareVersion"])
            for one in tool["softwareRequirements"]
        }
        assert needed == {(name, version) for name, version in content["versions"].items() if name != "ihdm"}


def test_authors_come_from_the_citation_file(entities):
    cited = [entities[one["@id"]] for one in entities["./"]["citation"]]
    paper, software = cited
    assert paper["@type"] == "ScholarlyArticle"
    assert paper["name"] == CITATION["preferred-citation"]["title"]
    assert paper["@id"] == "https://arxiv.org/abs/2206.13397"
    names = [entities[one["@id"]]["name"] for one in paper["author"]]
    assert names == ["Severi Rissanen", "Markus Heinonen", "Arno Solin"]
    assert (software["name"], software["softwareVersion"]) == (CITATION["title"], CITATION["version"])
    author = entities[entities["./"]["author"]["@id"]]
    assert (author["@type"], author["name"]) == ("Organization", CITATION["authors"][0]["name"])


def test_training_images_are_left_out_unless_asked_for(crated, entities, with_all):
    assert not (crated / "data").exists()
    assert "left out, as they may have a separate license" in entities["./"]["description"]
    (trained_on,) = listed(entities["#made-models/digits/model.meta.json"]["object"])
    absent = entities[trained_on["@id"]]
    assert absent["@type"] == "CreativeWork"
    assert absent["name"] == "data/digits/train.npy"
    assert with_all["#made-models/digits/model.meta.json"]["object"] == {"@id": "data/digits/train.npy"}
    assert "license: CC BY 4.0" in with_all["data/digits/train.npy"]["description"]
    assert "included." in with_all["./"]["description"]
    assert with_all["./"]["license"] == {"@id": f"https://spdx.org/licenses/{CITATION['license']}"}


def test_exported_pipelines_are_left_out_with_the_training_images(crated, entities, with_all, folder, crate):
    assert not (crated / "portable").exists()
    told = "and the exported pipelines, which may keep coefficients of each, are"
    assert f"{told} left out" in entities["./"]["description"]
    assert f"{told} included" in with_all["./"]["description"]
    made = with_all["#made-portable/digits.meta.json"]
    assert made["name"] == "python -m ihdm models export"
    assert {"@id": "portable/digits/prior/config.json"} in made["result"]
    assert with_all["portable/digits/prior/config.json"]["description"].startswith("Prior of model digits")
    shutil.rmtree(folder / "portable")
    assert "exported" not in crate()["./"]["description"]


def test_an_archive_has_the_same_content_and_the_same_bytes_each_time(crated, moved, tmp_path, ihdm):
    for name in ("one.zip", "two.zip"):
        ihdm("results", "crate", moved, "--output", tmp_path / name, "--license", "CC-BY-4.0")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "ro-crate-metadata.json"
        archive.extractall(tmp_path / "unpacked")
    require_crate(tmp_path / "unpacked")
    metadata = [(place / "ro-crate-metadata.json").read_bytes() for place in (tmp_path / "unpacked", crated)]
    assert metadata[0] == metadata[1]


def test_the_folder_of_results_itself_becomes_a_crate_again_and_again(folder, ihdm):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ihdm("results", "crate", folder)
    first = (folder / "ro-crate-metadata.json").read_bytes()
    ihdm("results", "crate", folder)
    assert (folder / "ro-crate-metadata.json").read_bytes() == first
    require_crate(folder)
    assert {path: path.read_bytes() for path in before} == before
    assert not list(folder.glob(".*"))


def test_a_regenerated_input_is_identified_by_its_former_hash(folder, crate):
    """The table was drawn from what was there then."""
    path, meta = folder / "metrics/spectrum.csv", folder / "metrics/spectrum.meta.json"
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text("band,value\nlow,2.5\n")
    new = hashlib.sha256(path.read_bytes()).hexdigest()
    meta.write_text(meta.read_text().replace(old, new))
    entities = crate()
    drawn_from = entities[entities["#made-figures/psd.meta.json"]["object"]["@id"]]
    assert drawn_from["@type"] == "CreativeWork"
    assert drawn_from["sha256"] == old


def test_a_result_that_was_changed_since_is_refused(folder, tmp_path, ihdm_fails):
    (folder / "metrics/spectrum.csv").write_text("band,value\nlow,9.9\n")
    message = ihdm_fails("results", "crate", folder, "--output", tmp_path / "crate.zip")
    assert "metrics/spectrum.csv: differs from its record" in message
    assert not (tmp_path / "crate.zip").exists()
    assert not list(tmp_path.glob(".crate*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--license", "my own"], "give an SPDX identifier"),
        (["--output", "{folder}/inside"], "inside the results folder"),
        (["--output", "{folder}/../full"], "the folder is not empty"),
        (["--output", "{folder}/../file"], "a file; give a folder"),
        (["--project", "{folder}"], "not a checkout of the project"),
    ],
)
def test_mistakes_are_reported_and_nothing_is_written(folder, tmp_path, ihdm_fails, options, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    words = [option.format(folder=folder) for option in options]
    if "--output" not in words:
        words += ["--output", str(tmp_path / "crate")]
    assert message in ihdm_fails("results", "crate", folder, *words)
    assert {path.name for path in tmp_path.iterdir()} == {"after", "full", "file"}


def test_folders_without_results_are_refused(tmp_path, ihdm_fails):
    assert "not a results folder" in ihdm_fails("results", "crate", tmp_path)


def test_unfinished_results_make_a_crate_without_a_scale(folder, tmp_path, crate):
    for name in ("tables", "report", "figures"):
        shutil.rmtree(folder / name)
    crate()
    assert not (tmp_path / "crate/pipeline/scale.json").exists()


def test_results_are_shown(folder, ihdm, capsys):
    ihdm("results", "show", folder)
    assert "figures  1: psd" in capsys.readouterr().out


@pytest.mark.parametrize(
    "scale", [ROOT / "config.yaml", *sorted((ROOT / "workflow/config").glob("*.yaml"))], ids=lambda path: path.stem
)
def test_the_configuration_in_a_crate_is_one_that_can_be_run_again(folder, tmp_path, crate, scale):
    config, tables = read_config(scale), folder / "tables"
    with record([tables / "quality.csv"], command="report tables", settings=config, meta=tables / "tables.meta.json"):
        pass
    crate()
    assert read_config(tmp_path / "crate/pipeline/scale.json") == config


def test_a_license_may_be_an_address(crate):
    assert crate("--license", "https://example.org/license")["./"]["license"] == {"@id": "https://example.org/license"}


@pytest.mark.parametrize("path", sorted((ROOT / "workflow/report").glob("*.rst")), ids=lambda path: path.stem)
def test_captions_lose_their_markup(path):
    caption = describe(f"figures/{path.stem}.png", ROOT)
    assert caption != f"Figure {path.stem}"
    assert not re.search(r"[`*\n]", caption)
