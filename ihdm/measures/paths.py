"""Measure where the forward paths of a toy merge and its reverse paths branch, for several σ (paper, figure 3).

The toy has one DCT mode and a few data points. The forward path of a data point x has the mean a_k x and the standard
deviation σ; a_k is the factor of the blur on the mode. The reverse process is exact: from u_k it goes to
E[a_{k−1} x | u_k] + δ z; its last mean is the end point.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.texts import interval_texts, widen
from ihdm.metrics.estimates import Bounds, Estimate, mean_estimate
from ihdm.runs import whole_scale
from ihdm.seeds import generator
from ihdm.storage.arrays import save_arrays

POINTS = (-1.0, -0.6, 0.3, 0.9)
"""The data: four equally likely values of the mode. Near ones merge before far ones."""
SIGMAS = (0.005, 0.02, 0.08)
"""Noise widths σ that are compared, in the units of the data."""
DELTA_RATIO = 1.25
NUM_LEVELS = 100
BLUR = (0.5, 24.0)
"""Blur widths at levels 1 and K, in pixels."""
LINE = 16
"""Pixels in a line; the mode is its slowest, of frequency π/16."""
ROW_EVERY = 5
"""Levels between two rows of the table."""
NUM_STARTS = 32
"""Starts at each level of the table, behind whose paths the error of `branched` is."""
NUM_BRANCHES = 128
"""Reverse paths from each start."""
NUM_SHOWN = 24
"""Reverse paths of the figure, all from one start."""
QUADRATURE = np.linspace(-8.0, 8.0, 801)
"""Where the noise is evaluated, in standard deviations; the trapezoid rule is exact here up to rounding."""

Points = Float[np.ndarray, "points"]
States = Float[np.ndarray, "*paths"]


class PathSettings(Settings):
    """Settings of the toy."""

    seed: Seed = 0


def compute(files: Files, settings: PathSettings) -> Results:
    """Return the table, and the paths that a figure shows."""
    return {"paths": path_rows(settings.seed), "arrays": partial(save_arrays, **shown_paths(settings.seed))}


def scales() -> Float[np.ndarray, "levels"]:
    """Return a_k of levels 0…K."""
    from ihdm.heat import blur_schedule, decay

    return decay(LINE, blur_schedule(*BLUR, NUM_LEVELS))[:, 1]


def posterior(states: States, points: Points, scale: float, sigma: float) -> Float[np.ndarray, "*paths points"]:
    """Return the probability of each data point given u_k.

    Args:
        states: u_k.
        points: equally likely data points.
        scale: a_k.
        sigma: σ.
    """
    logits = -np.square(states[..., None] - scale * points) / (2 * sigma**2)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def reverse_paths(
    starts: States, level: int, points: Points, scale: Float[np.ndarray, "levels"], sigma: float,
    rng: np.random.Generator,
) -> Float[np.ndarray, "steps *paths"]:  # fmt: skip
    """Return the states of reverse paths at levels 0…``level``, in this order; level 0 has the last means.

    Args:
        starts: u_k of each path, at ``level``.
        level: k ≥ 1.
        points: equally likely data points.
        scale: a_k of levels 0…K.
        sigma: σ; δ is 1.25 σ.
        rng: generator of the noise.
    """
    states = np.empty((level + 1, *starts.shape))
    states[level] = starts
    for step in range(level, 0, -1):
        mean = posterior(states[step], points, float(scale[step]), sigma) @ (scale[step - 1] * points)
        noise = DELTA_RATIO * sigma * rng.standard_normal(starts.shape) if step > 1 else 0.0
        states[step - 1] = mean + noise
    return states


def entropy(probabilities: Float[np.ndarray, "*paths points"]) -> Float[np.ndarray, "*paths"]:
    """Return the entropy over the last axis in bits."""
    logarithms = np.log2(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return -(probabilities * logarithms).sum(axis=-1)


def merged_bits(points: Points, scale: float, sigma: float) -> float:
    """Return the expected entropy in bits of the data point that u_k came from, by quadrature.

    It is 0 if paths are separate, and log₂ of the number of data points if they have merged.
    """
    states = scale * points[:, None] + sigma * QUADRATURE
    density = np.exp(-np.square(QUADRATURE) / 2)
    return float((entropy(posterior(states, points, scale, sigma)) @ density).mean() / density.sum())


def branched_bits(
    starts: Float[np.ndarray, "starts"], level: int, points: Points, scale: Float[np.ndarray, "levels"], sigma: float,
    rng: np.random.Generator, num_branches: int = NUM_BRANCHES,
) -> Float[np.ndarray, "starts"]:  # fmt: skip
    """Return the entropy in bits of the data point closest to the end of reverse paths from each start.

    The estimate from the shares of a finite number of paths is about (points − 1) / (2 ln 2 · branches) bits too small.
    """
    ends = reverse_paths(np.repeat(starts[:, None], num_branches, axis=1), level, points, scale, sigma, rng)[0]
    nearest = np.abs(ends[..., None] - points).argmin(axis=-1)
    shares = (nearest[..., None] == np.arange(len(points))).mean(axis=1)
    return entropy(shares)


def path_rows(seed: int = 0) -> list[dict[str, object]]:
    """Return for each σ and every fifth level the merging of forward paths and the branching of reverse paths.

    `merged` is exact. `branched` is a mean over draws of the starting state u_k, with its error.
    """
    points, scale = np.array(POINTS), scales()
    bounds: Bounds = (0.0, float(np.log2(len(points))))
    rows: list[dict[str, object]] = []
    for number, sigma in enumerate(SIGMAS):
        for level in range(ROW_EVERY, NUM_LEVELS + 1, ROW_EVERY):
            rng = generator(seed, "branches", number, level)
            origin = points[np.arange(NUM_STARTS) % len(points)]  # as many starts from each data point
            starts = scale[level] * origin + sigma * rng.standard_normal(NUM_STARTS)
            bits = branched_bits(starts, level, points, scale, sigma, rng)
            for quantity, count, estimate in (
                ("merged", len(points), Estimate(merged_bits(points, float(scale[level]), sigma), 0.0, bounds)),
                ("branched", NUM_STARTS, mean_estimate(bits, bounds)),
            ):
                named = {"sigma": sigma, "level": level, "fraction": level / NUM_LEVELS, "quantity": quantity}
                rows.append({**named, "n": count, **estimate.columns()})
    return rows


def shown_paths(seed: int = 0) -> dict[str, Any]:
    """Return the arrays that a figure shows, by name.

    `levels` (level) 0…K, `scales` (level) a_k, `points` (point), `sigmas` (sigma), `forward` (point, level), the mean
    paths, and `reverse` (sigma, path, level), paths from one start: u_K = 0, where all data points have merged.
    """
    points, scale = np.array(POINTS), scales()
    reverse = [
        reverse_paths(np.zeros(NUM_SHOWN), NUM_LEVELS, points, scale, sigma, generator(seed, "shown paths", number)).T
        for number, sigma in enumerate(SIGMAS)
    ]
    return {
        "levels": np.arange(NUM_LEVELS + 1),
        "scales": scale,
        "points": points,
        "sigmas": np.array(SIGMAS),
        "forward": np.outer(points, scale),
        "reverse": np.stack(reverse),
    }


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each level, with both quantities for each σ."""
    has_error = table["standard_error"] > 0
    texts = interval_texts(table.assign(low=table["low"].where(has_error), high=table["high"].where(has_error)))
    names = [f"{row.quantity}, σ = {row.sigma:g}" for row in table.itertuples()]
    return widen(table.assign(text=texts, name=names), "level", "name")


