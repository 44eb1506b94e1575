"""Images that are still encoded, as files or records: what they are called, and how each becomes an array."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, decode_picture
from ihdm.data.finding import printable
from ihdm.data.order import fair_order
from ihdm.data.resizing import halve_and_crop, squash
from ihdm.storage.images import StoredImages

Resize = Callable[[Image.Image, int], Image.Image]
"""From a picture of any size to a square of the given one."""


@dataclass(frozen=True)
class DecodedImage:
    """An image of the size and channels asked for.

    Attributes:
        pixels: its values, 0…255.
        was_transparent: whether parts of the picture were transparent, which are white now.
    """

    pixels: UInt8[np.ndarray, "height width channel"]
    was_transparent: bool


class EncodedImages(Protocol):
    """The images of a split in their final order, yet to be decoded."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def name(self, position: int) -> str:
        """Return what a person would call the image."""
        ...

    def version(self, position: int) -> str:
        """Return a text that changes whenever the image may have changed."""
        ...

    def decode(self, position: int) -> DecodedImage:
        """Return the image, resized; may be called from several threads at once.

        Raises:
            BrokenImageError: if it cannot be used.
        """
        ...


Split = StoredImages | EncodedImages


@dataclass(frozen=True)
class ImageFiles:
    """Image files below a folder.

    Attributes:
        folder: the folder.
        names: paths of the files relative to it, in the order of the split.
        settings: the size and channels asked for, and whether pictures are cut or squashed.
        crop: how they are cut.
    """

    folder: Path
    names: tuple[str, ...]
    settings: DatasetSettings
    crop: Resize

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def name(self, position: int) -> str:
        """Return the file's path below the folder, as :func:`~ihdm.data.finding.printable` writes it."""
        return printable(self.names[position])

    def version(self, position: int) -> str:
        """Return name, size and time of change; a file that is gone has none of them."""
        try:
            state = (self.folder / self.names[position]).stat()
        except OSError as error:
            return f"{self.names[position]} {error.errno}"
        return f"{self.names[position]} {state.st_size} {state.st_mtime_ns}"

    def read(self, position: int) -> bytes:
        """Return the content of the file.

        Raises:
            BrokenImageError: if it cannot be read.
        """
        try:
            return (self.folder / self.names[position]).read_bytes()
        except OSError as error:
            raise BrokenImageError(error.strerror or str(error)) from None

    def decode(self, position: int) -> DecodedImage:
        """Return the image, resized."""
        return decode_image(self.read(position), self.settings, self.crop)


def decode_image(encoded: bytes, settings: DatasetSettings, crop: Resize) -> DecodedImage:
    """Decode one picture and bring it to the size and channels asked for; see :func:`decode_picture`.

    Args:
        encoded: the picture as a file holds it.
        settings: the size and channels asked for, and whether the picture is cut or squashed.
        crop: how the source cuts it.

    Raises:
        BrokenImageError: if it cannot be decoded, or is smaller than the size asked for.
    """
    picture, was_transparent = decode_picture(encoded, settings)
    resize = squash if settings.resize == "squash" else crop
    return DecodedImage(as_pixels(resize(picture, settings.image_size)), was_transparent)


def as_pixels(picture: Image.Image) -> UInt8[np.ndarray, "height width channel"]:
    """Return a gray or color picture as an array."""
    return np.asarray(picture).reshape(picture.height, picture.width, len(picture.getbands()))


def files_in_fair_order(settings: DatasetSettings, folder: Path, names: list[str], split: str) -> ImageFiles:
    """Return image files below a folder, to be halved and cut, in the fixed random order of their split."""
    return ImageFiles(folder, tuple(names[i] for i in fair_order(len(names), split)), settings, halve_and_crop)
