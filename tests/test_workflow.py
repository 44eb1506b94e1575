"""The pipeline itself, run by Snakemake as a user runs it, at the smoke scale."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from PIL import Image

from ihdm.config.scale import FIGURES
from ihdm.metrics.features import CosineFeatures
from ihdm.metrics.frechet import FrechetDistance, Gaussian
from ihdm.storage.reading import open_images

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def command(results: Path, *arguments: str, **changes: Any) -> list[str]:
    """Snakemake on the smoke scale with its results in a folder of the test, and some keys changed, e.g. ``a__b=1``."""
    config = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    config["results"] = str(results)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    config_file = results.parent / f"{results.name}.yaml"
    config_file.write_text(yaml.safe_dump(config))
    return [
        sys.executable, "-m", "snakemake", "--cores", "2",
        "--nocolor", *arguments,
        "--configfile", str(config_file),
    ]  # fmt: skip


def snakemake(
    results: Path, *arguments: str, checkout: Path = ROOT, **changes: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(results, *arguments, **changes), capture_output=True, text=True, cwd=checkout, env=ENVIRONMENT,
        timeout=600,
    )  # fmt: skip


def planned(output: str) -> Counter[str]:
    """The rules of a dry run, with their number of jobs."""
    table = re.search(r"^Job stats:\n(.*?)^total", output, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^(\w+)\s+(\d+)\s*$", table.group(1), re.MULTILINE) if table else []
    return Counter({rule: int(number) for rule, number in rows})


def hashes(results: Path) -> dict[str, str]:
    """Of everything that must be the same whenever it is made."""
    endings = (".npy", ".npz", ".csv", ".parquet", ".safetensors", ".png", ".pdf", ".html")
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.suffix in endings
    }


@pytest.fixture
def results(smoke_results) -> Path:
    """A finished run, which no test may change."""
    return smoke_results


FROM_SWEEP = dict.fromkeys(
    ("figure_blur_max", "figure_data_efficiency", "figure_sweep_curves", "claims", "report_tables", "report", "all"), 1
)
"""The jobs that follow when anything measured of samples changes."""


def test_everything_is_there(results):
    figures = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["figures"]
    assert set(figures) == set(FIGURES)  # every figure there is
    for figure in figures:
        assert (results / f"figures/{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (results / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    with Image.open(results / "figures/trajectories.webp") as animation:
        assert animation.n_frames > 5
    assert open_images(results / "samples/photos/delta1.25/samples.npy").shape == (20, 16, 16, 3)
    distance = pd.read_csv(results / "metrics/distance.csv")
    assert set(distance["n"]) == {10, 20}
    assert set(distance["set"]) == {"samples", "starts", "train", "test"}
    assert set(distance[distance["set"] == "samples"]["delta_ratio"]) == {0, 1.25}
    starts = distance[distance["set"] == "starts"]
    assert set(starts[starts["experiment"] == "digits"]["delta_ratio"]) == {1.25}  # once, for δ hardly changes them
    assert set(starts[starts["experiment"] == "digits_diffusion"]["delta_ratio"]) == {0}  # which has no δ
    assert set(distance[distance["dataset"] == "digits"]["extractor"]) == {"dct64"}
    likelihood = pd.read_csv(results / "metrics/likelihood.csv")
    paper = likelihood[(likelihood["joint"] == "independent") & (likelihood["variance"] == "one")]
    assert (paper["delta_ratio"].dropna() > 0).all()  # δ = 0 has none
    assert set(likelihood["experiment"]) == {
        "digits",
        "photos",
        "digits_diffusion",
        "digits_blurring",
    }  # not of brief ones
    sweep = pd.read_csv(results / "metrics/sweep.csv")
    assert (sweep["reference"].fillna("none") == np.where(sweep["metric"] == "bits_per_dim", "none", "training")).all()
    page = (results / "report/index.html").read_text()
    assert "Does the network deblur?" in page
    assert "digits: The digits have only 17 grey levels" in page  # what its source says of it
    assert "heat removes them first" in page  # the caption of a figure


def test_every_output_has_a_record(results):
    made = {
        path for path in results.rglob("*") if path.suffix in (".npy", ".npz", ".csv", ".pdf", ".html", ".safetensors")
    } - set((results / "state").rglob("*"))
    recorded = set()
    for meta in results.rglob("*.meta.json"):
        recorded |= {Path(path) for path in pd.read_json(meta, typ="series")["outputs"]}
    assert made <= recorded
    assert stale(results) == ""  # every command is recorded by the name that its code is found by


def test_nothing_is_done_twice(results):
    again = snakemake(results, "-n")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_another_profile_does_nothing_anew(results, profile):
    again = snakemake(
        results, "-n", "--workflow-profile", f"profiles/{profile}",
        "--set-resources", "models:runtime=100", "samples:mem_mb=1000",
    )  # fmt: skip
    assert "Nothing to be done" in again.stdout + again.stderr


def test_claims_are_asked_for_by_name(tmp_path):
    jobs = planned(snakemake(tmp_path / "results", "-n", "claims").stdout)
    assert jobs["claims"] == 1
    assert jobs["metrics_forward"] == jobs["metrics_data_spectrum"] == 2
    assert not any(rule.startswith("figure") for rule in jobs)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the pipeline, to change, that knows of the finished run."""
    folder = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("ihdm", "workflow", "profiles", ".snakemake"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "Snakefile", folder)
    shutil.copy(ROOT / "environment.yml", folder)
    return folder


