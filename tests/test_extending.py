"""A data set, a process, a figure, a measure and a claim are added to a copy of the repository.

Only the files that CONTRIBUTING.md lists are touched.
"""

import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
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
PROCESS = '''"""Blur and noise by a cosine schedule."""

import math

import numpy as np
from jaxtyping import Float

from ihdm.config.processes import CosineBlurSettings
from ihdm.heat import eigenvalues
from ihdm.processes.process import Process


class CosineBlur(Process):
    """a_k = cos θ · exp(−λ (σ_B sin θ)² / 2) and s_k = sin θ, with θ = π k / 2 (K + 1)."""

    settings: CosineBlurSettings
    bits_of_range = 1.0

    def _angle(self, level: int) -> float:
        return math.pi / 2 * level / (self.num_levels + 1)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        width = self.settings.blur_sigma * math.sin(self._angle(level))
        return math.log(math.cos(self._angle(level))) - eigenvalues(self.height, self.width) * width**2 / 2

    def deviation(self, level: int) -> float:
        return math.sin(self._angle(level))
'''
PROCESS_SETTINGS = '''class CosineBlurSettings(ProcessBase):
    """Blur and noise by a cosine schedule."""

    own_prediction: ClassVar[PredictionName] = "whitened"
    loses_modes: ClassVar[bool] = True

    kind: Literal["cosine"] = Field(description=KIND)
    num_levels: ManyLevels = Field(default=1000, description="K, the number of levels")
    blur_sigma: BlurWidth = Field(description="blur width σ_B at level K, in pixels")


'''
COMMANDS = """
import json, sys
from pathlib import Path
from ihdm.__main__ import main
from ihdm.config.reading import read_config
from ihdm.measures import find_job
from ihdm.runs import Run

def ihdm(*words):
    sys.argv = ["ihdm", *map(str, words)]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise

config, name, to = read_config("workflow/config/smoke.yaml"), sys.argv[1], Path(sys.argv[2])
run, model, data = Run(config, name), to / "model", to / "data"
train, test = data / "train.npy", data / "test.npy"
ihdm("data", "prepare", "--settings", config.datasets["digits"].model_dump_json(), "--output", data)
ihdm("models", "train", "--settings", run.variant.experiment.model_dump_json(), "--train", train, "--test", test,
     "--state", to / "state", "--output", model)
ihdm("models", "calibrate", "--settings", config.calibration(name).model_dump_json(), "--model", model,
     "--train", train)
ihdm("samples", "draw", "--settings", config.sampling(name).model_dump_json(), "--model", model, "--train", train,
     "--num-samples", 8, "--state", to / "draws", "--output", to / "samples")
ihdm("metrics", "joints", "--settings", find_job("joints").settings(run), "--input", f"model={model}",
     "--input", f"train={train}", "--input", f"test={test}", "--output", f"likelihood={to}/bounds.csv")
ihdm("models", "export", "--settings", config.sampling(name).model_dump_json(), "--model", model, "--train", train,
     "--output", to / "pipeline", "--num-shown", 4)
ihdm("sample", to / "pipeline", "-n", 4, "-o", to / "sheet.png")
"""
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
        measure=lambda evidence, name: [evidence.one("data_spectrum", dataset=name, quantity="alpha")],
        decision=below(1.0),
        reason="It is flat.",
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
  cosine:
    dataset: digits
    network: digits
    process: {kind: cosine, num_levels: 25, blur_sigma: 2.0}
    training: {steps: 20, batch_size: 8, learning_rate: 0.001, warmup_steps: 5, ema_decay: 0.9}
    measures: [likelihood]
    sampler: second
  cosine_residual:
    dataset: digits
    network: digits
    process: {kind: cosine, num_levels: 25, blur_sigma: 2.0}
    training: {steps: 20, batch_size: 8, learning_rate: 0.001, warmup_steps: 5, ema_decay: 0.9}
    measures: [likelihood]
    sampler: markov
    prediction: residual
