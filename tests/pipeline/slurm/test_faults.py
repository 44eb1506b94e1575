"""What goes wrong on clusters, done to small trainings: each ends with the bytes of one that was left alone."""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ihdm.config.reading import parse_config
from ihdm.models.training import train

LATE, BRIEF = 60, 12
"""Seconds that trainings take on one free core."""


@pytest.fixture(scope="module")
def scale(smoke) -> Any:
    """Small trainings: {name: seconds}."""

    def with_trainings(seconds: dict[str, float], speed: float = 1000.0) -> dict[str, Any]:
        digits = {name: value for name, value in smoke["experiments"]["digits"].items() if name != "run"}

        def lasting(length: float) -> dict[str, Any]:
            return {**digits, "training": {**digits["training"], "steps": max(round(length * speed), 1)}}

        return {
            "datasets": {"digits": smoke["datasets"]["digits"]},
            "networks": {"digits": smoke["networks"]["digits"]},
            "experiments": {name: lasting(length) for name, length in seconds.items()},
            "evaluation": {**smoke["evaluation"], "extractors": {"digits": "dct"}},
            "figures": {},
        }

    return with_trainings


@pytest.fixture(scope="module")
def speed(scale, tmp_path_factory) -> float:
    """Steps a second, of the fastest hundred: others may be using the machine."""
    times: dict[int, float] = {}
    experiment = parse_config({**scale({"digits": 0.6}), "results": "results"}).variants["digits"].experiment
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8)
    train(
        experiment,
        images,
        tmp_path_factory.mktemp("speed"),
        report=lambda step, _: times.update({step: time.monotonic()}),
    )
    return max(100 / (times[step] - times[step - 100]) for step in range(200, 601, 100))


def job_of(slurm: Any, experiment: str) -> str:
    """The SLURM job that trains the network of an experiment."""
    lines = slurm.ask("squeue", "-h", "-t", "running", "-o", "%i %k").splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f"rule_models_wildcards_{experiment}")), "")


def has_begun(results: Path, experiment: str) -> bool:
    return (results / f"state/models/{experiment}/history.jsonl").exists()


def test_jobs_that_are_stopped_go_on_and_the_others_are_done(cluster, slurm, new_run, scale, speed, tmp_path):
    """A time limit, a job cancelled, one requeued, one that needs more memory, and one that can only fail."""
    seconds = {"late": LATE, "cancelled": BRIEF, "requeued": BRIEF, "hungry": 0.02, "broken": 1}
    config = scale(seconds, speed)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        Image.new("L", (8, 8), number).save(pictures / f"{number}.png")
    (pictures / "broken.png").write_bytes(b"no picture")
    config["datasets"]["broken"] = {"source": "folder", "path": str(pictures), "image_size": 8, "image_channels": 1}
    config["experiments"]["broken"]["dataset"] = "broken"
    config["evaluation"]["extractors"]["broken"] = "dct"
    good = [f"models/{name}/history.csv" for name in ("late", "cancelled", "requeued")]
    good += ["models/hungry/calibration.npz"]

    run = new_run("cluster", config)
    process = run.submit(
        *run.paths(*good, "models/broken/history.csv"), "--set-resources",
        # The profile's SIGTERM comes three minutes before the end, or up to half a minute earlier.
        "models:runtime=4 if wildcards.experiment == 'late' else 60",
        "models_calibration:mem_mb=200*attempt**3",
    )  # fmt: skip
    commands = {"cancelled": ("scancel",), "requeued": ("scontrol", "requeue")}
    jobs: dict[str, str] = {}

    def caught() -> tuple[str, str] | None:
        """One of them that is training, whichever SLURM starts first, and its job."""
        begun = (name for name in commands if has_begun(run.results, name))
        return next(((name, job) for name in begun if (job := job_of(slurm, name))), None)

    while commands:
        name, jobs[name] = slurm.wait_for(caught, 180, process)
        slurm.ask(*commands.pop(name), jobs[name])
        if name == "requeued":
            # SLURM lets a requeued job wait for two minutes.
            slurm.wait_for(
                lambda: "JobState=PENDING" in slurm.ask("scontrol", "show", "job", jobs["requeued"]), 60, process
            )
            slurm.ask("scontrol", "update", f"JobId={jobs['requeued']}", "StartTime=now")
    assert process.wait() == 1

    assert "Restarts=1" in slurm.ask("scontrol", "show", "job", jobs["requeued"])
    # The late and the cancelled one have saved their states, as the logs say that are shown.
    assert len(set(re.findall(r"stopped at step (\d+)", run.told))) >= 2
    assert "SLURM status is: 'CANCELLED'" in run.told
    logs = "".join(
        path.read_text() for path in run.folder.glob(".snakemake/slurm_logs/rule_models_calibration/*/*.log")
    )
    assert "exceeded memory limit" in logs
    assert "broken.png" in run.told
    alone = new_run("alone", config)
    assert alone.here(*alone.paths(*good)).wait() == 0, alone.told
    assert run.hashes() == alone.hashes()


def test_a_killed_snakemake_and_a_restarted_controller(cluster, slurm, new_run, scale, speed):
    """Of a training on two GPUs, that is of two processes."""
    config, target = scale({"killed": BRIEF / 2}, speed), "models/killed/history.csv"
    two = ("--set-resources", "models:gpu=2")
    run = new_run("cluster", config)
    process = run.submit(*run.paths(target), *two)
    slurm.wait_for(lambda: has_begun(run.results, "killed"), 180, process)
    run.kill()
    cluster.stop("slurmctld")
    cluster.start_controller()

    job = job_of(slurm, "killed")
    assert "NumCPUs=8" in slurm.ask("scontrol", "show", "job", job)
    assert run.submit(*run.paths(target), *two).wait() == 1
    assert "--unlock" in run.told
    slurm.ask("scancel", job)  # nobody waits for it any more, but it would go on
    slurm.wait_for(lambda: job not in slurm.ask("squeue", "-h", "-o", "%i"), 60)
    assert run.submit("--unlock").wait() == 0
    assert run.submit(*run.paths(target), *two).wait() == 0, run.told

    alone = new_run("alone", config)
    assert alone.here(*alone.paths(target), *two).wait() == 0, alone.told
    assert run.hashes() == alone.hashes()
