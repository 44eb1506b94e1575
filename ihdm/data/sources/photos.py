"""Squares of several sizes from the real photographs inside scikit-learn's and scikit-image's wheels."""

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import cut_square
from ihdm.data.files import Split
from ihdm.data.order import SPLIT_SEED, fair_order
from ihdm.data.source import COLOR, RawData, Source
from ihdm.errors import UserError
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages

NUM_SQUARES = {"train": 2000, "test": 500}
"""Squares of each photograph."""

SMALLEST_SIDE = 48
"""Side of the smallest squares in pixels of the photograph, unless larger images are requested."""

SIZE_RATIO = 3
"""Side of the largest squares divided by that of the smallest."""

TEST_FRACTION = 1 / 3
GAP = 1.5
"""Width of the gap between the two regions of a photograph, in sides of the smallest square."""

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
    """Return color squares of all photographs; test squares come from a strip of each that training never sees.

    The strip is the right third of a photograph. The training region ends at least 72 pixels to the left of it (1.5
    sides of the smallest squares, half a side of the largest), so no training square touches a test square or is a
    slightly shifted copy of one.

    Raises:
        UserError: if the images are too large for the regions.
    """
    squares: dict[str, list[StoredImages]] = {split: [] for split in NUM_SQUARES}
    for name, photo in embedded_photos().items():
        for split, found in cut_photo(photo, name, settings.image_size).items():
            squares[split] += found
    return {split: np.stack([found[i] for i in fair_order(len(found), split)]) for split, found in squares.items()}


def cut_photo(photo: Photo, name: str, size: int) -> dict[str, list[StoredImages]]:
    """Cut squares at random places of both regions of a photograph and resize them to ``size``, never enlarging.

    Sides are evenly spaced on a logarithmic scale. Their range is the same in both regions: from 48 to 144 pixels for
    images of up to 48 pixels, in proportion above that, and no more than both regions can hold.

    Raises:
        UserError: if a region cannot hold the smallest square.
    """
    height, width, _ = photo.shape
    smallest = max(size, SMALLEST_SIDE)
    strip_left = round(width * (1 - TEST_FRACTION))
    train_right = strip_left - math.ceil(GAP * smallest)
    largest = min(SIZE_RATIO * smallest, height, width - strip_left, train_right)
    if largest < smallest:
        raise UserError(
            f"source 'photos': squares of {smallest} pixels do not fit both the training region and the test strip of "
            f"'{name}'; reduce image_size (all photos fit up to 120)"
        )
    regions = {"train": photo[:, :train_right], "test": photo[:, strip_left:]}
    squares: dict[str, list[StoredImages]] = {}
    for split, count in NUM_SQUARES.items():
        region, rng = Image.fromarray(regions[split]), generator(SPLIT_SEED, f"{split} squares of {name}")
        sides = np.geomspace(smallest, largest, count).round()
        squares[split] = [cut_square(region, int(side), size, rng) for side in sides]
    return squares


SOURCE = Source(
    origin="seven photographs inside scikit-learn (china, flower) and scikit-image "
    "(astronaut, chelsea, coffee, rocket, motorcycle), cut into overlapping squares of several sizes and resized",
    license="china: CC BY 2.0, danielbuechele, flickr.com/photos/danielbuechele/6061409035; flower: CC BY 2.0, "
    "flickr.com/photos/vultilion/6056698931; astronaut: public domain, NASA; chelsea: CC0, Stefan van der Walt; "
    "coffee: CC0, Rachel Michetti, courtesy of Pikolo Espresso Bar; rocket: public domain, SpaceX; motorcycle: "
    "Middlebury stereo benchmark 2014, no license stated",
    split="the right third of every photograph for testing, a gap between it and the training region",
    load=load_photos,
    channels=COLOR,
    natural=True,
    squares=NUM_SQUARES,
    counts={split: 7 * count for split, count in NUM_SQUARES.items()},
    notes=(
        "The photos are overlapping squares of seven photographs, so errors of measures of real photos are over "
        "photographs.",
        "Test photos come from regions that training never sees, so samples can be closer to training images than test "
        "photos are without copying any.",
        "At 16×16 pixels, 5 % of the training photos and 12 % of the test photos are nearly flat (standard deviation "
        "of gray below 0.02 on a scale from 0 to 1), mostly sky and blurred background. One test photo is entirely "
        "black. No photo is in both splits.",
    ),
)
