"""Encoded images, as files or records: their names, and decoding to arrays."""

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
"""Converts an image to a square of the given size."""


@dataclass(frozen=True)
class DecodedImage:
    """An image with the configured size and channels.

    Attributes:
        pixels: 0…255.
        was_transparent: whether it had transparent parts, which are now white.
    """

    pixels: UInt8[np.ndarray, "height width channel"]
    was_transparent: bool


class EncodedImages(Protocol):
    """The encoded images of a split in their final order."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def name(self, position: int) -> str:
        """Return the name of an image for messages."""
        ...

    def version(self, position: int) -> str:
        """Return a string that changes whenever the image may have changed."""
        ...

    def decode(self, position: int) -> DecodedImage:
        """Return the resized image; thread-safe.

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
        names: paths relative to it, in the order of the split.
        settings: size, channels and resizing.
        crop: resizing and cropping function of the source.
    """

    folder: Path
    names: tuple[str, ...]
    settings: DatasetSettings
    crop: Resize

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def name(self, position: int) -> str:
        """Return the relative path, see :func:`~ihdm.data.finding.printable`."""
        return printable(self.names[position])

    def version(self, position: int) -> str:
        """Return name, size and modification time, or the error of a missing file."""
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
    """Decode an image file and resize it; see :func:`decode_picture`.

    Args:
        encoded: the content of the file.
        settings: size, channels and resizing.
        crop: resizing and cropping function of the source.

    Raises:
        BrokenImageError: if it cannot be decoded, or is smaller than ``image_size``.
    """
    picture, was_transparent = decode_picture(encoded, settings)
    resize = squash if settings.resize == "squash" else crop
    return DecodedImage(as_pixels(resize(picture, settings.image_size)), was_transparent)


def as_pixels(picture: Image.Image) -> UInt8[np.ndarray, "height width channel"]:
    """Return a gray or color picture as an array."""
    return np.asarray(picture).reshape(picture.height, picture.width, len(picture.getbands()))


def files_in_fair_order(settings: DatasetSettings, folder: Path, names: list[str], split: str) -> ImageFiles:
    """Return image files below a folder in the fixed random order of a split."""
    return ImageFiles(folder, tuple(names[i] for i in fair_order(len(names), split)), settings, halve_and_crop)