def stale(results: Path, checkout: Path = ROOT) -> str:
    made = subprocess.run(
        [sys.executable, "-m", "ihdm", "results", "stale", str(results)],
        capture_output=True, text=True, cwd=checkout, env=ENVIRONMENT, check=True,
    )  # fmt: skip
    return made.stdout


def test_a_comment_or_a_docstring_runs_nothing(results, checkout):
    for path in sorted((checkout / "ihdm").rglob("*.py")):
        path.write_text("# A comment.\n" + path.read_text())
    path = checkout / "ihdm/heat.py"
    path.write_text(path.read_text().replace('"""The forward', '"""Otherwise: the forward'))
    again = snakemake(results, "-n", checkout=checkout)
    assert "Nothing to be done" in again.stdout + again.stderr
    assert stale(results, checkout) == ""


def test_a_changed_metric_measures_anew_and_trains_nothing(results, checkout):
    path = checkout / "ihdm/metrics/memorisation.py"
    path.write_text(path.read_text() + "\n\nANOTHER = 1\n")
    output = snakemake(results, "-n", checkout=checkout)
    assert planned(output.stdout + output.stderr) == {
        "metrics_memorisation": 7,
        "metrics_table": 1,
        "metrics_sweep": 1,
        "figure_neighbours": 1,
        **FROM_SWEEP,
    }


def test_a_network_of_other_code_is_kept_and_told_of(results, checkout):
    path = checkout / "ihdm/objective.py"
    path.write_text(path.read_text() + "\n\nANOTHER = 1\n")
    jobs = planned(snakemake(results, "-n", checkout=checkout).stdout)
    assert jobs["samples"] == 8
    assert "models" not in jobs
    assert "data" not in jobs
    assert f"{results}/models/digits/model.meta.json: its result was made by other code" in stale(results, checkout)
    # Nothing is to be done for this file, and still the run tells.
    again = snakemake(results, str(results / "data/digits/train.npy"), checkout=checkout)
    told = again.stdout + again.stderr
    assert "Nothing to be done" in told
    assert f"{results}/models/digits/model.meta.json: its result was made by other code" in told
    assert "data.meta.json" not in told


def test_no_edit_of_a_command_an_environment_or_a_default_trains_anew(results, checkout):
    """Nor prepares data anew; what is made of both has a new default in its hash of code."""
    rule, settings = checkout / "workflow/rules/models.smk", checkout / "ihdm/config/settings.py"
    for path, old, new in (
        (rule, "--previews {params.previews:q} {params.initial", "--previews  {params.previews:q} {params.initial"),
        (checkout / "environment.yml", "dependencies:", "dependencies: # other ones"),
        (settings, "gradient_clip: Positive = Field(default=1.0", "gradient_clip: Positive = Field(default=2.0"),
        (settings, "skip_broken: bool = Field(default=False", "skip_broken: bool = Field(default=True"),
    ):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    result = snakemake(results, "--dry-run", checkout=checkout)
    assert result.returncode == 0, result.stderr
    assert planned(result.stdout)["metrics_errors"] > 0  # the edit is seen
    assert not {"models", "data"} & set(planned(result.stdout))


