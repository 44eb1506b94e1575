"""Sets of generated images: each from its own start and its own noise, whatever is generated beside it."""

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
    """Some of the samples of a set.

    Attributes:
        first: position of the first of them in the set.
        starts: u_K of each.
        means: the mean after each kept step, the result last; keyed by the level it belongs to.
        train_images: the training image behind each start, −1 for a start that has none.
    """

    first: int
    starts: Images
    means: dict[int, Images]
    train_images: Int[np.ndarray, "batch"]

    @property
    def images(self) -> Images:
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


def even_size(count: int, most: int) -> int:
    """Return the size of the fewest batches of at most ``most`` that hold ``count`` things, with the least to fill up.

    For what one job makes as a whole. The parts of a set are made in batches of one size, however many parts.
    """
    return math.ceil(count / math.ceil(count / most))


def filled_batches(count: int, size: int) -> Iterator[tuple[int, list[int]]]:
    """Yield how many of ``count`` things each batch holds, and the ``size`` places that fill it.

    Every batch has the same size because a network's output differs in the last bits between batch sizes: the last one
    is filled up with its last thing, and is to be cut.
    """
    for first in range(0, count, size):
        here = min(size, count - first)
        yield here, [first + min(position, here - 1) for position in range(size)]


@dataclass(frozen=True)
class Chain:
    """The reverse process of an experiment: its starts, its steps and its noise, all by number.

    Attributes:
        network: f(u, levels), on the process's device.
        process: the process.
        steps: those of its sampler.
        train: the training images that starts may be made of.
        bandwidth: standard deviation of the noise of such starts.
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
        """Return the chain of these settings; arguments are those of :func:`generate`."""
        train = train[: settings.num_train]
        process = build_process(settings.process, train.shape[1], device)
        unit = process.deviation(process.num_levels)
        delta = settings.delta_ratio * unit
        bandwidth = start_bandwidth(settings.prior_noise, settings.sampler, unit, delta)
        steps = plan_steps(prediction_of(network, process), settings.sampler, delta, calibration)
        return cls(network, process, steps, train, bandwidth, settings.seed)

    def starts(self, numbers: Sequence[int]) -> tuple[Images, Int[np.ndarray, "batch"]]:
        """Return u_K of these numbers, and the training image behind each, −1 for none."""
        return self.process.draw_starts(self.train, self.bandwidth, self.seed, numbers)

    def noise(self, numbers: Sequence[int]) -> SeededNoise:
        """Return the noise of these numbers at every level."""
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
    """Generate images in batches of ``settings.micro_batch``; the last one is filled up and cut.

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
    """Return images at each level of the forward process, as stored ones; noise that hides them is shown.

    Args:
        settings: the process. Constant noise is too faint to be seen, and left out.
        images: in [0, 1].
        levels: in 0…K.
        seed: of the noise, which is the same at every level.
    """
    process = build_process(settings, images.shape[-1])
    draws = [generator(seed, "forward noise", i).standard_normal(images[0].shape) for i in range(len(images))]
    noise = torch.as_tensor(np.stack(draws), dtype=torch.float32) * float(not settings.has_constant_noise)
    stages = []
    for level in levels:
        shown = images
        if level > 0:
            shown = process.from_range(process.draw(images, torch.full((len(images),), level), noise))
        stages.append(to_uint8(shown))
    return stages
