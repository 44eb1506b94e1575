"""Conversion of stored images, uint8 N×H×W×C, to tensors, float32 N×C×H×W in [0, 1], and back."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ihdm.config.settings import Rounding
from ihdm.errors import UserError
from ihdm.storage.images import StoredImages


def to_tensor(images: StoredImages, device: torch.device | str = "cpu") -> Float[Tensor, "batch channel height width"]:
    """Convert stored images to float32 in [0, 1]."""
    # PyTorch has no read-only tensors, so memory-mapped arrays are copied.
    return as_floats(torch.as_tensor(np.require(images, requirements=["C", "W"]), device=device))


def as_floats(images: UInt8[Tensor, "batch height width channel"]) -> Float[Tensor, "batch channel height width"]:
    """Convert a tensor of stored images to float32 in [0, 1], on the same device."""
    # One new tensor, not three: for large batches their memory costs more than the arithmetic.
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def require_finite(images: Tensor) -> None:
    """Raise an error for images with NaN or infinity, which would become black or white pixels.

    Raises:
        UserError: if a value is not finite.
    """
    if not bool(images.isfinite().all()):
        raise UserError(
            "the network returned values that are not finite (NaN or infinity): compute in float32 (precision 'no'), "
            "or retrain with a lower learning rate"
        )


def to_uint8(images: Float[Tensor, "batch channel height width"], rounding: Rounding = "nearest") -> StoredImages:
    """Convert images to 8 bits: clipped to [0, 1], then one of 256 values.

    Args:
        images: images, roughly in [0, 1].
        rounding: to the nearest value, or ``truncate`` to the one below as the released code does, which makes images
            darker by half a value on average.

    Raises:
        UserError: see :func:`require_finite`.
    """
    require_finite(images)
    values = images.clamp(0, 1) * 255
    values = values.round() if rounding == "nearest" else values.floor()
    return values.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
