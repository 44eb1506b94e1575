"""Square crops of the real photographs inside scikit-learn's and scikit-image's wheels."""

import numpy as np
from jaxtyping import UInt8

from ihdm.config.settings import DatasetSettings
from ihdm.data.encoded import Split
from ihdm.data.raw import RawData
from ihdm.data.source import COLOUR, Source
from ihdm.errors import UserError
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages

TEST_FRACTION = 0.2
SPLIT_SEED = 0

Photo = UInt8[np.ndarray, "height width 3"]


def embedded_photos() -> dict[str, Photo]:
    """Return the seven photographs by name, at their full size."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    return {
        "china": load_sample_image("china.jpg"),
        "flower": load_sample_image("flower.jpg"),
        "astronaut": skimage.data.astronaut(),
        "chelsea": skimage.data.chelsea(),
        "coffee": skimage.data.coffee(),
        "rocket": skimage.data.rocket(),
        "motorcycle": skimage.data.stereo_motorcycle()[0],
    }


def load_photos(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:  # noqa: ARG001 (inside packages)
    """Return overlapping colour crops; the test crops come from a strip of each photo apart from the training part.

    The strip is the right fifth of the width. Between it and the training part lie at least 1.5 crops, so that no
    training crop touches a test crop and none is merely a shifted copy of one.

    Raises:
        UserError: if crops are asked for that are too large for the strips.
    """
    size = settings.image_size
    crops: dict[str, list[StoredImages]] = {"train": [], "test": []}
    for name, photo in embedded_photos().items():
        strip_left = round(photo.shape[1] * (1 - TEST_FRACTION))
        train_right = strip_left - round(1.5 * size)
        if size > photo.shape[0] or size > photo.shape[1] - strip_left or size > train_right:
            raise UserError(f"source 'photos': crops of {size} pixels do not fit the test strip of '{name}'")
        crops["train"].append(cut_crops(photo[:, :train_right], size))
        crops["test"].append(cut_crops(photo[:, strip_left:], size))
    splits: dict[str, Split] = {}
    for split, parts in crops.items():
        images = np.concatenate(parts)
        splits[split] = images[generator(SPLIT_SEED, f"order of the {split} photos").permutation(len(images))]
    return splits


def cut_crops(photo: Photo, size: int) -> StoredImages:
    """Return all square crops of ``size`` pixels whose corners lie on a lattice of half that size."""
    stride = max(size // 2, 1)
    windows = np.lib.stride_tricks.sliding_window_view(photo, (size, size), axis=(0, 1))[::stride, ::stride]
    return np.moveaxis(windows.reshape(-1, photo.shape[-1], size, size), 1, -1)


SOURCE = Source(
    origin="seven photographs inside scikit-learn (china, flower) and scikit-image "
    "(astronaut, chelsea, coffee, rocket, motorcycle), cut into overlapping crops",
    licence="china: CC BY 2.0, danielbuechele, flickr.com/photos/danielbuechele/6061409035; flower: CC BY 2.0, "
    "flickr.com/photos/vultilion/6056698931; astronaut: public domain, NASA; chelsea: CC0, Stefan van der Walt; "
    "coffee: CC0, Rachel Michetti, courtesy of Pikolo Espresso Bar; rocket: public domain, SpaceX; motorcycle: "
    "Middlebury stereo benchmark 2014, no licence stated",
    split="the right fifth of every photograph for testing, a gap between it and the training part",
    load=load_photos,
    channels=COLOUR,
    notes=(
        "The photos are crops that overlap, so they are not independent, and intervals are somewhat too narrow.",
        "Test photos come from parts of the pictures that training has not seen, so samples may lie nearer to training "
        "images than test photos do without repeating anything.",
        "Of the crops of 16×16 pixels, 87 of 5116 test photos are wholly black, and so are 46 training photos; larger "
        "crops are in one split alone.",
    ),
)
