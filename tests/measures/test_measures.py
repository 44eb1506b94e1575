"""The declarations of all measures, and what follows from them."""

import importlib
from pathlib import Path

import pytest

from ihdm.config.reading import read_config
from ihdm.errors import UserError
from ihdm.measures import MODULES, NAMES, Measure, find, find_job, jobs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def quick():
    return read_config(ROOT / "workflow/config/quick.yaml")


def test_every_declaration_is_found():
    modules = {importlib.import_module(f"ihdm.measures.{module}") for module in MODULES.values()}
    declared = [value for module in modules for value in vars(module).values() if isinstance(value, Measure)]
    assert sorted(map(id, declared)) == sorted(id(find(name)) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_holds_together(name):
    """Its tables are outputs of the measures that they are made by, its settings are those of its model."""
    measure = find(name)
    for table, declared in measure.tables.items():
        assert all(table in find(made).outputs for made in declared.made_by or (name,))
    assert all(source.about for source in measure.inputs.values())
    assert (find_job(measure.job or name).about) == jobs()[measure.job or name].about


def test_measures_of_one_job_have_equal_settings(quick):
    for job in jobs().values():
        for member in job.members.values():
            runs = list(job.first.runs(quick))
            assert list(member.runs(quick)) == runs
            assert [member.settings(run) for run in runs] == [job.first.settings(run) for run in runs]
            assert [member.labels(run) for run in runs] == [job.first.labels(run) for run in runs]
            assert (member.model, member.gpu, member.memory_mb) == (job.first.model, job.first.gpu, job.first.memory_mb)


def test_settings_are_what_commands_take(quick):
    for job in jobs().values():
        for run in job.first.runs(quick):
            assert job.first.model.model_validate_json(job.first.settings(run).model_dump_json())
            assert all(isinstance(value, str) for value in job.first.labels(run).values())


def test_unknown_measures_are_named(ihdm_fails, tmp_path):
    with pytest.raises(UserError, match="there is no measure 'beauty'; known are"):
        find("beauty")
    given = ["metrics", "psd", "--settings", "{}"]
    message = ihdm_fails(*given, "--output", tmp_path / "x.csv")
    assert message == "ihdm: metrics psd: add --input train=PATH"
    message = ihdm_fails(*given, "--input", "images=x", "--output", tmp_path / "x.csv")
    assert message == "ihdm: --input images=x: write ROLE=PATH; roles are train"
    labels = ["--settings", '{"labels": {"experiment": 1}}', "--train", "x", "--output", tmp_path / "x.csv"]
    assert "--settings: labels must be text by name" in ihdm_fails("metrics", "psd", *labels)


def test_real_images_that_are_squares_of_photographs_are_known_as_such(quick):
    """Of the embedded photographs: 2000 training squares of each, and 500 test squares."""
    found = {}
    for name in NAMES:
        measure = find(name)
        if "squares" in measure.model.model_fields:
            settings = [(run, measure.settings(run).squares) for run in measure.runs(quick)]
            assert {number for run, number in settings if run.dataset == "digits"} <= {1}
            (found[name],) = {number for run, number in settings if run.dataset == "photos"}
    assert found == {
        **dict.fromkeys(("data_spectrum", "forward"), 2000),
        **dict.fromkeys(("errors", "joints", "memorisation", "asymptotics", "restoration"), 500),
        **dict.fromkeys(("distance_real", "spectrum_real"), 500),
    }
