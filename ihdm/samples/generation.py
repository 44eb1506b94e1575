"""Sampling. Each image depends on the number of its start and of its noise, not on the rest of its batch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from ihdm.calibration import Calibration
from ihdm.config.processes import ProcessSettings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.objective import Network
from ihdm.predictions import prediction_of
from ihdm.prior import start_bandwidth
from ihdm.processes import build_process
from ihdm.processes.process import Process
from ihdm.samplers import SampledStep, Step, plan_steps, take_steps
from ihdm.sampling import NoiseSequence, PreparedNoise, SeededNoise
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_uint8


@dataclass(frozen=True)
class GeneratedBatch:
    """A batch of samples of a set.

    Attributes:
        first: position of its first sample in the set.
        starts: u_K.
        means: the mean at each kept level, descending; level 0 is the result.
        train_images: the training image behind each start, −1 for none.
    """

    first: int
    starts: Images
    means: dict[int, Images]
    train_images: Int[np.ndarray, "batch"]

    @property
    def images(self) -> Images:
        """The results, about in [0, 1]."""
        return self.means[0]

    def require_finite(self, numbers: Sequence[object]) -> None:
        """Check that images are finite, as NaN would be stored as black or white.

        Args:
            numbers: names of the samples of the whole set.

        Raises:
            UserError: names the samples with NaN or infinite values.
        """
        finite = self.images.isfinite().flatten(1).all(dim=1).tolist()
        broken = [str(numbers[self.first + place]) for place, good in enumerate(finite) if not good]
        if broken:
            raise UserError(
                f"sample {', '.join(broken)}: the network gives values that are not finite (NaN or infinity); retrain "
                "it with a lower learning rate or in another precision; samples finished before are kept"
            )


def shard_numbers(num_samples: int, shard: int, num_shards: int) -> range:
    """Return the sample numbers of one shard; shard sizes differ by at most one."""
    return range(shard * num_samples // num_shards, (shard + 1) * num_samples // num_shards)


def even_size(count: int, most: int) -> int:
    """Return the batch size of the fewest equal batches of at most ``most`` for ``count`` items, with least padding.

    Only for results of a single job: the shards of a set need one batch size for any number of shards.
    """
    return math.ceil(count / math.ceil(count / most))


def filled_batches(count: int, size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the number of items in each batch, and its ``size`` indices, the last batch padded with its last item.

    All batches have the same size because the last bits of a network's output depend on it.
    """
    for first in range(0, count, size):
        here = min(size, count - first)
        yield here, [first + min(position, here - 1) for position in range(size)]


def even_batches(count: int, most: int) -> Iterator[tuple[int, list[int]]]:
    """Yield :func:`filled_batches` of :func:`even_size`."""
    return filled_batches(count, even_size(count, most))


@dataclass(frozen=True)
class Chain:
    """The reverse process of an experiment.

    Attributes:
        network: f(u, levels), on the device of the process.
        process: the process.
        steps: the steps of the sampler.
        train: the training images for starts.
        bandwidth: standard deviation of the noise added to blurred training images.
        seed: of starts and noise.
    """

    network: Network
    process: Process
    steps: Sequence[Step]
    train: StoredImages
    bandwidth: float
    seed: int

    @classmethod
    def of(
        cls,
        network: Network,
        train: StoredImages,
        settings: SamplingSettings,
        calibration: Calibration | None = None,
        device: torch.device | str = "cpu",
    ) -> "Chain":
        """Return the chain of these settings; the arguments are those of :func:`generate`."""
        train = train[: settings.num_train]
        process = build_process(settings.process, train.shape[1], device)
        unit = process.deviation(process.num_levels)
        delta = settings.delta_ratio * unit
        bandwidth = start_bandwidth(settings.prior_noise, settings.sampler, unit, delta)
        steps = plan_steps(prediction_of(network, process), settings.sampler, delta, calibration)
        return cls(network, process, steps, train, bandwidth, settings.seed)

    @property
    def levels(self) -> list[int]:
        """The levels that the sampler evaluates, from K down to the image, 0."""
        return [self.steps[0].level, *(step.next_level for step in self.steps)]

    def starts(self, numbers: Sequence[int]) -> tuple[Images, Int[np.ndarray, "batch"]]:
        """Return u_K for these numbers, and the training image behind each, −1 for none."""
        return self.process.draw_starts(self.train, self.bandwidth, self.seed, numbers)

    def noise(self, numbers: Sequence[int]) -> SeededNoise:
        """Return the noise for these numbers at every level."""
        shape = (self.train.shape[3], self.train.shape[1], self.train.shape[2])
        return SeededNoise(self.seed, numbers, self.process.num_levels, shape, self.process.device)

    def take_steps(self, starts: Images, noise: NoiseSequence) -> Iterator[SampledStep]:
        """Yield every step from these starts with this noise."""
        if self.process.device.type != "cpu":
            noise = PreparedNoise(noise, [step.level - 1 for step in self.steps if step.next_level > 0])
        return take_steps(self.network, self.process, self.steps, starts, noise)


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
    """Generate images in batches of ``settings.micro_batch``.

    Args:
        network: f(u, levels), on ``device``.
        train: the training images for starts; only the first ``settings.num_train`` if set.
        settings: process, sampler, δ, prior and seed.
        starts: the number of each image's start; equal numbers give the same u_K.
        noises: the number of each image's noise; equal numbers give the same ε at every level.
        calibration: calibration of the network, for samplers that need it.
        keep_levels: levels k in 0…K−1 whose means are kept too, if the sampler evaluates them.
        device: where to compute.
    """
    chain = Chain.of(network, train, settings, calibration, device)
    for count, filled in filled_batches(len(starts), settings.micro_batch):
        batch_starts, train_images = chain.starts([starts[place] for place in filled])
        noise = chain.noise([noises[place] for place in filled])
        means = {
            taken.next_level: chain.process.from_range(taken.mean[:count])
            for taken in chain.take_steps(batch_starts, noise)
            if taken.next_level == 0 or taken.next_level in keep_levels
        }
        shown = chain.process.from_range(batch_starts[:count])
        yield GeneratedBatch(filled[0], shown, means, train_images[:count])


def forward_stages(settings: ProcessSettings, images: Images, levels: Sequence[int], seed: int) -> list[StoredImages]:
    """Return images at each level of the forward process, as uint8 N×H×W×C.

    Args:
        settings: the process. Noise of constant variance is too faint to see and left out.
        images: in [0, 1].
        levels: in 0…K.
        seed: of the noise, which is the same at every level.
    """
    process = build_process(settings, images.shape[-1])
    draws = [generator(seed, "forward noise", i).standard_normal(images[0].shape) for i in range(len(images))]
    noise = torch.as_tensor(np.stack(draws), dtype=torch.float32) * float(not settings.has_constant_noise)
    states = [process.draw(images, torch.full((len(images),), level), noise) if level else None for level in levels]
    return [to_uint8(images if state is None else process.from_range(state)) for state in states]
