"""What a new measure touches: one module, in a copy of the project that has nothing else of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
MODULE = '''"""Measure how bright training images are."""

import pandas as pd

from ihdm.measures import Files, Measure, NoSettings, Results, Table
from ihdm.measures.inputs import TRAIN, of_dataset
from ihdm.runs import each_dataset
from ihdm.storage.reading import open_images


def compute(files: Files, settings: NoSettings) -> Results:
    return {"brightness": [{"value": float(open_images(files["train"]).mean()) / 255}]}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    return table.round(2)


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"train": TRAIN},
    outputs={"brightness": "metrics/brightness/{dataset}.csv"},
    labels=of_dataset,
    tables={
        "brightness": Table(
            heading="How bright are images?",
            explanation="Mean of all values.",
            columns={"value": "the mean of all values [of the largest]"},
            summarize=summarize,
            rows="One row for each data set.",
        )
    },
    is_local=True,
)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project with one more module."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("ihdm", "workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml", "environment.yml"):
        shutil.copy(ROOT / name, folder)
    (folder / "ihdm/measures/brightness.py").write_text(MODULE)
    return folder


def run(project, *words):
    """What a command prints, in the copy."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_workflow_plans_it(project):
    printed = run(project, "-m", "snakemake", "-n", "--configfile", "workflow/config/smoke.yaml", "--cores", 1)
    assert "results/smoke/metrics/brightness/digits.csv" in printed
    assert "rule metrics_brightness:" in printed
    assert "results/smoke/metrics/brightness.csv" in printed


def test_its_command_computes_it(project, tmp_path):
    np.save(tmp_path / "train.npy", np.full((4, 8, 8, 1), 51, dtype=np.uint8))
    run(
        project, "-m", "ihdm", "metrics", "brightness", "--input", f"train={tmp_path / 'train.npy'}", "--settings",
        '{"labels": {"dataset": "digits"}}', "--output", tmp_path / "digits.csv",
    )  # fmt: skip
    assert pd.read_csv(tmp_path / "digits.csv").to_dict("records") == [{"dataset": "digits", "value": 0.2}]
    assert (tmp_path / "digits.meta.json").exists()


def test_report_and_reference_know_it(project):
    code = (
        "from ihdm.measures import reported\nfrom ihdm.measures.reference import reference\n"
        "print(reported()['brightness'].heading, reference())"
    )
    printed = run(project, "-c", code)
    assert printed.startswith("How bright are images?")
    assert "\n## brightness\n\nOne row for each data set.\n" in printed
    assert "| `value` | the mean of all values | of the largest |" in printed
