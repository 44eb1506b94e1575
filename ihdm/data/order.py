"""The order of images in a split, and the pictures that they were cut from."""

import numpy as np
from jaxtyping import Int

from ihdm.seeds import generator

SPLIT_SEED = 0


def fair_order(count: int, split: str) -> Int[np.ndarray, "count"]:
    """Return a fixed random order of the images of a split, so that any prefix is a fair sample."""
    return generator(SPLIT_SEED, f"order of the {split} images").permutation(count)


def picture_numbers(count: int, squares: int) -> Int[np.ndarray, "count"]:
    """Return the number of the picture that each training image was cut from, in the order of the split.

    Args:
        count: images in the training split.
        squares: how many were cut from each picture.
    """
    return fair_order(count, "train") // squares