MEASURE = Measure(
    compute=compute,
    runs=lambda config: whole_scale(config) if config.diagnostics else [],
    inputs={},
    outputs={"paths": "metrics/paths/toy.csv", "arrays": "metrics/paths/toy.npz"},
    settings=lambda _: PathSettings(),
    model=PathSettings,
    is_local=True,
    tables={
        "paths": Table(
            heading="Merging and branching of paths (toy)",
            explanation=(
                "A toy with one mode of frequency, a few data points and the exact reverse process, for several σ in "
                "units of the data. Merged: uncertainty, in bits, about the data point that a state came from. It is 0 "
                "if forward paths are separate, and the logarithm of the number of data points after they have merged. "
                "Branched: the same for the end of reverse paths from one state, with 95 % intervals over states. "
                "More noise lets paths merge earlier and branch later."
            ),
            columns={
                "sigma": "σ in units of the data",
                "level, fraction": "k, and k/K",
                "quantity": (
                    "`merged`: uncertainty about the origin of a state, in bits; `branched`: the same for the end of "
                    "reverse paths from it"
                ),
            },
            summarize=summarize,
            notes=(
                "Null: 0 if paths are apart; the logarithm of the number of data points if all have merged. `merged` "
                "is exact."
            ),
        ),
    },
)
