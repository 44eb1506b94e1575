"""Prepared splits: ``NAME.npy`` (uint8, N×H×W×C) with ``NAME.json`` beside it that says what the numbers are."""

import json
from pathlib import Path

import numpy as np

from ihdm.errors import UserError
from ihdm.files import atomic_path, sha256
from ihdm.images import StoredImages


def write_split(path: Path, images: StoredImages, *, source: str, licence: str) -> None:
    """Write a split and its description, each atomically.

    Args:
        path: where the array goes, ending in ``.npy``; the description takes the ending ``.json``.
        images: the images in their final order.
        source: where the images come from.
        licence: the terms they come under.
    """
    with atomic_path(path) as temporary:
        np.save(temporary, images, allow_pickle=False)
    description = {
        "shape": list(images.shape),
        "layout": "image, row, column, channel",
        "dtype": "uint8",
        "range": [int(images.min()), int(images.max())],
        "source": source,
        "licence": licence,
        "sha256": sha256(path),
    }
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n")


def open_images(path: Path) -> StoredImages:
    """Map an array of images into memory; only what is indexed is read.

    Raises:
        UserError: if the file is missing, damaged or holds something other than uint8 images.
    """
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: no image array can be read from it: {error}") from None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise UserError(f"{path}: holds {images.dtype} of shape {images.shape}, not uint8 images (N, H, W, 1 or 3)")
    return images
