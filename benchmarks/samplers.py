"""Cost of a step against algorithm 2 written out and a network evaluation, and the extra cost of whitening.

Usage: python benchmarks/samplers.py
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import measuring  # noqa: F401 (one thread)
import numpy as np
import torch
from torch import Tensor

from ihdm.calibration import measure
from ihdm.config.processes import PAPER, SamplerSettings, WhitenedSettings
from ihdm.config.reading import read_config
from ihdm.models.network import Deblurrer, build_network
from ihdm.objective import Network
from ihdm.predictions import Predictor, prediction_of
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, take_steps
from ihdm.sampling import reverse_process

BATCH, ROUNDS = 50, 200
STEPS = 3
"""Steps with the network that are timed at once: the last ones."""


def finish(steps: Iterable[object]) -> None:
    """Take all steps."""
    for _ in steps:
        pass


def paired_seconds(functions: Sequence[Callable[[], object]], rounds: int) -> np.ndarray:
    """Return the time of each function in each round, which the order of the functions alternates in."""
    times = np.empty((rounds, len(functions)))
    for number in range(rounds):
        for place in range(len(functions))[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            functions[place]()
            times[number, place] = time.perf_counter() - start
    return times


def spread(values: np.ndarray) -> str:
    """Return the median and its standard error, from the quartiles."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.4f} ± {1.25 * (high - low) / 1.35 / np.sqrt(len(values)):.4f}"


def undisturbed(seconds: np.ndarray) -> float:
    """Return the tenth percentile, as other programs only ever take time."""
    return float(np.quantile(seconds, 0.1))


def main() -> None:
    """Print a comparison of the paper's sampler, and the cost of steps without the network."""
    experiment = read_config("workflow/config/quick.yaml").variants["photos"].experiment
    torch.manual_seed(0)
    network = Deblurrer(build_network(experiment.network)).eval()
    shape = (BATCH, experiment.dataset.image_channels, *2 * (experiment.dataset.image_size,))
    process = build_process(experiment.process, experiment.dataset.image_size)
    start, noise = torch.rand(shape), torch.randn((process.num_levels, *shape))
    delta = 1.25 * process.deviation(1)
    levels = range(1, process.num_levels + 1)
    calibration = measure(lambda images, _: -0.01 * images, process, torch.rand(shape), levels, 0, BATCH)
    markov = SamplerSettings(coupling="markov", noise="measured")
    plans = {
        "paper": plan_steps(prediction_of(None, process), PAPER, delta),
        "markov, measured": plan_steps(prediction_of(None, process), markov, 0.0, calibration),
    }

    def family(name: str, network: Network, count: int) -> None:
        finish(take_steps(network, process, plans[name][-count:], start, noise))

    def written_out(network: Network, count: int) -> None:
        reverse_process(network, start, noise[:count], delta)

    def evaluations() -> None:
        with torch.no_grad():
            for level in range(STEPS, 0, -1):
                network(start, torch.full((BATCH,), level))

    stored = np.random.default_rng(0).integers(0, 256, (BATCH, *shape[2:], shape[1]), dtype=np.uint8)
    prediction = Predictor.fitted(WhitenedSettings(), stored).on(process)

    def whitening() -> None:
        for level in range(STEPS, 0, -1):
            seen = prediction.network_input(start, torch.full((BATCH,), level))
            prediction.read(seen, start, level)

    functions: list[Callable[[], object]] = [
        partial(written_out, network, STEPS), partial(family, "paper", network, STEPS), evaluations, whitening
    ]  # fmt: skip
    plain, paper, alone, whitened = paired_seconds(functions, ROUNDS).T / STEPS
    evaluation = undisturbed(alone)
    print(f"whitening of a step: {1e6 * undisturbed(whitened):.0f} µs; of an evaluation {spread(whitened / alone)}")
    print(f"evaluation: {1000 * evaluation:.1f} ms")
    print(f"step of the paper's sampler, family / written out: {spread(paper / plain)}")

    def free(images: Tensor, _levels: Tensor) -> Tensor:
        return images

    functions = [partial(written_out, free, len(levels))]
    functions += [partial(family, name, free, len(levels)) for name in plans]
    for name, column in zip(["written out", *plans], paired_seconds(functions, ROUNDS).T / len(levels), strict=True):
        extra = undisturbed(column)
        print(f"{name}: {1e6 * extra:.0f} µs per step without the network, {extra / evaluation:.2%} of an evaluation")


if __name__ == "__main__":
    main()
