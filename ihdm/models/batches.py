"""The batch of a training step, a function of (seed, step) for any number of devices."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ihdm.config.experiments import Experiment
from ihdm.config.settings import Levels
from ihdm.data.loader import BatchLoader
from ihdm.heat import Images
from ihdm.seeds import generator, torch_seed


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, num_images: int) -> Int[np.ndarray, "images"]:
    return generator(seed, "order of an epoch", epoch).permutation(num_images)


def batch_indices(seed: int, step: int, batch_size: int, num_images: int) -> Int[np.ndarray, "batch"]:
    """Return the images of one step: every epoch uses all images once, in a new order."""
    epochs, places = np.divmod(np.arange(step * batch_size, (step + 1) * batch_size), num_images)
    parts = [_epoch_order(seed, int(epoch), num_images)[places[epochs == epoch]] for epoch in np.unique(epochs)]
    return np.concatenate(parts)


def draw_levels(rng: np.random.Generator, choice: Levels, batch_size: int, num_levels: int) -> Int[np.ndarray, "batch"]:
    """Draw the level k of each image of a batch.

    Args:
        rng: the step's generator.
        choice: ``uniform``: independent, uniform in 1…K. ``stratified``: each uniform in 1…K, with counts per level
            that differ by at most one. ``as_released``: independent,
            uniform in 1…K−1, as the released code never trains level K.
        batch_size: images of the batch, over all devices.
        num_levels: K ≥ 1, or ≥ 2 for ``as_released``.
    """
    if choice == "stratified":
        # B points, K apart from one random offset in 0…K−1, on a circle of B·K places of which each level owns B.
        places = rng.permutation(batch_size) * num_levels + rng.integers(num_levels)
        return 1 + places // batch_size
    return rng.integers(1, num_levels if choice == "as_released" else num_levels + 1, size=batch_size)


@dataclass(frozen=True)
class Batch:
    """Images of a step with their levels and noise."""

    images: Images
    levels: Int[Tensor, "batch"]
    noise: Images

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, part: slice) -> "Batch":
        return Batch(self.images[part], self.levels[part], self.noise[part])


def draw_batch(experiment: Experiment, loader: BatchLoader, step: int, share: slice) -> Batch:
    """Return a share of the batch of one step, on the loader's device.

    Levels and noise are drawn for the whole batch and sliced, so that they do not depend on the number of devices. The
    noise is drawn on the device, so that it differs between GPUs and CPUs.

    Args:
        experiment: the experiment.
        loader: the training images.
        step: number of the step, from 0.
        share: positions in the batch.
    """
    seed, size, device = experiment.seed, experiment.training.batch_size, loader.device
    indices = batch_indices(seed, step, size, len(loader.images))[share]
    rng = generator(seed, "levels of a training step", step)
    levels = draw_levels(rng, experiment.training.levels, size, experiment.process.num_levels)[share]
    noise_rng = torch.Generator(device).manual_seed(torch_seed(seed, "noise of a training step", step))
    following = None
    if loader.prepares:
        following = batch_indices(seed, step + 1, size, len(loader.images))[share]
    _, height, width, channels = loader.images.shape
    noise = torch.randn((size, channels, height, width), generator=noise_rng, device=device)[share]
    return Batch(loader.batch(indices, following), torch.as_tensor(levels, device=device), noise)


def even_slices(total: int, count: int) -> list[slice]:
    """Split range(``total``) into ``count`` slices whose lengths differ by at most one."""
    bounds = [total * position // count for position in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(bounds)]
