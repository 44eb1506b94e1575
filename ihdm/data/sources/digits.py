"""Handwritten digits, 8×8 gray, that come with scikit-learn."""

from typing import Any

import numpy as np

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import SPLIT_SEED
from ihdm.data.source import GRAY, Labels, RawData, Source
from ihdm.seeds import generator

NUM_TEST = 500


def load_digits(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (there is one size only)
    """Return 1297 training and 500 test digits, split at random with a fixed seed.

    The 17 gray levels 0…16 are spread over 0…255. Both splits hold digits of the same writers.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    levels = sklearn_digits().images
    images = np.rint(levels * (255 / 16)).astype(np.uint8)[..., None]
    return _split(images)


def load_digit_labels(settings: DatasetSettings, raw: RawData) -> dict[str, Labels]:  # noqa: ARG001 (as above)
    """Return the digits 0 to 9 that the images show."""
    from sklearn.datasets import load_digits as sklearn_digits

    return _split(sklearn_digits().target)


def _split(values: np.ndarray) -> dict[str, Any]:
    order = generator(SPLIT_SEED, "split of the digits").permutation(len(values))
    return {"train": values[order[NUM_TEST:]], "test": values[order[:NUM_TEST]]}


SOURCE = Source(
    origin="scikit-learn's copy of the UCI optical recognition of handwritten digits data, 17 gray levels",
    license="CC BY 4.0",
    split="500 digits at random for testing",
    load=load_digits,
    channels=GRAY,
    size=8,
    labels=load_digit_labels,
    counts={"train": 1297, "test": 500},
    notes=(
        "The digits have only 17 gray levels, so their bits per dimension cannot be compared with those of other data.",
        "Training and test digits are by the same writers, so test digits are more like training digits than those of "
        "others would be.",
    ),
)
