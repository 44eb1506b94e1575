"""Stored images: uint8 arrays N×H×W×C. This module does not need torch."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ihdm.errors import UserError
from ihdm.storage.files import atomic_path

StoredImages = UInt8[np.ndarray, "_ height width channel"]


def tile(images: StoredImages, columns: int | None = None) -> UInt8[np.ndarray, "_ _ channel"]:
    """Arrange images row by row on white, a pixel apart; by default with about as many columns as rows."""
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1, channels), 255, dtype=np.uint8)
    for position, image in enumerate(images):
        top = 1 + position // columns * (height + 1)
        left = 1 + position % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet


def join_images(parts: Sequence[StoredImages], path: Path) -> None:
    """Concatenate arrays of images to one .npy, with one of them in memory at a time.

    Raises:
        UserError: if their images differ in size.
    """
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise UserError(
            f"images of different sizes, {', '.join(map(str, sorted(shapes)))}, cannot be stored in one array"
        )
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for part in parts:
            stream.write(np.ascontiguousarray(part).data)


def save_grid(images: StoredImages, path: Path, scale: int = 4, columns: int | None = None) -> None:
    """Write images as one sheet in the format of the file extension, enlarged by ``scale``; see :func:`tile`."""
    sheet = np.kron(tile(images, columns), np.ones((scale, scale, 1), dtype=np.uint8))
    with atomic_path(path) as temporary:
        Image.fromarray(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet).save(temporary)
