"""A data set, a figure, a measure and a claim are added to a copy of the repository.

Only the files that CONTRIBUTING.md lists are touched.
"""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPIED = ("ihdm", "docs", "workflow", "Snakefile", "README.md", "environment.yml")

SOURCE = '''"""Gray squares."""

import numpy as np

from ihdm.data.source import GRAY, Source

SOURCE = Source(
    origin="made up",
    license="CC0",
    split="the first half for training",
    load=lambda settings, raw: {
        split: np.full((40, 8, 8, 1), gray, np.uint8) for split, gray in (("train", 10), ("test", 20))
    },
    channels=GRAY,
    size=8,
)
'''
FIGURE = '''"""The mean image.

Look at: Its gray.
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_array

INPUTS = {"images": Input("data/{dataset}/train.npy")}


def draw(inputs: Inputs) -> Figure:
    """Draw a panel for each experiment."""
    from ihdm.figures.style import panels, show_images

    figure, grid = panels(1, len(inputs["images"]), 1.0)
    for axes, files in zip(grid[0], inputs["images"].values(), strict=True):
        show_images(axes, read_array(files[""])[:1], 1)
    return figure
'''
MEASURE = '''"""Measure how bright training images are."""

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
        )
    },
    is_local=True,
)
'''
CLAIM = """CLAIMS += (
    Claim(
        id="squares_are_flat",
        text="Squares have the power law of a square.",
        paper=REPOSITORY,
        table="data_spectrum",
        quantity="α",
        subjects=lambda config: [("squares",)],
        measure=lambda evidence, subject: [evidence.one("data_spectrum", dataset=subject[0], quantity="alpha")],
        decision=Below(1.0),
        reason="It is flat.",
        is_ours=True,
    ),
)
"""
EXPERIMENT = """
  squares:
    dataset: squares
    network: digits
    process: {kind: heat, sigma: 0.01, num_levels: 6, blur_sigma_max: 4.0}
    training: {steps: 20, batch_size: 8, learning_rate: 0.001, warmup_steps: 5, ema_decay: 0.9}
    measures: []
"""


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy with all four added."""
    copy = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        target, ignored = copy / name, shutil.ignore_patterns("__pycache__", "assets")
        shutil.copytree(ROOT / name, target, ignore=ignored) if (ROOT / name).is_dir() else shutil.copy2(
            ROOT / name, target
        )
    (copy / "ihdm/data/sources/squares.py").write_text(SOURCE)
    change(copy / "ihdm/data/sources/__init__.py", "    photos,\n)", "    photos,\n    squares,\n)")
    change(copy / "ihdm/data/sources/__init__.py", "lsun_church)\n", "lsun_church, squares)\n")
    (copy / "ihdm/figures/mean_image.py").write_text(FIGURE)
    (copy / "ihdm/measures/brightness.py").write_text(MEASURE)
    (copy / "workflow/report/mean_image.rst").write_text("The mean image of each data set.\n")
    with (copy / "ihdm/claims/ours.py").open("a") as stream:
        stream.write(CLAIM)
    smoke = copy / "workflow/config/smoke.yaml"
    change(smoke, "datasets:\n", "datasets:\n  squares: {source: squares, image_size: 8, image_channels: 1}\n")
    change(smoke, "\nexperiments:\n", f"\nexperiments:{EXPERIMENT}")
    change(smoke, "\nfigures:\n", "\nfigures:\n  mean_image: [squares]\n")
    change(smoke, "extractors: {", "extractors: {squares: dct, ")
    run(copy, "docs/generate.py")
    return copy


def run(copy: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=copy, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_no_other_file_is_touched(copy):
    paths = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    touched = {
        str(path)
        for path in paths
        if not (ROOT / path).exists() or not filecmp.cmp(copy / path, ROOT / path, shallow=False)
    }
    assert touched == {
        *("ihdm/data/sources/squares.py", "ihdm/data/sources/__init__.py"),
        *("ihdm/figures/mean_image.py", "workflow/report/mean_image.rst"),
        *("ihdm/measures/brightness.py", "ihdm/claims/ours.py", "workflow/config/smoke.yaml"),
        *("docs/claims.md", "docs/figures.md", "docs/metrics.md"),  # by docs/generate.py
    }


def test_added_parts_are_documented(copy):
    assert "| `mean_image` | The mean image |" in (copy / "docs/figures.md").read_text()
    assert "| Squares have the power law of a square (ours) |" in (copy / "docs/claims.md").read_text()
    assert "## mean_image\n\n**Look at:** Its gray." in (copy / "docs/figures.md").read_text()
    metrics = (copy / "docs/metrics.md").read_text()
    assert "\n## brightness\n\nMean of all values.\n" in metrics
    assert "| `value` | the mean of all values | of the largest |" in metrics


def test_the_workflow_plans_and_makes_them(copy):
    planned = run(copy, "-m", "snakemake", "-n", "--configfile", "workflow/config/smoke.yaml")
    folder = "results/smoke"
    for name in ("data/squares/train.npy", "figures/mean_image.png", "metrics/brightness.csv"):
        assert f"{folder}/{name}" in planned
    made = [copy / folder / name for name in ("figures/mean_image.png", "metrics/brightness/squares.csv")]
    targets = [str(path.relative_to(copy)) for path in made]
    run(copy, "-m", "snakemake", *targets, "--cores", "1", "--configfile", "workflow/config/smoke.yaml")
    assert made[0].exists()
    assert made[1].read_text() == f"dataset,value\nsquares,{10 / 255}\n"
    assert json.loads(made[1].with_suffix(".meta.json").read_text())["command"] == "metrics brightness"


def test_the_claim_and_the_report_take_them(copy):
    code = (
        "from ihdm.claims.ledger import check; from ihdm.config.reading import read_config; import pandas as pd;"
        "from ihdm.measures import reported;"
        "row = {'dataset': 'squares', 'quantity': 'alpha', 'n': 9, 'value': 0.1, 'standard_error': 0.01};"
        "table = pd.DataFrame([row]);"
        "config = read_config('workflow/config/smoke.yaml');"
        "print(check({'data_spectrum': table}, config).set_index('id').loc['squares_are_flat', 'verdict']);"
        "print(reported()['brightness'].heading)"
    )
    assert run(copy, "-c", code) == "reproduced\nHow bright are images?\n"
