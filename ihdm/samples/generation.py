"""Sets of generated images: each from its own start and its own noise, whatever is generated beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.calibration import Calibration
from ihdm.config.processes import ProcessSettings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.objective import Network
from ihdm.prior import prior_bandwidth
from ihdm.processes import build_process
from ihdm.samplers import plan_steps, sampling_steps
from ihdm.sampling import SeededNoise
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_uint8


@dataclass(frozen=True)
class GeneratedBatch:
    """Some of the samples of a set.

    Attributes:
        first: position of the first of them in the set.
        starts: u_K of each.
        means: the mean after each kept step, the result last; keyed by the level it belongs to.
        train_images: the training image behind each start, −1 for a start that has none.
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
    calibration: Calibration | None = None,
    keep_levels: Sequence[int] = (),
    device: torch.device | str = "cpu",
) -> Iterator[GeneratedBatch]:
    """Generate images in batches of ``settings.micro_batch``; the last one is filled up and cut.

    Every batch has the same size because a network's output differs in the last bits between batch sizes.

    Args:
        network: f(u, levels), on ``device``.
        train: the training images, whose blurred versions are the starts; only the first ``settings.num_train``, if
            that is given.
        settings: process, sampler, δ, prior and seed.
        starts: the number of each image's start; equal numbers give the same u_K.
        noises: the number of each image's noise; equal numbers give the same ε at every level.
        calibration: what was measured of the network, for samplers that need it.
        keep_levels: levels k in 0…K−1 whose means are kept beside the result, where the sampler visits them.
        device: where to compute.
    """
    train = train[: settings.num_train]
    process = build_process(settings.process, train.shape[1], device)
    unit = process.deviation(process.num_levels)
    delta = settings.delta_ratio * unit
    prior_noise = settings.prior_noise
    if prior_noise == "delta" and not settings.sampler.uses_delta:
        prior_noise = "sigma"  # that of the process itself, which a coupled sampler carries on
    bandwidth = prior_bandwidth(prior_noise, unit, delta)
    steps = plan_steps(process, settings.sampler, delta, calibration)
    shape = (train.shape[3], train.shape[1], train.shape[2])
    size = settings.micro_batch
    for first in range(0, len(starts), size):
        count = min(size, len(starts) - first)
        filled = [first + min(position, count - 1) for position in range(size)]
        batch_starts, train_images = process.draw_starts(train, bandwidth, settings.seed, [starts[i] for i in filled])
        noise = SeededNoise(settings.seed, [noises[i] for i in filled], settings.process.num_levels, shape, device)
        means = {
            level: process.from_range(mean[:count])
            for level, mean in sampling_steps(network, process, steps, batch_starts, noise)
            if level == 0 or level in keep_levels
        }
        yield GeneratedBatch(first, process.from_range(batch_starts[:count]), means, train_images[:count])


def forward_stages(
    settings: ProcessSettings, images: Float[Tensor, "batch channel height width"], levels: Sequence[int], seed: int
) -> list[StoredImages]:
    """Return images at each level of the forward process, as stored ones; noise that hides them is shown.

    Args:
        settings: the process. Of noise as faint as that of heat nothing is drawn.
        images: in [0, 1].
        levels: in 0…K.
        seed: of the noise, which is the same at every level.
    """
    process = build_process(settings, images.shape[-1])
    draws = [generator(seed, "forward noise", i).standard_normal(images[0].shape) for i in range(len(images))]
    noise = torch.as_tensor(np.stack(draws), dtype=torch.float32) * float(not settings.has_delta)
    stages = []
    for level in levels:
        shown = images
        if level > 0:
            noisy, _ = process.pair(images, torch.full((len(images),), level), noise)
            shown = process.from_range(noisy)
        stages.append(to_uint8(shown))
    return stages
