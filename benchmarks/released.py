"""A training step and a sampling step of the released code against ours, with the same network, alternately.

Their small MNIST: 28×28, width 64, K 50, batch 128, dropout 0.1. Theirs gets its batch ready-made, ours gathers it from
a stored array. Our sampling step is one of `samples draw`, its noise included. Each code runs in a separate process,
because how the C library manages memory costs more than the two otherwise differ. Only one of them works at a time.
Times are processor seconds, the system's included: other work on the machine disturbs them less than it does the clock.

Usage: git clone https://github.com/AaltoML/generative-inverse-heat-dissipation RELEASED
       python benchmarks/released.py RELEASED [--steps N]
"""

import argparse
import importlib
import sys
import time
import warnings
from collections.abc import Callable
from itertools import repeat
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import measuring  # noqa: F401 (one thread)
import numpy as np
import torch

from ihdm.config.experiments import Experiment
from ihdm.config.settings import RunSettings
from ihdm.config.stages import SamplingSettings
from ihdm.models.network import Deblurrer
from ihdm.models.trainer import Trainer, make_accelerator
from ihdm.samples.generation import Chain
from ihdm.storage.tensors import to_tensor

BATCH, SIGMA, NUM_LEVELS = 128, 0.01, 50
DELTA = 1.25 * SIGMA
STORED = np.random.default_rng(0).integers(0, 256, (BATCH, 28, 28, 1), dtype=np.uint8)
WARM_UP = 3
EXPERIMENT = {
    "dataset": {"source": "mnist", "image_size": 28, "image_channels": 1},
    "network": {
        "image_size": 28,
        "image_channels": 1,
        "base_channels": 64,
        "channel_multipliers": (1, 1, 1),
        "blocks_per_stage": 4,
        "attention_stages": (2,),
        "dropout": 0.1,
    },
    "process": {"kind": "heat", "sigma": SIGMA, "num_levels": NUM_LEVELS, "blur_sigma_max": 20.0},
    "training": {"steps": 1000, "batch_size": BATCH, "learning_rate": 2e-4, "ema_decay": 0.999},
    "seed": 0,
}

Steps = dict[str, Callable[[], object]]
"""A training step and a sampling step."""


def import_released(folder: Path, names: tuple[str, ...]) -> list[Any]:
    """Import modules of the released code; what reads its options and data sets need not be installed."""
    stand_in = ModuleType("ml_collections")
    stand_in.ConfigDict = SimpleNamespace  # type: ignore[attr-defined]
    sys.modules |= {"ml_collections": stand_in, "scripts.datasets": ModuleType("scripts.datasets")}
    sys.path.insert(0, str(folder))
    return [importlib.import_module(name) for name in names]


def released_steps(folder: Path) -> tuple[int, Steps]:
    """Return the number of parameters of the released network, and its steps."""
    configs, utils, averages, losses, sampling = import_released(
        folder,
        ("configs.mnist.small_mnist", "model_code.utils", "model_code.ema", "scripts.losses", "scripts.sampling"),
    )
    config, images = configs.get_config(), to_tensor(STORED)
    config.device = torch.device("cpu")
    model = utils.create_model(config)
    state = {
        "optimizer": losses.get_optimizer(config, model.parameters()),
        "model": model,
        "step": 0,
        "ema": averages.ExponentialMovingAverage(model.parameters(), decay=config.model.ema_rate),
    }
    blur = utils.create_forward_process_from_sigmas(config, config.model.blur_schedule, config.device)
    with warnings.catch_warnings(action="ignore"):  # of a GPU's loss scaler, which is made and not used
        train = losses.get_step_fn(
            True, config.model.blur_schedule, config, losses.optimization_manager(config), heat_forward_module=blur
        )
    config.model.K = 1  # so that its sampler takes one step
    sample = sampling.get_sampling_fn_inverse_heat(config, images, None, DELTA, config.device)
    network = utils.get_model_fn(model, train=False)
    steps: Steps = {"training": lambda: train(state, images)[0].item(), "sampling": lambda: sample(network)}
    return sum(parameter.numel() for parameter in model.parameters()), steps


def our_steps() -> tuple[int, Steps]:
    """Return the same of ours."""
    trainer = Trainer(Experiment.model_validate(EXPERIMENT), STORED, make_accelerator("no"), RunSettings())
    sampling = {"process": EXPERIMENT["process"], "seed": 0, "delta_ratio": DELTA / SIGMA}
    settings = SamplingSettings.model_validate(sampling)
    chain = Chain.of(Deblurrer(trainer.averaged_network()), STORED, settings)
    start, noise = to_tensor(STORED), chain.noise(range(BATCH))
    taken = (one for _ in repeat(None) for one in chain.take_steps(start, noise))
    steps: Steps = {"training": trainer.train_step, "sampling": lambda: next(taken)}
    return sum(parameter.numel() for parameter in trainer.parameters), steps


def work(connection: Connection, released: Path | None) -> None:
    """Run the requested steps and print how long each took, until the input ends."""
    num_parameters, steps = released_steps(released) if released else our_steps()
    connection.send(num_parameters)
    while name := connection.recv():
        start = time.process_time()
        steps[name]()
        connection.send(time.process_time() - start)


def main() -> None:
    """Print medians of both, and of the ratios of neighbours in time, with their quartiles."""
    parser = argparse.ArgumentParser()
    parser.add_argument("released", type=Path)
    parser.add_argument("--steps", type=int, default=12)
    arguments = parser.parse_args()
    context = get_context("spawn")
    both = []
    for released in (arguments.released, None):
        ours, theirs = context.Pipe()
        context.Process(target=work, args=(theirs, released), daemon=True).start()
        both.append(ours)
    print("parameters: released {:,}, ihdm {:,}\n".format(*(connection.recv() for connection in both)))

    def seconds(connection: Connection, name: str) -> float:
        connection.send(name)
        return float(connection.recv())

    print("| step | released | ihdm | released / ihdm | quartiles |\n|---|---|---|---|---|")
    for name in ("training", "sampling"):
        rows = [[seconds(connection, name) for connection in both] for _ in range(WARM_UP + arguments.steps)]
        times = np.array(rows[WARM_UP:])
        released, ihdm = 1000 * np.median(times, axis=0)
        low, ratio, high = np.percentile(times[:, 0] / times[:, 1], [25, 50, 75])
        print(f"| {name} | {released:.0f} ms | {ihdm:.0f} ms | {ratio:.2f} | {low:.2f}–{high:.2f} |", flush=True)
    for connection in both:
        connection.send(None)


if __name__ == "__main__":
    main()
