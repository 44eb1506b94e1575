"""Batches from memory-mapped images, with one gather per batch."""

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
    """Loads batches of images to a device.

    Args:
        images: stored images, usually from :func:`ihdm.storage.reading.open_images`.
        device: device of the batches; for a GPU, they pass through pinned memory.
        prepares: whether a thread reads the following batch; by default for a GPU only, as on a CPU the thread would
            compete with the network.
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
            following: the positions of the next batch, if known.

        Raises:
            IndexError: if a position is out of range.
        """
        if self._prepared and np.array_equal(self._prepared[0], indices):
            gathered = self._prepared[1].result()
        else:
            gathered = self._gather(indices)
        self._prepared = None
        if self._thread and following is not None:
            self._prepared = following, self._thread.submit(self._gather, following)
        return as_floats(gathered.to(self.device, non_blocking=True))

    def _gather(self, indices: Indices) -> Gathered:
        if len(indices) and not (indices.min() >= 0 and indices.max() < len(self.images)):
            raise IndexError(f"positions {indices.min()}…{indices.max()} of {len(self.images)} images")
        # PyTorch caches pinned memory, and reuses it only after the copy.
        gathered = torch.empty((len(indices), *self.images.shape[1:]), dtype=torch.uint8, pin_memory=self._on_gpu)
        # The positions are valid, and mode "raise" would use an extra buffer.
        np.take(self.images, indices, axis=0, out=gathered.numpy(), mode="clip")
        return gathered