def test_another_number_of_parts_draws_nothing_anew(results):
    """Sets that are there stay; a new one is drawn in parts, and joined."""
    jobs = planned(snakemake(results, "--dry-run", evaluation__num_shards=3).stdout)
    assert set(jobs) <= {"report_tables", "report", "claims", "all"}  # which tell the configuration
    ratios = {"digits": [0, 1.5]}
    result = snakemake(results, "--dry-run", evaluation__num_shards=3, sweeps__delta_ratio=ratios)
    jobs = planned(result.stdout)
    assert (jobs["samples"], jobs["samples_shard"], jobs["samples_gather"]) == (0, 3, 1)


@pytest.mark.parametrize("name", ["figures/psd.pdf", "figures/psd.png", "metrics/sweep.parquet"])
def test_what_was_deleted_comes_back(results, name):
    kept = (results / name).rename(results / "kept")
    output = snakemake(results, "-n")
    kept.rename(results / name)
    rule = {"figures": "figure_psd", "metrics": "metrics_sweep"}[Path(name).parent.name]
    assert planned(output.stdout + output.stderr)[rule] == 1


def test_nobody_is_told_of_coroutines(tmp_path):
    """Snakemake's default for the disk needs the sizes of inputs, which it cannot ask for while it plans."""
    output = snakemake(tmp_path / "results", "-n")
    assert output.returncode == 0
    assert "RuntimeWarning" not in output.stdout + output.stderr


def test_one_more_delta_runs_only_what_depends_on_it(results):
    output = snakemake(results, "-n", sweeps__delta_ratio__digits=[0, 2])
    jobs = planned(output.stdout + output.stderr)
    assert jobs == {
        "samples": 1,
        "metrics_samples": 1,
        "metrics_likelihood": 1,
        "metrics_likelihood_cost": 1,
        "metrics_minimum_distance": 1,  # three δ now have a minimum
        "metrics_minimum_likelihood": 1,
        "metrics_joints": 1,
        "metrics_evaluations": 1,  # the best δ may be another
        "models_export": 1,  # whose card tells the best bound
        "metrics_table": 6,
        "metrics_sweep": 1,
        "figure_delta_samples": 1,
        "figure_delta_curve": 1,
        "figure_evaluations": 1,
        **FROM_SWEEP,
    }


def test_one_more_sigma_trains_one_more_network(results):
    output = snakemake(results, "-n", sweeps__sigma__digits=[0.02])
    jobs = planned(output.stdout + output.stderr)
    assert jobs["models"] == 1
    assert jobs["samples"] == 2
    assert jobs["data"] == 0


def test_a_set_drawn_in_parts_is_the_same_set(results, tmp_path):
    folder = tmp_path / "results"
    target = folder / "samples/digits/delta1.25/samples.npy"
    output = snakemake(folder, str(target), evaluation__num_shards=3)
    assert output.returncode == 0, output.stderr
    assert planned(output.stdout + output.stderr)["samples_shard"] == 3
    assert target.read_bytes() == (results / "samples/digits/delta1.25/samples.npy").read_bytes()
    assert (folder / "samples/digits/delta1.25/grid.png").exists()
    assert not list(folder.glob("samples/digits/delta1.25/shards/*/samples.npy"))  # which are only parts


def test_weights_to_start_from_are_trained_first(tmp_path):
    fine = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["experiments"]["digits"]
    folder = tmp_path / "results"
    output = snakemake(
        folder, "-n", "-p", str(folder / "models/fine/history.csv"),
        experiments__fine={**fine, "initial_weights": "digits"},
    )  # fmt: skip
    assert planned(output.stdout) == {"data": 1, "models": 2}
    assert output.stdout.count(f"--initial-weights {folder}/models/digits") == 1


def test_a_changed_figure_is_drawn_alone(results):
    output = snakemake(results, "-n", "--forcerun", "figure_psd")
    assert planned(output.stdout + output.stderr) == {"figure_psd": 1, "report": 1, "all": 1}


