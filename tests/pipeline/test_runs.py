"""Runs that go another way to the same results: in parts, killed, stopped by signals; and steps of their own."""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from PIL import Image

from ihdm.metrics.features import CosineFeatures
from ihdm.metrics.frechet_kernel import FrechetDistance, Gaussian
from ihdm.storage.reading import open_images

ROOT = Path(__file__).parents[2]


def hashes(results: Path) -> dict[str, str]:
    """Of everything that must be the same whenever it is made."""
    endings = (".npy", ".npz", ".csv", ".parquet", ".safetensors", ".png", ".html")
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.suffix in endings
    }


@pytest.fixture
def folder(smoke_results, tmp_path) -> Path:
    """Results of which only the data are there."""
    results = tmp_path / "results"
    shutil.copytree(smoke_results / "data", results / "data")
    return results


def test_a_set_drawn_in_parts_is_the_same_set(smoke_results, folder, snakemake):
    shutil.copytree(smoke_results / "models/digits", folder / "models/digits")
    target = folder / "samples/digits/delta1.25/samples.npy"
    drawn = snakemake(folder, target, evaluation__num_shards=3)
    assert drawn.status == 0, drawn.text
    assert drawn.jobs == {"samples_shard": 3, "samples_gather": 1}
    assert target.read_bytes() == (smoke_results / "samples/digits/delta1.25/samples.npy").read_bytes()
    assert (folder / "samples/digits/delta1.25/grid.png").exists()
    assert not list(folder.glob("samples/digits/delta1.25/shards/*/samples.npy"))  # which are only parts


def wait_for_training(results: Path, process: subprocess.Popen[bytes]) -> None:
    """Return once a network has taken its first steps."""
    deadline = time.monotonic() + 120
    while not list(results.glob("state/models/*/history.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_run_resumes_to_the_same_results(smoke_results, folder, snakemake, start):
    """SIGKILL the whole process group while a network trains; the same command then gives the same bytes."""
    target = folder / "samples/digits/delta0/samples.npy"
    process = start(folder, target)
    wait_for_training(folder, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "samples").exists()
    assert snakemake(folder, "--unlock").status == 0
    again = snakemake(folder, target)
    assert again.status == 0, again.text
    assert "its machine failed; resuming from its saved state" in (folder / "logs/models/digits.log").read_text()
    found = hashes(folder)
    assert {"models/digits/history.csv", "samples/digits/delta0/samples.npy"} <= found.keys()
    expected = {name: hashlib.sha256((smoke_results / name).read_bytes()).hexdigest() for name in found}
    assert found == expected


@pytest.fixture
def endless(folder, start):
    """Snakemake at a training that does not end by itself, once its first step is taken."""
    training = {"steps": 1_000_000, "batch_size": 8, "learning_rate": 0.001, "ema_decay": 0.9}
    process = start(folder, folder / "models/digits/history.csv", experiments__digits__training=training)
    try:
        wait_for_training(folder, process)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_snakemake_alone_ends_its_jobs(endless, folder, number):
    """Within seconds, and with the state of the training saved; `docker stop` and systemd send SIGTERM."""
    jobs = psutil.Process(endless.pid).children(recursive=True)
    assert any("train" in job.cmdline() for job in jobs)
    endless.send_signal(number)
    assert endless.wait(timeout=20) != 0
    assert not any(job.is_running() for job in jobs)
    assert (folder / "state/models/digits/state.safetensors").exists()


def test_sigterm_to_all_processes_of_a_job_leaves_it_the_time_to_save(endless, folder):
    """As a cluster sends it. What began them waits for the training, whose last line still comes into the log."""
    for job in psutil.Process(endless.pid).children(recursive=True):
        job.send_signal(signal.SIGTERM)
    assert endless.wait(timeout=60) != 0
    assert (folder / "state/models/digits/state.safetensors").exists()
    assert "stopped at step" in (folder / "logs/models/digits.log").read_text()


def test_the_released_reference_is_the_same_images_squashed(tmp_path, snakemake):
    """Distances of real images from it alone, which needs no network."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(30):
        pixels = np.random.default_rng(number).integers(0, 256, (4, 6), dtype=np.uint8)
        Image.fromarray(pixels).resize((24, 16)).save(pictures / f"{number}.png")
    folder = tmp_path / "results"
    table = folder / "metrics/distance/real/digits.csv"
    made = snakemake(
        folder,
        table,
        datasets__digits={"source": "folder", "path": str(pictures), "image_size": 8, "image_channels": 1},
        evaluation__reference="as_released",
        evaluation__num_compared=[12],
    )
    assert made.status == 0, made.text
    cut, squashed = (open_images(folder / f"data/{name}/train.npy") for name in ("digits", "digits-squashed"))
    assert cut.shape == squashed.shape == (27, 8, 8, 1)
    distance = pd.read_csv(table).query("metric == 'frechet_distance'").set_index("set")
    assert distance.loc["train", "n_reference"] == 15
    assert set(distance["reference"]) == {"as_released"}
    features, reference = (CosineFeatures(64).transform(part) for part in (cut[:12], squashed[12:]))
    expected = FrechetDistance(features, Gaussian.of(reference)).value(np.arange(12))
    assert distance.loc["train", "value"] == pytest.approx(expected, rel=1e-5)


def test_downloads_are_a_step_of_their_own(tmp_path, snakemake):
    downloaded = snakemake(tmp_path / "results", "downloads")
    assert downloaded.status == 0
    assert downloaded.jobs == {"downloads": 1}
    assert "digits: inside a package" in downloaded.text
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["logs"]


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
    """Rules that name their memory and time, up to three times as much, and those with the SLURM profile's default."""
    rules = (ROOT / "workflow/rules/common.smk").read_text()
    rising = re.search(r"^def rising.*?\n\n\n", rules, re.MULTILINE | re.DOTALL)
    (tmp_path / "Snakefile").write_text(rising[0] + RETRIED)
    default = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())["default-resources"]
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--default-resources",
         *(f"{name}={default[name]}" for name in ("mem_mb", "runtime"))],
        check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    tries = {name: (tmp_path / f"{name}.tries").read_text().splitlines() for name in ("own", "default")}
    assert tries == {"own": ["100 10", "200 20", "300 30", "300 30"], "default": ["4000 60", "8000 120", "12000 180"]}
