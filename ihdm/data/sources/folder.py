"""A folder of images from the user, whole or as random square crops at random scales."""

import sys

import numpy as np
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, cut_square, decode_picture
from ihdm.data.files import ImageFiles, Split, find_images
from ihdm.data.order import SPLIT_SEED, fair_order
from ihdm.data.source import COLOR, GRAY, RawData, Source
from ihdm.errors import UserError
from ihdm.progress import Progress
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages

TEST_FRACTION = 0.1


def load_folder(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the images below any folder, one file in ten for testing; no file is in both splits, nor its crops.

    Raises:
        UserError: if it has fewer than two images.
    """
    found = find_images(raw.folder)
    names, unused = found.names, found.describe_unused()
    if len(names) < 2:
        not_used = f" (not used: {unused})" if unused else ""
        raise UserError(
            f"{raw.folder}: has {len(names)} image files{not_used}; at least 2 are needed, for training and testing"
        )
    if unused:
        print(f"{raw.folder}: {len(names)} image files are used; not used: {unused}")
    order = generator(SPLIT_SEED, "split of a folder").permutation(len(names))
    num_test = max(1, round(TEST_FRACTION * len(names)))
    parts = {"train": order[num_test:], "test": order[:num_test]}
    files = {split: ImageFiles(raw.folder, tuple(names[i] for i in part), settings) for split, part in parts.items()}
    if settings.crops is None:
        return dict(files)
    return {split: cut_crops(images, settings.crops, split) for split, images in files.items()}


def cut_crops(images: ImageFiles, count: int, split: str) -> StoredImages:
    """Return ``count`` crops of each image in a random order of which any prefix is a fair sample.

    Sides are log-uniform between ``image_size`` and the short side; crops are halved and then resized like whole
    images. They depend on the name of the image and their number.

    Args:
        images: the images.
        count: crops per image.
        split: ``train`` or ``test``.

    Raises:
        UserError: if an image is broken and ``skip_broken`` is off, or no image can be used.
    """
    parts, broken = [], {}
    with Progress(f"cutting {split}", len(images), unit="images") as progress:
        progress.update(0)
        for position in range(len(images)):
            name = images.name(position)
            try:
                picture, _ = decode_picture(images.read(position), images.settings)
            except BrokenImageError as error:
                broken[name] = str(error)
            else:
                halvings = _halvings(picture, images.settings.image_size)
                parts += [_cut(halvings, images.settings.image_size, name, number) for number in range(count)]
            progress.update(position + 1)
    if broken:
        named = ", ".join(f"{name} ({reason})" for name, reason in list(broken.items())[:5])
        message = f"{len(broken)} of {len(images)} images of split '{split}' cannot be used: {named}"
        if not parts or not images.settings.skip_broken:
            raise UserError(f"{message}; fix or remove them" + (", or set skip_broken: true" if parts else ""))
        print(f"{message}; skipped", file=sys.stderr)
    return np.stack(parts)[fair_order(len(parts), split)]


def _halvings(picture: Image.Image, size: int) -> list[Image.Image]:
    """Return an image and its repeated halvings, while the short side is at least ``size``."""
    found = [picture]
    while min(found[-1].size) >= 2 * size:
        found.append(found[-1].resize((found[-1].width // 2, found[-1].height // 2), Image.Resampling.BOX))
    return found


def _cut(halvings: list[Image.Image], size: int, name: str, number: int) -> StoredImages:
    """Return a crop from the smallest sufficient halving of an image."""
    rng = generator(SPLIT_SEED, f"crop of {name}", number)
    octave = np.log2(min(halvings[0].size) / size) * rng.random()
    picture = halvings[int(octave)]
    return cut_square(picture, min(round(size * 2 ** (octave % 1)), *picture.size), size, rng)


SOURCE = Source(
    origin="a folder of images given by the user, halved and then resized to the short side, cut to its middle",
    license="the user's affair",
    split="one file in ten, at random, for testing",
    load=load_folder,
    channels=GRAY + COLOR,
    resized=True,
    takes_path=True,
    takes_crops=True,
    notes=(
        "The test images are one file in ten at random, so where several show the same thing, test images are more "
        "like training images than new ones would be.",
    ),
)
