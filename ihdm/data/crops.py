"""Random square crops of large images at random scales."""

import sys

import numpy as np
from PIL import Image

from ihdm.data.decoding import BrokenImageError, decode_picture
from ihdm.data.encoded import ImageFiles, as_pixels
from ihdm.data.order import SPLIT_SEED, fair_order
from ihdm.data.resizing import halve_and_crop
from ihdm.errors import UserError
from ihdm.progress import Progress
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages


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


def cut_square(picture: Image.Image, side: int, size: int, rng: np.random.Generator) -> StoredImages:
    """Cut a square of ``side`` pixels at a random place of an image and resize it to ``size`` pixels."""
    left, top = (int(rng.integers(length - side + 1)) for length in picture.size)
    return as_pixels(halve_and_crop(picture.crop((left, top, left + side, top + side)), size))
