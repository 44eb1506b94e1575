"""`claims check`, from merged tables alone and from a folder of results."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from ihdm.storage.provenance import read_record

ROOT = Path(__file__).parents[2]
QUICK = ROOT / "workflow/config/quick.yaml"


@pytest.fixture
def tables(tmp_path):
    folder = tmp_path / "quick/metrics"
    folder.mkdir(parents=True)
    row = {"experiment": "digits_diffusion", "band": "order", "n": 9, "value": 1.0, "standard_error": 0.01}
    pd.DataFrame([row]).to_csv(folder / "generation.csv", index=False)
    pd.DataFrame({"experiment": ["digits"]}).to_csv(folder / "unknown.csv", index=False)
    return folder


def test_verdicts_are_written_as_table_text_and_json_with_a_record(ihdm, tables, tmp_path):
    output = tmp_path / "report"
    ihdm("claims", "check", "--settings", QUICK, "--merged", tables / "generation.csv", "--output", output)
    table = pd.read_csv(output / "claims.csv")
    run = table[table["verdict"] != "not run"]
    assert run[["id", "experiment", "verdict"]].to_numpy().tolist() == [
        ["coarse_to_fine", "digits_diffusion", "reproduced"]
    ]
    assert json.loads((output / "claims.json").read_text())["tested"] == 1
    assert "1 tests: 1 reproduced" in (output / "claims.md").read_text()
    record = read_record(output / "claims.meta.json")
    assert record["command"] == "claims check"
    assert len(record["outputs"]) == 3
    assert record["settings"]["experiments"].keys() >= {"digits", "photos"}


def test_a_folder_of_results_is_enough(ihdm, tables, tmp_path):
    """With the scale that was recorded where tables were made of it."""
    ihdm("claims", "check", "--settings", QUICK, "--merged", tables / "generation.csv", "--output", tmp_path / "first")
    (tables.parent / "tables").mkdir()
    shutil.copy(tmp_path / "first/claims.meta.json", tables.parent / "tables/tables.meta.json")
    ihdm("claims", "check", "--results", tables.parent)
    for ending in ("csv", "md", "json"):
        found = (tables.parent / f"report/claims.{ending}").read_text()
        assert found == (tmp_path / f"first/claims.{ending}").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--settings", str(QUICK)], "add --output"),
        (["--output", "out"], "add --settings"),
        (["--results", "nothing", "--output", "out"], "add --settings with its file"),
        (["--settings", str(QUICK), "--results", "nothing"], "--results nothing: has no merged table that claims use"),
        (["--settings", "missing.yaml", "--output", "out"], "missing.yaml"),
    ],
)
def test_missing_options_are_reported(ihdm_fails, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in ihdm_fails("claims", "check", *arguments)
    assert not list(tmp_path.iterdir())


def test_a_table_without_a_column_is_reported(ihdm_fails, tables, tmp_path):
    pd.DataFrame({"experiment": ["digits"], "value": [1.0]}).to_csv(tables / "generation.csv", index=False)
    output = tmp_path / "report"
    message = ihdm_fails(
        "claims", "check", "--settings", QUICK, "--merged", tables / "generation.csv", "--output", output
    )
    assert "'band'" in message
    assert not list(output.glob("claims.*"))
