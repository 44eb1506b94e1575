"""Kill trainings at random times and restart them; each must end with the bytes of an uninterrupted training.

Usage: python benchmarks/kills.py [KILLS]
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors import safe_open

from ihdm.config.reading import read_config
from ihdm.models.network import WEIGHTS_NAME
from ihdm.models.state import STATE_NAME
from ihdm.storage.files import sha256

STEPS, DROPOUT = 60, 0.1
MOST_KILLS = 3
"""Kills of one training."""
RUN = {"save_minutes": 0, "validate_every": 15, "num_validation_images": 8, "num_previews": 4}
"""The state is saved after every step, so that many kills fall into a saving."""


def start(folder: Path, output: Path, settings: str) -> subprocess.Popen[bytes]:
    """Start a training, or go on with it."""
    options = {
        "--settings": settings,
        "--run-settings": json.dumps(RUN),
        "--train": folder / "train.npy",
        "--test": folder / "train.npy",
        "--state": folder / "state",
        "--output": output,
        "--previews": folder / "previews",
    }
    arguments = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", "ihdm", "models", "train", *arguments]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603


def saved_step(state: Path) -> int:
    """Return the step of a stored state; raise if it cannot be read."""
    if not state.exists():
        return 0
    with safe_open(state, framework="np") as stored:
        return int(json.loads(stored.metadata()["training"])["step"])


def kill_at_random(process: subprocess.Popen[bytes], state: Path, rng: random.Random) -> None:
    """Kill a training shortly after it has saved a new step, unless it ends before."""
    first, patience = saved_step(state), rng.uniform(0, 1.5)
    while process.poll() is None and saved_step(state) == first:
        time.sleep(0.01)
    time.sleep(patience)
    process.kill()


def main() -> None:
    """Print for each training the steps it went on from, and whether its weights and tables are the same."""
    num_kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    experiment = read_config("workflow/config/quick.yaml").variants["digits"].experiment.model_dump()
    experiment["network"]["dropout"], experiment["training"]["steps"] = DROPOUT, STEPS
    settings, rng = json.dumps(experiment), random.Random(0)  # noqa: S311 (moments of time, not secrets)
    names = (WEIGHTS_NAME, "history.csv", "held_out.csv")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = folder / "state" / STATE_NAME
        np.save(folder / "train.npy", np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1), dtype=np.uint8))
        start(folder, folder / "reference", settings).wait()
        expected = [sha256(folder / "reference" / file) for file in names]
        kills = trainings = 0
        while kills < num_kills:
            trainings += 1
            resumed_from: list[int] = []
            wanted, output = rng.randint(1, MOST_KILLS), folder / f"training{trainings}"
            while True:
                process = start(folder, output, settings)
                if len(resumed_from) < wanted:
                    kill_at_random(process, state, rng)
                if process.wait() != -signal.SIGKILL:
                    break
                resumed_from.append(saved_step(state))
            kills += len(resumed_from)
            if [sha256(output / file) for file in names] != expected:
                sys.exit(f"training {trainings}, killed and resumed at steps {resumed_from}, differs")
            print(f"training {trainings}: killed and resumed at steps {resumed_from}, the same bits", flush=True)
        print(f"{kills} kills in {trainings} trainings of {STEPS} steps: all end with the same bits")


if __name__ == "__main__":
    main()
