"""Measure the smoothness of interpolations between two samples (paper, figure 9).

A straight path is as long as the distance of its ends; a path with a jump has one step much longer than the others.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import EXTRACTOR, diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts
from ihdm.metrics.estimates import Bounds, mean_of_defined
from ihdm.seeds import generator
from ihdm.storage.reading import read_arrays

AT_LEAST_ONE: Bounds = (1.0, np.inf)
"""Of both quantities, by the triangle inequality and as a largest value over a mean."""
NUM_SHUFFLES = 20
"""Shuffled paths for each path, for the null."""

Paths = Float[np.ndarray, "pair position feature"]


def compute(files: Files, settings: Resampling) -> Results:
    """Return how even the paths are in pixels and in features."""
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import extract

    paths = read_arrays(files["interpolations"], {"": 5})[""]
    stored = np.rint(np.clip(paths.reshape(-1, *paths.shape[2:]), 0, 1) * 255).astype(np.uint8)
    transform = load_extractor(files["extractor"], stored[:1], inception=files["inception"])
    spaces = {"pixels": paths, "features": extract(transform, stored).values}
    points = {name: values.reshape(*paths.shape[:2], -1) for name, values in spaces.items()}
    return {"interpolation": interpolation_rows(points, settings.seed)}


def interpolation_rows(spaces: Mapping[str, Paths], seed: int) -> list[dict[str, object]]:
    """Return one row for each space and quantity, means over pairs of samples.

    `path_ratio` is the length of the path over the distance between its ends, `largest_step` its largest step over the
    mean step; distances are Euclidean, so that the number of pixels or features cancels. `null` is the value of paths
    whose inner positions come from other pairs at random. A pair whose ends coincide has no ratio, and one that
    does not move no largest step: they are omitted, and ``n`` counts the others.

    Args:
        spaces: points on each path by name of the space; the first and last positions are the two samples.
        seed: seed of the null.

    Raises:
        UserError: if there are fewer than two pairs or three positions.
    """
    rows: list[dict[str, object]] = []
    for space, paths in spaces.items():
        num_pairs, num_positions, _ = paths.shape
        if num_pairs < 2 or num_positions < 3:
            raise UserError(
                f"interpolation: {num_pairs} pairs of samples with {num_positions} positions; at least 2 pairs with 3 "
                "positions are needed"
            )
        rng = generator(seed, "interpolation null")
        shuffled = [measures(shuffle(paths, rng)) for _ in range(NUM_SHUFFLES)]
        for quantity, values in measures(paths).items():
            count, estimate = mean_of_defined(values, AT_LEAST_ONE)
            _, null = mean_of_defined(np.concatenate([one[quantity] for one in shuffled]))
            named = {"space": space, "quantity": quantity, "n": count}
            rows.append({**named, **estimate.columns(), "null": null.value})
    return rows


def measures(paths: Paths) -> dict[str, Float[np.ndarray, "pair"]]:
    """Return both quantities of each path, NaN where there is none; see :func:`interpolation_rows`."""
    steps = np.linalg.norm(np.diff(paths.astype(np.float64), axis=1), axis=2)
    apart = np.linalg.norm(paths[:, -1].astype(np.float64) - paths[:, 0], axis=1)
    length = steps.sum(axis=1)
    return {
        "path_ratio": np.divide(length, apart, out=np.full(len(paths), np.nan), where=apart > 0),
        "largest_step": np.divide(
            steps.max(axis=1) * steps.shape[1], length, out=np.full(len(paths), np.nan), where=length > 0
        ),
    }


def shuffle(paths: Paths, rng: np.random.Generator) -> Paths:
    """Return paths between the same ends whose inner positions are drawn independently from other pairs."""
    num_pairs, num_positions, _ = paths.shape
    shifts = rng.integers(1, num_pairs, (num_pairs, num_positions - 2))
    others = (np.arange(num_pairs)[:, None] + shifts) % num_pairs
    shuffled = paths.copy()
    shuffled[:, 1:-1] = paths[others, np.arange(1, num_positions - 1)]
    return shuffled


NAMES = {"path_ratio": "path", "largest_step": "largest step"}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and space, with both quantities and their null."""
    table = table.assign(text=interval_texts(table), random=table["null"].map("{:.3g}".format))
    wide = table.pivot_table(
        index=["experiment", "space"], columns="quantity", values=["text", "random"], aggfunc="first", sort=False
    )
    columns: dict[str, pd.Series] = {}
    for quantity, name in NAMES.items():
        columns |= {name: wide["text"][quantity], f"{name}, at random": wide["random"][quantity]}
    return pd.DataFrame(columns).reset_index()


MEASURE = diagnostic_measure(
    "interpolation",
    compute,
    {
        "interpolations": diagnostic("interpolations.npy", "the paths between samples, .npy"),
        "extractor": EXTRACTOR,
    },
    Table(
        heading="Smoothness of interpolations",
        explanation=(
            "Interpolations between two samples, with start and noise interpolated. Path: length of the path over "
            "the distance of its ends, one if straight. Largest step: relative to the mean step, one if all steps "
            "are equal. Both are measured in pixels and in features, with 95 % intervals over pairs. At random: the "
            "value if the inner images come from other pairs."
        ),
        columns={
            "space": "`pixels` or `features`",
            "quantity": (
                "`path_ratio`: length of the path over the distance of its ends, one if straight; `largest_step`: "
                "over the mean step, one if even"
            ),
        },
        summarize=summarize,
        notes=(
            "Null: `null`, paths whose inner images come from other pairs at random. Errors are those of a mean "
            "over pairs. Pairs without a ratio are omitted; n is the number that remains."
        ),
    ),
    job="diagnostics",
)
