"""The order of images in a split."""

import numpy as np
from jaxtyping import Int

from ihdm.errors import UserError
from ihdm.seeds import generator

SPLIT_SEED = 0
MOST_GROUPS = 20
"""Groups of photographs for errors; each costs an evaluation of the statistic."""


def fair_order(count: int, split: str) -> Int[np.ndarray, "count"]:
    """Return a fixed random order of the images of a split, so that any prefix is a fair sample."""
    return generator(SPLIT_SEED, f"order of the {split} images").permutation(count)


def photograph_numbers(first: int, count: int, squares: int, split: str) -> Int[np.ndarray, "first"] | None:
    """Return the number of the photograph of the first images of a split.

    More than 20 photographs are joined into 20 groups. It is None if images are whole. It is also None if only one
    image would be left without one of the photographs: errors are then those for images of these photographs.

    Args:
        first: number of these images; with fewer in the split, it is all of them.
        count: number of images in the split.
        squares: number of images cut from each photograph.
        split: ``train`` or ``test``.

    Raises:
        UserError: if the split has not equally many images of each photograph.
    """
    if count % squares:
        raise UserError(f"the {count} images of split '{split}' are not {squares} squares of each photograph")
    numbers = fair_order(count, split)[:first] // squares % MOST_GROUPS
    return numbers if squares > 1 and len(numbers) - np.bincount(numbers).max() > 1 else None
