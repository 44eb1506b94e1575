"""The batch of a training step, a function of (seed, step) for any number of devices."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from ihdm.config.experiments import Experiment
from ihdm.config.settings import Levels
from ihdm.heat import Images
from ihdm.seeds import generator, torch_seed
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import as_floats

Indices = Int[np.ndarray, "batch"]
Gathered = UInt8[Tensor, "batch height width channel"]


class Batch(NamedTuple):
    """Images of a step with their levels and noise."""

    images: Images
    levels: Int[Tensor, "batch"]
    noise: Images


class BatchLoader:
    """Loads batches of images to a device, with one gather per batch.

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

    def batch(self, indices: Indices, following: Int[np.ndarray, "following"] | None = None) -> Images:
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


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, num_images: int) -> Int[np.ndarray, "images"]:
    return generator(seed, "order of an epoch", epoch).permutation(num_images)


def batch_indices(seed: int, step: int, batch_size: int, num_images: int) -> Indices:
    """Return the images of one step: every epoch uses all images once, in a new order."""
    epochs, places = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size), num_images)
    parts = [_epoch_order(seed, int(epoch), num_images)[places[epochs == epoch]] for epoch in np.unique(epochs)]
    return np.concatenate(parts)


def draw_levels(rng: np.random.Generator, choice: Levels, batch_size: int, num_levels: int) -> Indices:
    """Draw the level k of each image of a batch.

    Args:
        rng: the step's generator.
        choice: ``uniform``: independent, uniform in 1…K. ``stratified``: each uniform in 1…K, with counts per level
            that differ by at most one. ``as_released``: independent, uniform in 1…K−1, as the released code does.
        batch_size: images of the batch, over all devices.
        num_levels: K ≥ 1, or ≥ 2 for ``as_released``.
    """
    if choice == "stratified":
        # B points, K apart from one random offset in 0…K−1, on a circle of B·K places of which each level owns B.
        places = rng.permutation(batch_size) * num_levels + rng.integers(num_levels)
        return 1 + places // batch_size
    return rng.integers(1, num_levels if choice == "as_released" else num_levels + 1, size=batch_size)


def draw_batch(experiment: Experiment, loader: BatchLoader, step: int, share: slice) -> Batch:
    """Return the images at the positions ``share`` of the batch of a step, counted from 0, on the loader's device.

    Levels and noise are drawn for the whole batch and sliced, so that they do not depend on the number of devices. The
    noise is drawn on the device, so that it differs between GPUs and CPUs.
    """
    seed, size, device = experiment.seed, experiment.training.batch_size, loader.device
    count, height, width, channels = loader.images.shape
    indices = batch_indices(seed, step, size, count)[share]
    following = batch_indices(seed, step + 1, size, count)[share] if loader.prepares else None
    rng = generator(seed, "levels of a training step", step)
    levels = draw_levels(rng, experiment.training.levels, size, experiment.process.num_levels)[share]
    noise_rng = torch.Generator(device).manual_seed(torch_seed(seed, "noise of a training step", step))
    noise = torch.randn((size, channels, height, width), generator=noise_rng, device=device)[share]
    return Batch(loader.batch(indices, following), torch.as_tensor(levels, device=device), noise)


def even_slices(total: int, count: int) -> list[slice]:
    """Split range(``total``) into ``count`` slices whose lengths differ by at most one."""
    bounds = [total * position // count for position in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]
