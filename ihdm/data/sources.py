"""The registry of image sources. A new one is a function here, or in a module of its own, and a line in ``SOURCES``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ihdm.config import DatasetSettings
from ihdm.data.digits import load_digits
from ihdm.data.photos import load_photos
from ihdm.errors import UserError
from ihdm.images import StoredImages


@dataclass(frozen=True)
class Source:
    """Where images come from, under what terms, and the function that brings them as splits by name."""

    origin: str
    licence: str
    load: Callable[[DatasetSettings], dict[str, StoredImages]]


SOURCES = {
    "digits": Source(
        origin="scikit-learn's copy of the UCI optical recognition of handwritten digits data, 17 grey levels",
        licence="CC BY 4.0",
        load=load_digits,
    ),
    "photos": Source(
        origin="seven photographs inside scikit-learn (china, flower) and scikit-image "
        "(astronaut, chelsea, coffee, rocket, motorcycle), cut into overlapping crops",
        licence="CC BY 2.0 (china, flower), public domain or CC0 (the others)",
        load=load_photos,
    ),
}


def load_splits(settings: DatasetSettings) -> dict[str, StoredImages]:
    """Load a data set as splits ``train`` and ``test``, each in an order of which any prefix is a fair sample.

    Raises:
        UserError: if there is no such source, or it does not give images of the size and channels asked for.
    """
    if settings.source not in SOURCES:
        raise UserError(f"no image source is named '{settings.source}'; known are {', '.join(sorted(SOURCES))}")
    splits = SOURCES[settings.source].load(settings)
    expected = (settings.image_size, settings.image_size, settings.image_channels)
    for split, images in splits.items():
        if images.shape[1:] != expected:
            raise UserError(
                f"source '{settings.source}' gives {'×'.join(map(str, images.shape[1:]))} images in split '{split}'; "
                f"image_size and image_channels ask for {'×'.join(map(str, expected))}"
            )
    return {split: np.ascontiguousarray(images) for split, images in splits.items()}
