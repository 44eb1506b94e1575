"""How evenly the samples between two samples lie (paper, figure 9): the path from one to the other, in steps.

A path that goes straight is as long as its ends are apart; one that jumps has a step much longer than the others.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError
from ihdm.metrics.estimates import Bounds, mean_of_defined
from ihdm.seeds import generator

AT_LEAST_ONE: Bounds = (1.0, np.inf)
"""Of both quantities, by the triangle inequality and as a largest value over a mean."""
NUM_SHUFFLES = 20
"""How often each path is made anew out of others, for the null."""

Paths = Float[np.ndarray, "pair position feature"]


def interpolation_rows(spaces: Mapping[str, Paths], seed: int) -> list[dict[str, object]]:
    """Return one row for each space and quantity, means over pairs of samples.

    `path_ratio` is the length of the path over the distance between its ends, `largest_step` its largest step over the
    mean one; distances are Euclidean, so that the number of pixels or features cancels. `null` is the same of paths
    whose inner positions are taken from other pairs at random. A pair whose ends coincide has no ratio, and one that
    does not move no largest step: they are left out, and ``n`` tells how many remain.

    Args:
        spaces: points on each path by name of the space, the first and last position the two samples.
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
    """Return paths between the same ends, each inner position that of another pair, drawn for each by itself."""
    num_pairs, num_positions, _ = paths.shape
    shifts = rng.integers(1, num_pairs, (num_pairs, num_positions - 2))
    others = (np.arange(num_pairs)[:, None] + shifts) % num_pairs
    shuffled = paths.copy()
    shuffled[:, 1:-1] = paths[others, np.arange(1, num_positions - 1)]
    return shuffled
