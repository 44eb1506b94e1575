"""The two forms of an image: stored as uint8 N×H×W×C arrays, computed with as float32 N×C×H×W tensors in [0, 1]."""

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

StoredImages = UInt8[np.ndarray, "batch height width channel"]


def to_tensor(images: StoredImages, device: torch.device | str = "cpu") -> Float[Tensor, "batch channel height width"]:
    """Turn stored images into float32 in [0, 1]."""
    return torch.as_tensor(np.ascontiguousarray(images), device=device).permute(0, 3, 1, 2).contiguous().float() / 255


def to_uint8(images: Float[Tensor, "batch channel height width"]) -> StoredImages:
    """Turn computed images into stored ones: clipped to [0, 1], then rounded to the nearest of 256 values."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def tile(images: StoredImages, columns: int | None = None, gap: int = 1) -> UInt8[np.ndarray, "height width channel"]:
    """Lay images out row by row on white, ``gap`` pixels apart; by default about as many columns as rows."""
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, dtype=np.uint8)
    for position, image in enumerate(images):
        top = gap + position // columns * (height + gap)
        left = gap + position % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
