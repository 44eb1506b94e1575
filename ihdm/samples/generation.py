"""Sets of generated images: each from its own start and its own noise, whatever is generated beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.heat import heat_process
from ihdm.objective import Network
from ihdm.prior import draw_starts, prior_bandwidth
from ihdm.sampling import SeededNoise, reverse_steps
from ihdm.storage.images import StoredImages


@dataclass(frozen=True)
class GeneratedBatch:
    """Some of the samples of a set.

    Attributes:
        first: position of the first of them in the set.
        starts: u_K of each.
        means: the mean after each kept step, the result last; keyed by the level it belongs to.
        train_images: the training image behind each start.
    """

    first: int
    starts: Float[Tensor, "batch channel height width"]
    means: dict[int, Float[Tensor, "batch channel height width"]]
    train_images: Int[np.ndarray, "batch"]

    @property
    def images(self) -> Float[Tensor, "batch channel height width"]:
        """The finished images, roughly in [0, 1]."""
        return self.means[0]

    def require_finite(self, numbers: Sequence[object]) -> None:
        """Refuse images that are not: in 8 bits they would be black, or white, without a word.

        Args:
            numbers: what the samples of the whole set are called.

        Raises:
            UserError: naming those with values that are not finite.
        """
        finite = self.images.isfinite().flatten(1).all(dim=1).tolist()
        broken = [str(numbers[self.first + place]) for place, good in enumerate(finite) if not good]
        if broken:
            raise UserError(
                f"sample {', '.join(broken)}: the network gives values that are not finite (NaN or infinity); "
                "what was finished before is kept; train the network anew, with a lower learning rate or in another "
                "precision"
            )


def shard_numbers(num_samples: int, shard: int, num_shards: int) -> range:
    """Return the numbers of the samples of one part of a set; the parts' sizes differ by one at most."""
    return range(shard * num_samples // num_shards, (shard + 1) * num_samples // num_shards)


def generate(
    network: Network,
    train: StoredImages,
    settings: SamplingSettings,
    *,
    starts: Sequence[int],
    noises: Sequence[int],
    keep_levels: Sequence[int] = (),
    device: torch.device | str = "cpu",
) -> Iterator[GeneratedBatch]:
    """Generate images in batches of ``settings.micro_batch``; the last one is filled up and cut.

    Every batch has the same size because a network's output differs in the last bits between batch sizes.

    Args:
        network: f(u, levels), on ``device``.
        train: the training images, whose blurred versions are the starts; only the first ``settings.num_train``, if
            that is given.
        settings: process, δ, prior and seed.
        starts: the number of each image's start; equal numbers give the same u_K.
        noises: the number of each image's noise; equal numbers give the same ε at every level.
        keep_levels: levels k in 0…K−1 whose means are kept beside the result.
        device: where to compute.
    """
    train = train[: settings.num_train]
    heat = heat_process(settings.process, train.shape[1], device)
    delta = settings.delta_ratio * settings.process.sigma
    bandwidth = prior_bandwidth(settings.prior_noise, settings.process.sigma, delta)
    shape = (train.shape[3], train.shape[1], train.shape[2])
    size = settings.micro_batch
    for first in range(0, len(starts), size):
        count = min(size, len(starts) - first)
        filled = [first + min(position, count - 1) for position in range(size)]
        batch_starts, train_images = draw_starts(train, heat, bandwidth, settings.seed, [starts[i] for i in filled])
        noise = SeededNoise(settings.seed, [noises[i] for i in filled], settings.process.num_levels, shape, device)
        means = {
            level: mean[:count]
            for level, mean in reverse_steps(network, batch_starts, noise, delta)
            if level == 0 or level in keep_levels
        }
        yield GeneratedBatch(first, batch_starts[:count], means, train_images[:count])
