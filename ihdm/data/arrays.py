"""Prepared splits as the later stages see them: ``NAME.npy`` (uint8, N×H×W×C), ``NAME.json`` beside it."""

from pathlib import Path

import numpy as np

from ihdm.errors import UserError
from ihdm.images import StoredImages


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
