"""Shared by the benchmarks: one thread, and medians of alternating runs, so that machine load affects both alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

torch.set_num_threads(1)
IN_A_ROW = 5


def median_seconds(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each function over all rounds, in each of which every one runs a few times in a row."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            for _ in range(IN_A_ROW):
                start = time.perf_counter()
                function()
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
