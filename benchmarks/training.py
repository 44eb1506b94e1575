"""Where the time of a training step goes, and its speed relative to a plain matrix product.

Usage: python benchmarks/training.py [CONFIG]
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from measuring import median_seconds
from torch.utils.flop_counter import FlopCounterMode

from ihdm.config.experiments import Experiment
from ihdm.config.reading import read_config
from ihdm.config.settings import RunSettings
from ihdm.models.trainer import Trainer, make_accelerator

WARM_UP, STEPS = 30, 300
SGEMM_SIZE = 1024


class Stopwatch:
    """Adds up the time spent in calls of some functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to ``name``."""

        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 (as the wrapped function)
            start = time.perf_counter()
            result = function(*arguments, **options)
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            return result

        return call


def make_trainer(experiment: Experiment) -> Trainer:
    """Return a trainer on random images."""
    size, channels = experiment.dataset.image_size, experiment.dataset.image_channels
    images = np.random.default_rng(0).integers(0, 256, (5000, size, size, channels), dtype=np.uint8)
    return Trainer(experiment, images, make_accelerator("no"), RunSettings())


def step_shares(experiment: Experiment) -> tuple[dict[str, float], float]:
    """Return the median share of each part of a step, and the median time of a step in seconds.

    Forward and backward are the network's and the loss's; the optimizer is clipping, Adam and clearing the gradients.
    """
    trainer, watch = make_trainer(experiment), Stopwatch()
    trainer.network.forward = watch.timed("forward", trainer.network.forward)
    trainer.accelerator.backward = watch.timed("backward", trainer.accelerator.backward)
    for owner, method in (
        (trainer.accelerator, "clip_grad_norm_"),
        (trainer.optimizer, "step"),
        (trainer.optimizer, "zero_grad"),
    ):
        setattr(owner, method, watch.timed("optimizer", getattr(owner, method)))
    rows, totals = [], []
    for _ in range(WARM_UP + STEPS):
        watch.seconds.clear()
        start = time.perf_counter()
        trainer.train_step()
        total = time.perf_counter() - start
        rest = total - sum(watch.seconds.values())
        rows.append({name: seconds / total for name, seconds in (watch.seconds | {"everything else": rest}).items()})
        totals.append(total)
    shares = {name: float(np.median([row[name] for row in rows[WARM_UP:]])) for name in rows[0]}
    return shares, float(np.median(totals[WARM_UP:]))


def step_flops(experiment: Experiment) -> int:
    """Return the floating-point operations of a step's products and convolutions, forward and backward."""
    trainer = make_trainer(experiment)
    with FlopCounterMode(display=False) as counter:
        trainer.train_step()
    return int(counter.get_total_flops())


def main() -> None:
    """Print one row for each experiment of the configuration, swept ones left out."""
    path = sys.argv[1] if len(sys.argv) > 1 else "workflow/config/quick.yaml"
    config = read_config(path)
    matrix = torch.rand(SGEMM_SIZE, SGEMM_SIZE)
    columns = ("forward", "backward", "optimizer", "everything else")
    print(f"| experiment | step | {' | '.join(columns)} | step GFLOP/s | sgemm GFLOP/s | ratio |")
    print("|---" * (len(columns) + 5) + "|")
    for name in config.experiments:
        experiment = config.variants[name].experiment
        shares, seconds = step_shares(experiment)
        sgemm = 2 * SGEMM_SIZE**3 / median_seconds({"sgemm": lambda: matrix @ matrix}, 5)["sgemm"] / 1e9
        speed = step_flops(experiment) / seconds / 1e9
        cells = [f"{shares[column]:.1%}" for column in columns]
        cells += [f"{speed:.1f}", f"{sgemm:.1f}", f"{speed / sgemm:.2f}"]
        print(f"| {name} | {1000 * seconds:.1f} ms | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
