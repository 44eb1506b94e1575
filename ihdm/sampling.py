"""The reverse process: deblur step by step, with a little noise at each (paper, algorithm 2)."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ihdm.heat import Images
from ihdm.objective import Network
from ihdm.seeds import normal_draws


@runtime_checkable
class NoiseSequence(Protocol):
    """Standard normal noise of levels 1…K: item k−1 is the noise of level k. A tensor is one, too."""

    def __len__(self) -> int:
        """Return K."""
        ...

    def __getitem__(self, index: int, /) -> Images:
        """Return the noise of level ``index + 1``."""
        ...


def reverse_process(network: Network, start: Images, noise: NoiseSequence, delta: float) -> Images:
    """Return the generated images: the mean μ(u_1, 1) of the last step, to which no noise is added.

    Args:
        network: f(u, levels).
        start: u_K, a draw from the prior.
        noise: standard normal; its length is K, and ``noise[k-1]`` is added, times δ, after the step from level k.
        delta: sampling noise δ ≥ 0.

    Raises:
        ValueError: if ``noise`` is empty.
    """
    if len(noise) == 0:
        raise ValueError("the noise holds no level, so there is no step to take")
    images = start
    for level in range(len(noise), 0, -1):
        with torch.no_grad():
            images = images + network(images, torch.full((len(images),), level, device=images.device))
        if level > 1:
            images = images + delta * noise[level - 1]
    return images


class SeededNoise:
    """The noise of a batch of samples, drawn on access and never stored.

    Sample i at level k has a separate generator, so its noise is the same in any batch and order.

    Args:
        seed: the experiment's seed.
        indices: the samples' numbers, or tuples of several numbers.
        num_levels: K.
        shape: channels, height and width.
        device: where the noise is needed.
        purpose: of the noise; other purposes have independent noise.
    """

    def __init__(
        self,
        seed: int,
        indices: Sequence[int] | Sequence[tuple[int, ...]],
        num_levels: int,
        shape: tuple[int, int, int],
        device: torch.device | str = "cpu",
        purpose: str = "sampling noise",
    ) -> None:
        self.seed = seed
        self.indices = indices
        self.num_levels = num_levels
        self.shape = shape
        self.device = device
        self.purpose = purpose

    def __len__(self) -> int:
        return self.num_levels

    def __getitem__(self, index: int) -> Images:
        if not 0 <= index < self.num_levels:
            raise IndexError(f"noise of level {index + 1} asked for; levels are 1…{self.num_levels}")
        keys = [(*(number if isinstance(number, tuple) else (number,)), index + 1) for number in self.indices]
        return torch.as_tensor(normal_draws(self.seed, self.purpose, keys, self.shape), device=self.device)


class PreparedNoise:
    """Noise that a thread draws for the next step while the network computes the present one.

    Used with a GPU, while the CPU is idle; on a CPU it would slow down the network.

    Args:
        noise: the noise to prepare.
        order: indices in the order of access; others are drawn on access.
    """

    def __init__(self, noise: NoiseSequence, order: Sequence[int]) -> None:
        self.noise = noise
        self._next = dict(pairwise(order))
        self._thread = ThreadPoolExecutor(1)
        self._prepared: dict[int, Future[Tensor]] = {}
        if order:
            self._prepare(order[0])

    def __len__(self) -> int:
        return len(self.noise)

    def __getitem__(self, index: int) -> Images:
        prepared = self._prepared.pop(index, None)
        found = self.noise[index] if prepared is None else prepared.result()
        if index in self._next:
            self._prepare(self._next[index])
        return found

    def _prepare(self, index: int) -> None:
        self._prepared[index] = self._thread.submit(self.noise.__getitem__, index)