def test_the_released_reference_is_the_same_pictures_squashed(tmp_path):
    """Distances of real images from it alone, which needs no network."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(30):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 32)).save(pictures / f"{number}.png")
    folder = tmp_path / "results"
    table = folder / "metrics/distance/real/photos.csv"
    made = snakemake(
        folder,
        str(table),
        datasets__photos={"source": "folder", "path": str(pictures), "image_size": 16, "image_channels": 3},
        evaluation__reference="as_released",
        evaluation__num_compared=[12],
        evaluation__extractors={"digits": "dct", "photos": "dct"},
    )
    assert made.returncode == 0, made.stderr
    cut, squashed = (open_images(folder / f"data/{name}/train.npy") for name in ("photos", "photos-squashed"))
    assert cut.shape == squashed.shape == (27, 16, 16, 3)
    distance = pd.read_csv(table).query("metric == 'frechet_distance'").set_index("set")
    assert distance.loc["train", "n_reference"] == 15
    assert set(distance["reference"]) == {"as_released"}
    features, reference = (CosineFeatures(768).transform(part) for part in (cut[:12], squashed[12:]))
    expected = FrechetDistance(features, Gaussian.of(reference)).value(np.arange(12))
    assert distance.loc["train", "value"] == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_squashed_is_measured_from_the_training_images(tmp_path):
    """And its rows say so, also where the reference of other data sets is the released one."""
    table = tmp_path / "results/metrics/distance/real/digits.csv"
    output = snakemake(tmp_path / "results", "-n", "-p", str(table), evaluation__reference="as_released")
    assert "--label dataset=digits --label reference=training" in output.stdout


def test_report_gathers_all(results):
    report = results.parent / "report.html"
    made = snakemake(results, "--report", str(report))
    assert made.returncode == 0, made.stderr
    text = report.read_text()
    for category in ("Page", "Figures", "Samples", "Tables"):
        assert category in text
    assert "heat removes them first" in text  # the caption of a figure


def test_a_killed_run_goes_on_and_ends_the_same(results, tmp_path):
    """SIGKILL the whole process group while networks train; the same command then gives the same bytes."""
    folder = tmp_path / "results"
    targets = [str(folder / name) for name in ("models/photos/history.csv", "samples/digits/delta0/samples.npy")]
    process = subprocess.Popen(
        command(folder, *targets),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob("state/models/*/history.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "samples").exists()
    assert snakemake(folder, "--unlock").returncode == 0
    again = snakemake(folder, *targets)
    assert again.returncode == 0, again.stderr
    expected, found = hashes(results), hashes(folder)
    assert {"models/photos/history.csv", "samples/digits/delta0/samples.npy"} <= found.keys()
    assert found == {name: expected[name] for name in found}


def endless(results: Path) -> subprocess.Popen[bytes]:
    """Snakemake at a training that does not end by itself, in a session of its own, once its first step is taken."""
    process = subprocess.Popen(
        command(
            results, str(results / "models/digits/history.csv"),
            experiments__digits__training={
                "steps": 1_000_000, "batch_size": 8, "learning_rate": 0.001, "ema_decay": 0.9
            },
        ),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(results.glob("state/models/*/history.jsonl")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    return process


def test_sigint_to_snakemake_alone_ends_its_jobs(tmp_path):
    """Within seconds, and with the state of the training saved, as when a terminal sends it to all."""
    folder = tmp_path / "results"
    process = endless(folder)
    try:
        jobs = psutil.Process(process.pid).children(recursive=True)
        assert any("train" in job.cmdline() for job in jobs)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
        assert not any(job.is_running() for job in jobs)
        assert (folder / "state/models/digits/state.safetensors").exists()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_sigterm_to_all_processes_of_a_job_leaves_it_the_time_to_save(tmp_path):
    """As a cluster sends it. What began them waits for the training, whose last line still comes into the log."""
    folder = tmp_path / "results"
    process = endless(folder)
    try:
        for job in psutil.Process(process.pid).children(recursive=True):
            job.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) != 0
        assert (folder / "state/models/digits/state.safetensors").exists()
        assert "stopped at step" in (folder / "logs/models/digits.log").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_a_wrong_configuration_stops_before_any_job(tmp_path):
    output = snakemake(tmp_path / "results", "-n", evaluation__num_sampels=3)
    assert output.returncode != 0
    assert "evaluation.num_sampels: no setting has this name" in output.stdout + output.stderr
    assert "Traceback" not in output.stdout + output.stderr


def test_a_path_that_is_not_there_is_told_before_any_job_until_its_data_are_prepared(tmp_path):
    pictures, folder = tmp_path / "pictures", tmp_path / "results"
    dataset = {"source": "folder", "path": str(pictures), "image_size": 16, "image_channels": 3}
    target = str(folder / "data/photos/train.npy")

    def run(*options, **changes):
        output = snakemake(folder, target, *options, datasets__photos=dataset | changes)
        return output.returncode, output.stdout + output.stderr

    message = f"datasets.photos: {pictures}: there is no such folder; let 'path' be the one where the images lie"
    code, told = run()
    assert code != 0
    assert message in told
    assert "Traceback" not in told
    assert not folder.exists()
    pictures.mkdir()
    for number in range(2):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(pictures / f"{number}.png")
    assert run()[0] == 0
    shutil.rmtree(pictures)
    code, told = run()
    assert code == 0
    assert "Nothing to be done" in told
    code, told = run("-n", skip_broken=True)  # they would have to be prepared anew
    assert code != 0
    assert message in told


def test_downloads_are_a_step_of_their_own(tmp_path):
    output = snakemake(tmp_path / "results", "downloads")
    assert output.returncode == 0
    assert planned(output.stdout + output.stderr) == {"downloads": 1}
    assert "digits: inside a package" in output.stdout + output.stderr
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["logs"]


def test_a_number_of_gpus_that_is_none_is_told(tmp_path):
    output = snakemake(tmp_path / "results", "-n", "--set-resources", "models:gpu=abc")
    assert output.returncode != 0
    assert "--set-resources RULE:gpu=abc: give a whole number of GPUs" in output.stdout + output.stderr


@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_every_profile_can_be_planned_with(profile, tmp_path):
    """Whether or not there is such a machine. More GPUs for a training are more memory, up to what a job may have."""

    def resources(gpus):
        planned = snakemake(
            tmp_path / "results", "-n", "--workflow-profile", f"profiles/{profile}",
            "--set-resources", f"models:gpu={gpus}",
        )  # fmt: skip
        assert planned.returncode == 0, planned.stderr
        of_trainings = re.findall(r"^rule models:$.*?^    resources: (.*?)$", planned.stdout, re.MULTILINE | re.DOTALL)
        assert len(of_trainings) == 7
        return dict(item.split("=", 1) for item in of_trainings[0].split(", "))

    one, two, many = resources(1), resources(2), resources(1000)
    assert (one["gpu"], two["gpu"]) == ("1", "2")
    assert int(two["mem_mb"]) == 2 * int(one["mem_mb"])
    limits = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())["resources"]
    assert int(many["mem_mb"]) == limits["mem_mb"]
    if profile == "slurm":
        assert (one["nodes"], one["cpus_per_gpu"], one["runtime"]) == ("1", "4", str(limits["runtime"]))


RETRIED = """
rule all:
    input: "own", "default"
