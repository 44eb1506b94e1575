"""Batches straight from the memory map: one gather a batch, nothing per image."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import as_floats

Indices = Int[np.ndarray, "batch"]
Batch = Float[Tensor, "batch channel height width"]
Gathered = UInt8[Tensor, "batch height width channel"]


class BatchLoader:
    """Brings images to where they are computed with.

    Args:
        images: stored images, usually from :func:`ihdm.storage.reading.open_images`; only what is asked for is read.
        device: where the batches go. For a GPU they pass through pinned memory.
        prepares: whether the batch after the one asked for is read meanwhile, by a thread; by default for a GPU, as
            there the CPU has nothing else to do, while on a CPU this would take from the network what it needs.
    """

    def __init__(self, images: StoredImages, device: torch.device | str = "cpu", prepares: bool | None = None) -> None:
        self.images = images
        self.device = torch.device(device)
        self._on_gpu = self.device.type == "cuda"
        self.prepares = self._on_gpu if prepares is None else prepares
        self._thread = ThreadPoolExecutor(1) if self.prepares else None
        self._prepared: tuple[Indices, Future[Gathered]] | None = None

    def batch(self, indices: Indices, following: Indices | None = None) -> Batch:
        """Return the images at these positions, float32 in [0, 1].

        Args:
            indices: the positions.
            following: those that are going to be asked for next, if that is known.

        Raises:
            IndexError: if a position lies outside the array.
        """
        gathered = self._prepared_or_gathered(indices)
        self._prepared = None
        if self._thread and following is not None:
            self._prepared = following, self._thread.submit(self._gather, following)
        return as_floats(gathered.to(self.device, non_blocking=True))

    def _prepared_or_gathered(self, indices: Indices) -> Gathered:
        if self._prepared and np.array_equal(self._prepared[0], indices):
            return self._prepared[1].result()
        return self._gather(indices)

    def _gather(self, indices: Indices) -> Gathered:
        if len(indices) and not (indices.min() >= 0 and indices.max() < len(self.images)):
            raise IndexError(f"positions {indices.min()}…{indices.max()} of {len(self.images)} images")
        # PyTorch keeps pinned memory for the next batch, and does not hand it out again before it has been copied.
        gathered = torch.empty((len(indices), *self.images.shape[1:]), dtype=torch.uint8, pin_memory=self._on_gpu)
        # The positions are valid; mode "raise" would gather into a buffer of its own first.
        np.take(self.images, indices, axis=0, out=gathered.numpy(), mode="clip")
        return gathered
