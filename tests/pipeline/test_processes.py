"""Two real processes of torch.distributed, on the CPU."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ihdm.config.experiments import Experiment
from ihdm.config.reading import read_config

ROOT = Path(__file__).parents[2]
BATCH_SIZES = (8, 7)
PARTICIPANT = """
    import hashlib, json, sys
    from pathlib import Path
    import numpy as np, torch
    from ihdm.config.experiments import Experiment
    from ihdm.config.settings import RunSettings
    from ihdm.models.trainer import Trainer, make_accelerator

    def train(experiment, images, accelerator):
        trainer, seen = Trainer(experiment, images, accelerator, RunSettings(micro_batch=3)), []
        trainer.unet.register_forward_pre_hook(lambda _module, arguments: seen.extend(arguments[0].detach().clone()))
        losses = [trainer.train_step() for _ in range(10)]
        return {"losses": losses, "seen": [hashlib.sha256(image.numpy()).hexdigest() for image in seen]}

    torch.set_num_threads(1)
    images, output, *experiments = sys.argv[1:]
    accelerator = make_accelerator("no")
    results = [train(Experiment.model_validate_json(text), np.load(images), accelerator) for text in experiments]
    place = f"{output}/{accelerator.process_index}of{accelerator.num_processes}.json"
    Path(place).write_text(json.dumps(results))
    accelerator.end_training()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def make_experiment() -> Callable[..., Experiment]:
    """The digits of the smoke scale without dropout, which two processes draw apart; with other training settings."""
    digits = read_config(ROOT / "workflow/config/smoke.yaml").variants["digits"].experiment.model_dump()

    def make(**training: object) -> Experiment:
        changed = {"network": digits["network"] | {"dropout": 0.0}, "training": digits["training"] | training}
        return Experiment.model_validate(digits | changed)

    return make


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


def run_together(*commands: list[Any], **variables: str) -> None:
    """Run commands side by side, each with a rank; all must end well."""
    processes = [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=os.environ | {"OMP_NUM_THREADS": "1"} | (variables and variables | {"RANK": rank, "LOCAL_RANK": rank}),
        )
        for rank, command in zip("01", commands, strict=False)
    ]
    try:
        assert [process.wait(timeout=240) for process in processes] == [0] * len(commands)
    finally:
        for process in processes:
            process.kill()


@pytest.fixture
def results(make_experiment, images, tmp_path):
    """What one process saw and lost in ten steps, and what each of two did; for each batch size."""
    np.save(tmp_path / "images.npy", images)
    program = tmp_path / "participant.py"
    program.write_text(textwrap.dedent(PARTICIPANT))
    settings = [make_experiment(batch_size=size, steps=10).model_dump_json() for size in BATCH_SIZES]
    command = [program, tmp_path / "images.npy", tmp_path, *settings]
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    run_together(command, command, **group)
    run_together(command)
    return [json.loads((tmp_path / name).read_text()) for name in ("0of1.json", "0of2.json", "1of2.json")]


def test_two_processes_are_one(results):
    """They see the same images at the same levels with the same noise, and have the same losses."""
    for batch_size, one, first, second in zip(BATCH_SIZES, *results, strict=True):
        assert len(one["seen"]) == 10 * batch_size
        assert len(first["seen"]) == 10 * (batch_size // 2)
        assert sorted(first["seen"] + second["seen"]) == sorted(one["seen"])
        assert first["losses"] == second["losses"]
        np.testing.assert_allclose(first["losses"], one["losses"], rtol=1e-5)


@pytest.fixture
def train_command(make_experiment, images, tmp_path):
    """The arguments of a training into a folder of its own, and what it leaves there."""
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", images[:5])
    settings = make_experiment(steps=4).model_dump_json()

    def arguments(name):
        folder = tmp_path / name
        return [
            "models", "train", "--settings", settings, "--run-settings", '{"validate_every": 2, "num_previews": 5}',
            "--train", tmp_path / "train.npy", "--test", tmp_path / "test.npy", "--state", folder / "state",
            "--output", folder / "model", "--previews", folder / "previews",
        ]  # fmt: skip

    return arguments


def test_processes_of_one_or_several_machines_share_training_and_validation(train_command, tmp_path):
    """Two that the command starts are two that find each other by a rendezvous, and one, but for rounding."""
    run_together(["-m", "ihdm", "--gpus", 2, "--gpus-optional", *train_command("machine")])
    torchrun = ["-m", "torch.distributed.run", "--nnodes", 2, "--nproc-per-node", 1, "--rdzv-backend", "c10d"]
    torchrun += ["--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", "ihdm"]
    run_together(*[[*torchrun, "-m", "ihdm", *train_command("machines")]] * 2)
    run_together(["-m", "ihdm", *train_command("alone")])
    machine, machines, alone = (tmp_path / name for name in ("machine", "machines", "alone"))
    for name in ("model/diffusion_pytorch_model.safetensors", "model/held_out.csv", "previews/step4.png"):
        assert (machine / name).read_bytes() == (machines / name).read_bytes()
    tables = [pd.read_csv(folder / "model/held_out.csv") for folder in (machine, alone)]
    assert tables[0][["step", "level"]].equals(tables[1][["step", "level"]])
    assert len(tables[0]) == 2 * 6
    np.testing.assert_allclose(tables[0]["loss"], tables[1]["loss"], rtol=1e-4)
    sheets = [np.asarray(Image.open(folder / "previews/step4.png")).astype(int) for folder in (machine, alone)]
    assert np.abs(sheets[0] - sheets[1]).max() <= 1
    record = json.loads((machine / "model/model.meta.json").read_text())
    assert record["settings"]["run"]["processes"] == 2