rule own:
    output: "own"
    retries: 3
    resources: mem_mb=rising(100), runtime=rising(10)
    shell:
        "echo {resources.mem_mb} {resources.runtime} >> {output}.tries; "
        "test $(wc -l < {output}.tries) = 4 && touch {output}"
rule default:
    output: "default"
    retries: 2
    shell:
        "echo {resources.mem_mb} {resources.runtime} >> {output}.tries; "
        "test $(wc -l < {output}.tries) = 3 && touch {output}"
"""


def test_jobs_that_are_tried_again_ask_for_more(tmp_path):
    """Rules that say what they take, up to three times as much, and those that take the SLURM profile's default."""
    rules = (ROOT / "workflow/rules/common.smk").read_text()
    rising = re.search(r"^def rising.*?\n\n\n", rules, re.MULTILINE | re.DOTALL)
    (tmp_path / "Snakefile").write_text(rising[0] + RETRIED)
    default = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["default-resources"]
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--default-resources",
         *(f"{name}={default[name]}" for name in ("mem_mb", "runtime"))],
        check=True, capture_output=True, cwd=tmp_path, env=ENVIRONMENT, timeout=120,
    )  # fmt: skip
    tries = {name: (tmp_path / f"{name}.tries").read_text().splitlines() for name in ("own", "default")}
    assert tries == {
        "own": ["100 10", "200 20", "300 30", "300 30"],
        "default": ["4000 60", "8000 120", "12000 180"],
    }


def test_scales_are_never_merged():
    output = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--configfile", "workflow/config/quick.yaml", "config.yaml"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert output.returncode != 0
    assert "a scale is one complete file, but 2 are given" in output.stdout + output.stderr


@pytest.mark.parametrize("config", ["config.yaml", "workflow/config/desk.yaml", "workflow/config/quick.yaml"])
def test_every_scale_can_be_planned(config):
    output = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--forceall", "--configfile", config],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert output.returncode == 0, output.stderr
    jobs = planned(output.stdout + output.stderr)
    assert jobs["models"] == {"config": 18, "desk": 14, "quick": 17}[Path(config).stem]
