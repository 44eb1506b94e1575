"""The order of images in a split."""

import numpy as np
from jaxtyping import Int

from ihdm.seeds import generator

SPLIT_SEED = 0


def fair_order(count: int, split: str) -> Int[np.ndarray, "count"]:
    """Return a fixed random order of the images of a split, so that any prefix is a fair sample."""
    return generator(SPLIT_SEED, f"order of the {split} images").permutation(count)


def picture_numbers(count: int, squares: int) -> Int[np.ndarray, "count"]:
    """Return the number of the original image of each training image in the order of the split.

    Args:
        count: number of training images.
        squares: number of crops per original image.
    """
    return fair_order(count, "train") // squares
