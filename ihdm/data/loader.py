"""Batches straight from the memory map: one gather a batch, nothing per image."""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import as_floats

Indices = Int[np.ndarray, "batch"]
Batch = Float[Tensor, "batch channel height width"]


class BatchLoader:
    """Brings images to where they are computed with.

    Args:
        images: stored images, usually from :func:`ihdm.storage.reading.open_images`; only what is asked for is read.
        device: where the batches go. For a GPU they pass through pinned memory.
    """

    def __init__(self, images: StoredImages, device: torch.device | str = "cpu") -> None:
        self.images = images
        self.device = torch.device(device)
        self._on_gpu = self.device.type == "cuda"

    def batch(self, indices: Indices) -> Batch:
        """Return the images at these positions, float32 in [0, 1].

        Raises:
            IndexError: if a position lies outside the array.
        """
        return as_floats(self._gather(indices).to(self.device, non_blocking=True))

    def _gather(self, indices: Indices) -> UInt8[Tensor, "batch height width channel"]:
        if len(indices) and not (indices.min() >= 0 and indices.max() < len(self.images)):
            raise IndexError(f"positions {indices.min()}…{indices.max()} of {len(self.images)} images")
        # PyTorch keeps pinned memory for the next batch, and does not hand it out again before it has been copied.
        gathered = torch.empty((len(indices), *self.images.shape[1:]), dtype=torch.uint8, pin_memory=self._on_gpu)
        # The positions are valid; mode "raise" would gather into a buffer of its own first.
        np.take(self.images, indices, axis=0, out=gathered.numpy(), mode="clip")
        return gathered
