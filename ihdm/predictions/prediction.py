"""The interface of predictions: network input, network output, and the resulting estimate of the image.

A prediction uses only a_k, s_k and the range of a process, and a process does not depend on predictions. Some also use
statistics of the training images.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import AnyPrediction
from ihdm.heat import Images, cosine_basis, eigenvalues
from ihdm.objective import Network, squared_error
from ihdm.processes.process import Process
from ihdm.storage.images import StoredImages

MOST_IMAGES = 10_000
"""Training images that statistics are computed from, at most: the first."""
WIDTH, NUM_RINGS = 0.7, 20
"""Width of the Gaussian that smooths the power over radial frequency, and rings that are binned, per π / height."""
LEAST_POWER = 1e-12


@dataclass(frozen=True)
class Statistics:
    """Mean and power of images in [0, 1].

    Attributes:
        mean: mean of each pixel.
        power: variance of each DCT mode, all channels together, smoothed over modes of similar radial frequency.
    """

    mean: Float[np.ndarray, "channel height width"]
    power: Float[np.ndarray, "height width"]

    @classmethod
    def of(cls, images: StoredImages) -> "Statistics":
        """Return the statistics of training images."""
        pixels = np.asarray(images[:MOST_IMAGES], dtype=np.float64).transpose(0, 3, 1, 2) / 255
        mean = pixels.mean(axis=0)
        columns, rows = (cosine_basis(size) for size in pixels.shape[2:])
        power = np.square(columns @ (pixels - mean) @ rows.T).mean(axis=(0, 1))
        return cls(mean.astype(np.float32), smoothed(power).astype(np.float32))


def smoothed(power: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    """Return the power with its logarithm averaged over modes of similar radial frequency."""
    frequencies = np.sqrt(eigenvalues(*power.shape)) * len(power) / np.pi
    rings = np.rint(frequencies * NUM_RINGS).astype(int).ravel()
    logs, counts = (np.bincount(rings, part) for part in (np.log(np.maximum(power, LEAST_POWER)).ravel(), None))
    centers = np.arange(len(counts)) / NUM_RINGS
    weights = np.exp(-np.square((centers[:, None] - centers) / WIDTH) / 2)
    return np.exp(((weights @ logs) / (weights @ counts))[rings]).reshape(power.shape)


class Prediction(ABC):
    """The prediction of networks of a process.

    Args:
        process: the process.
        settings: settings of the prediction.
        statistics: statistics of the training images, for predictions that need them.

    Attributes:
        is_loss_summed: whether the loss of an image is a sum over pixels and channels; by default it is a mean.
    """

    is_loss_summed: bool = False

    def __init__(self, process: Process, settings: AnyPrediction, statistics: Statistics | None) -> None:
        self.process = process
        self.settings = settings
        self.statistics = statistics

    # Training.

    def network_input(self, noisy: Images, levels: Int[Tensor, "batch"]) -> Images:
        """Return the network's input: by default u_k."""
        return noisy

    @abstractmethod
    def target(self, images: Images, levels: Int[Tensor, "batch"], noise: Images) -> Images:
        """Return the target; arguments are those of :meth:`ihdm.processes.process.Process.draw`."""

    def compared(self, output: Images, noisy: Images, levels: Int[Tensor, "batch"]) -> Images:
        """Return the value that is compared with the target: by default the network's output at u_k."""
        return output

    def loss(
        self, network: Network, images: Images, levels: Int[Tensor, "batch"], noise: Images
    ) -> Float[Tensor, "batch"]:
        """Return the loss of each image: the squared error of the prediction, summed or averaged."""
        noisy, target = self.process.draw(images, levels, noise), self.target(images, levels, noise)
        output = network(self.network_input(noisy, levels), levels)
        errors = squared_error(self.compared(output, noisy, levels), target)
        return errors if self.is_loss_summed else errors / images[0].numel()

    @abstractmethod
    def untrained_error(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """Return the expected squared error of an output of zero."""

    def untrained_noise(self, level: int) -> float:
        """Return the standard deviation of the noise in the error of an output of zero: by default 1."""
        return 1.0

    # Sampling.

    @abstractmethod
    def reference(self, level: int) -> int:
        """Return the level r whose a_r ⊙ r(u₀) is estimated at level k, in 0…k."""

    @abstractmethod
    def read(self, output: Images, noisy: Images, level: int) -> Images:
        """Return the estimate of a_r ⊙ r(u₀), in the process's range and not clipped, from the output at u_k."""

    def raw_estimate(self, network: Network, noisy: Images, level: int) -> Images:
        """Return the same from u_k itself."""
        levels = torch.full((len(noisy),), level, device=noisy.device)
        return self.read(network(self.network_input(noisy, levels), levels), noisy, level)

    def clipped(self, raw: Images, level: int) -> Images:
        """Return an estimate of the clean image clipped to the range of images; other estimates are not changed."""
        return raw if self.reference(level) else self.process.clipped(raw)

    def estimate(self, network: Network, noisy: Images, level: int) -> Images:
        """Return the estimate of a_r ⊙ r(u₀) given u_k, in the process's range."""
        return self.clipped(self.raw_estimate(network, noisy, level), level)
