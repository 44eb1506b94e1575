"""Handwritten digits, 8×8 gray, that come with scikit-learn."""

import numpy as np

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.order import SPLIT_SEED
from ihdm.data.source import GRAY, RawData, Source
from ihdm.seeds import generator

NUM_TEST = 500


def load_digits(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (there is one size only)
    """Return 1297 training and 500 test digits, split at random with a fixed seed.

    The 17 gray levels 0…16 are spread over 0…255. Both splits hold digits of the same writers.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    levels = sklearn_digits().images
    images = np.rint(levels * (255 / 16)).astype(np.uint8)[..., None]
    order = generator(SPLIT_SEED, "split of the digits").permutation(len(images))
    return {"train": images[order[NUM_TEST:]], "test": images[order[:NUM_TEST]]}


SOURCE = Source(
    origin="scikit-learn's copy of the UCI optical recognition of handwritten digits data, 17 gray levels",
    license="CC BY 4.0",
    split="500 digits at random for testing",
    load=load_digits,
    channels=GRAY,
    size=8,
    counts={"train": 1297, "test": 500},
    notes=(
        "The digits have only 17 gray levels, so their bits per dimension cannot be compared with those of other data.",
        "Training and test digits are by the same writers, so test digits are more like training digits than those of "
        "others would be.",
    ),
)