"""


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy with all five added."""
    copy = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        target, ignored = copy / name, shutil.ignore_patterns("__pycache__", "assets")
        shutil.copytree(ROOT / name, target, ignore=ignored) if (ROOT / name).is_dir() else shutil.copy2(
            ROOT / name, target
        )
    (copy / "ihdm/data/sources/squares.py").write_text(SOURCE)
    change(copy / "ihdm/data/sources/__init__.py", "    photos,\n)", "    photos,\n    squares,\n)")
    change(copy / "ihdm/data/sources/__init__.py", "lsun_church)\n", "lsun_church, squares)\n")
    (copy / "ihdm/processes/cosine.py").write_text(PROCESS)
    listed = copy / "ihdm/processes/__init__.py"
    change(listed, "    BlurringSettings,\n", "    BlurringSettings,\n    CosineBlurSettings,\n")
    change(listed, "from ihdm.processes.diff", "from ihdm.processes.cosine import CosineBlur\nfrom ihdm.processes.diff")
    change(listed, "    FlowSettings: Flow,\n", "    FlowSettings: Flow,\n    CosineBlurSettings: CosineBlur,\n")
    settings = copy / "ihdm/config/processes.py"
    change(settings, "AnyProcess = ", f"{PROCESS_SETTINGS}AnyProcess = CosineBlurSettings | ")
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
    change(smoke, "portable: [digits]", "portable: [digits, cosine]")
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
        *("ihdm/processes/cosine.py", "ihdm/processes/__init__.py", "ihdm/config/processes.py"),
        *("ihdm/figures/mean_image.py", "workflow/report/mean_image.rst"),
        *("ihdm/measures/brightness.py", "ihdm/claims/ours.py", "workflow/config/smoke.yaml"),
        *("docs/claims.md", "docs/figures.md", "docs/metrics.md"),  # by docs/generate.py
        *("docs/settings.md", "workflow/config/config.schema.json"),  # by docs/generate.py
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
    for name in (
        *("data/squares/train.npy", "figures/mean_image.png", "metrics/brightness.csv"),
        *("metrics/joints/cosine.csv", "models/cosine/statistics.safetensors", "portable/cosine"),
    ):
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


@pytest.mark.parametrize("name", ["cosine", "cosine_residual"])
def test_the_process_is_trained_sampled_bounded_and_exported(copy, tmp_path, name):
    run(copy, "-c", COMMANDS, name, str(tmp_path))
    samples, bounds = np.load(tmp_path / "samples/samples.npy"), pd.read_csv(tmp_path / "bounds.csv")
    assert samples.shape == (8, 8, 8, 1)
    assert samples.std() > 10
    assert {*bounds["joint"]} == {"independent", "markov"}
    assert np.isfinite(bounds["bits_per_dim"]).all()
    assert (tmp_path / "model/statistics.safetensors").exists() == (name == "cosine")
    for record in ("samples/samples.meta.json", "bounds.meta.json", "model/calibration.meta.json"):
        inputs = json.loads((tmp_path / record).read_text())["inputs"]
        assert (str(tmp_path / "model/statistics.safetensors") in inputs) == (name == "cosine")
    scheduler = json.loads((tmp_path / "pipeline/scheduler/scheduler_config.json").read_text())
    assert scheduler["process"] == {"kind": "cosine", "num_levels": 25, "blur_sigma": 2.0}
    assert (tmp_path / "sheet.png").exists()


def test_combinations_that_the_process_cannot_have_are_refused(copy, tmp_path):
    text = (copy / "workflow/config/smoke.yaml").read_text()
    for sampler, prediction, said in (
        ("second", "residual", "has order 2, which needs estimates of the clean image, but prediction 'residual'"),
        ("markov", "noise", "process 'cosine' erases some frequencies, which prediction 'noise' cannot restore"),
    ):
        other = text.replace("markov\n    prediction: residual", f"{sampler}\n    prediction: {prediction}")
        (tmp_path / "other.yaml").write_text(other)
        code = "import sys; from ihdm.config.reading import read_config; read_config(sys.argv[1])"
        command = [sys.executable, "-c", code, str(tmp_path / "other.yaml")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=copy, check=False)
        assert said in done.stderr
