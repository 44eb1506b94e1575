"""Sampling diagnostics: interpolations, branching trajectories, intermediate states, input gradients.

Starts and noise depend on sample numbers, as in every set of samples. Images are floating point, not 8-bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.predictions import prediction_of
from ihdm.samplers import SampledStep
from ihdm.samples.generation import Chain, even_batches
from ihdm.sampling import SeededNoise
from ihdm.storage.tensors import require_finite

Images = Float[np.ndarray, "... height width channel"]
Arrays = dict[str, np.ndarray]
Report = Callable[[int], None]
"""Called with the number of images finished since the last call."""

NUM_STAGES_OF_GRADIENTS = 5
GRID = 3
"""Gradients are computed for GRID × GRID output pixels, evenly spaced over the image."""


def stage_levels(evaluated: Sequence[int], count: int) -> list[int]:
    """Return up to ``count`` of the levels of a sampler, from K down to 0, about evenly spaced."""
    evenly = np.rint(np.linspace(0, evaluated[0], count))
    nearest = np.asarray(evaluated)[np.abs(np.asarray(evaluated)[:, None] - evenly).argmin(axis=0)]
    return sorted({int(level) for level in nearest}, reverse=True)


@dataclass(frozen=True)
class BlendedNoise:
    """Spherical interpolation of the noise of two samples, cos θ ε₁ + sin θ ε₂: also standard normal."""

    first: SeededNoise
    second: SeededNoise
    angles: Float[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, index: int) -> Float[Tensor, "batch channel height width"]:
        angles = self.angles[:, None, None, None]
        return angles.cos() * self.first[index] + angles.sin() * self.second[index]


def interpolations(
    chain: Chain, num_pairs: int, num_positions: int, batch_size: int, report: Report = lambda _done: None
) -> Images:
    """Interpolate between samples 2 i and 2 i + 1.

    The process interpolates starts; the noise of every level is interpolated spherically (paper, section 4.3).

    Returns:
        (pair, position, height, width, channel); the first and the last position are the two samples.
    """
    angles = np.linspace(0, np.pi / 2, num_positions)
    parts = []
    for count, filled in even_batches(num_pairs * num_positions, batch_size):
        pairs = [place // num_positions for place in filled]
        theta = torch.tensor([angles[place % num_positions] for place in filled], dtype=torch.float32)
        theta = theta.to(chain.process.device)
        first, second = [2 * pair for pair in pairs], [2 * pair + 1 for pair in pairs]
        start = chain.process.blend_starts(chain.starts(first)[0], chain.starts(second)[0], theta)
        noise = BlendedNoise(chain.noise(first), chain.noise(second), theta)
        *_, last = chain.take_steps(start, noise)
        parts.append(_pixels(chain, last.mean[:count]))
        report(count)
    found = np.concatenate(parts)
    return found.reshape(num_pairs, num_positions, *found.shape[1:])


@dataclass(frozen=True)
class BranchingNoise:
    """The noise of the leaves of trees, shared by leaves until their paths split.

    Attributes:
        chain: source of the noise.
        trees: tree number of each leaf in the batch.
        leaves: number of each leaf in its tree.
        levels: where paths split in two, descending from K.
    """

    chain: Chain
    trees: Sequence[int]
    leaves: Sequence[int]
    levels: Sequence[int]

    def __len__(self) -> int:
        return self.chain.process.num_levels

    def __getitem__(self, index: int) -> Float[Tensor, "batch channel height width"]:
        splits = len(self.levels)
        passed = sum(level >= index + 1 for level in self.levels)
        # A node of the tree encodes the number of splits passed and the branches taken.
        nodes = [(1 << passed) + (leaf >> (splits - passed)) for leaf in self.leaves]
        numbers = [(tree << (splits + 1)) + node for tree, node in zip(self.trees, nodes, strict=True)]
        return self.chain.noise(numbers)[index]


def trees(
    chain: Chain, num_trees: int, num_splits: int, batch_size: int, report: Report = lambda _done: None
) -> Arrays:
    """Generate 2^splits samples per start, with paths that split at evenly spaced levels (paper, figure 7).

    Returns:
        ``levels`` where paths split, descending from K; ``leaves`` (tree, leaf, height, width, channel); and ``shown``
        (split, leaf, height, width, channel), 8-bit: the network's estimates at each split of the first tree, and its
        leaves.
    """
    levels = stage_levels(chain.levels, num_splits + 1)[:-1]
    size = 1 << len(levels)
    parts: list[Images] = []
    shown: dict[int, list[Images]] = {level: [] for level in levels}
    for count, filled in even_batches(num_trees * size, batch_size):
        owners, leaves = [place // size for place in filled], [place % size for place in filled]
        noise = BranchingNoise(chain, owners, leaves, levels)
        for taken in chain.take_steps(chain.starts(owners)[0], noise):
            if taken.level in shown and filled[0] < size:
                shown[taken.level].append(_pixels(chain, taken.estimate[:count]))
        parts.append(_pixels(chain, taken.mean[:count]))
        report(count)
    found = np.concatenate(parts)
    rows = [np.concatenate(shown[level])[:size] for level in levels] + [found[:size]]
    stored = np.rint(np.clip(np.stack(rows), 0, 1) * 255).astype(np.uint8)
    found = found.reshape(num_trees, size, *found.shape[1:])
    return {"levels": np.array(levels), "leaves": found, "shown": stored}


def trajectories(
    chain: Chain,
    num_images: int,
    num_stages: int,
    num_ranges: int,
    batch_size: int,
    report: Report = lambda _done: None,
) -> Arrays:
    """Generate samples and keep their intermediate states.

    Returns:
        ``levels`` of the stages, from K down to 0; ``states``, the mean of the state at each, the start first and the
        image last; ``estimates`` of the network at each but the last; ``edges``, levels between which updates are
        summed, from K down to 0; and ``sums`` of the updates of the mean in each range, for heat of f. Images are
        (stage or range, image, height, width, channel).
    """
    levels, edges = (stage_levels(chain.levels, count) for count in (num_stages, num_ranges + 1))
    states: dict[int, list[Images]] = {level: [] for level in levels}
    estimates: dict[int, list[Images]] = {level: [] for level in levels[:-1]}
    sums: list[list[Images]] = [[] for _ in edges[1:]]
    for count, filled in even_batches(num_images, batch_size):
        start = chain.starts(filled)[0]
        states[levels[0]].append(_pixels(chain, start[:count]))
        changes = [torch.zeros_like(start) for _ in edges[1:]]
        for taken in chain.take_steps(start, chain.noise(filled)):
            if taken.level in estimates:
                estimates[taken.level].append(_pixels(chain, taken.estimate[:count]))
            if taken.next_level in states:
                states[taken.next_level].append(_pixels(chain, taken.mean[:count]))
            place = sum(edge >= taken.level for edge in edges) - 1
            changes[place] += taken.mean - taken.state
        origin = chain.process.from_range(torch.zeros_like(start))
        for place, change in enumerate(changes):
            in_pixels = chain.process.from_range(change) - origin
            sums[place].append(in_pixels[:count].permute(0, 2, 3, 1).cpu().numpy())
        report(count)
    return {
        "levels": np.array(levels),
        "states": np.stack([np.concatenate(parts) for parts in states.values()]),
        "estimates": np.stack([np.concatenate(parts) for parts in estimates.values()]),
        "edges": np.array(edges),
        "sums": np.stack([np.concatenate(parts) for parts in sums]),
    }


def gradients(chain: Chain, num_images: int, report: Report = lambda _done: None) -> Arrays:
    """Differentiate output pixels with respect to the input, at states of the reverse process (paper, figure 11).

    Returns:
        ``levels``, descending; ``pixels``, row and column of each output pixel; and the gradients, summed over the
        channels of input and output, (stage, pixel, image, height, width): ``clean`` of the estimate of a_r ⊙ r(u₀),
        and ``residual`` of the estimate less a_r/a_k times the state (heat: f; diffusion: −s_k ε̂).
    """
    process, prediction = chain.process, prediction_of(chain.network, chain.process)
    levels = stage_levels(chain.levels, NUM_STAGES_OF_GRADIENTS + 1)[:-1]
    rows, columns = (size * np.arange(1, GRID + 1) // (GRID + 1) for size in (process.height, process.width))
    pixels = np.array([(row, column) for row in rows for column in columns])
    numbers = list(range(num_images))
    clean = [
        _estimate_gradients(chain, taken, pixels)
        for taken in chain.take_steps(chain.starts(numbers)[0], chain.noise(numbers))
        if taken.level in levels
    ]
    residual = []
    for level, found in zip(levels, clean, strict=True):
        after, before = (np.asarray(process.log_scale(one)).flat[0] for one in (level, prediction.reference(level)))
        added = found * np.exp(after - before)  # at the constant mode; for heat it is 1 at every level
        for place, (row, column) in enumerate(pixels):
            added[place, :, row, column] -= chain.train.shape[3]
        residual.append(added)
    report(num_images)
    return {"levels": np.array(levels), "pixels": pixels, "residual": np.stack(residual), "clean": np.stack(clean)}


def _estimate_gradients(
    chain: Chain, taken: SampledStep, pixels: Int[np.ndarray, "pixel 2"]
) -> Float[np.ndarray, "pixel image height width"]:
    state = taken.state.detach().clone().requires_grad_()
    prediction = prediction_of(chain.network, chain.process)
    with torch.enable_grad():
        estimate = prediction.raw_estimate(chain.network, state, taken.level).sum(dim=1)
        found = [
            torch.autograd.grad(estimate[:, row, column].sum(), state, retain_graph=True)[0].sum(dim=1)
            for row, column in pixels
        ]
    gradients = torch.stack(found)
    require_finite(gradients)
    return gradients.cpu().numpy()


def _pixels(chain: Chain, images: Float[Tensor, "batch channel height width"]) -> Images:
    """Return images, about in [0, 1], with the channel last."""
    require_finite(images)
    return chain.process.from_range(images).permute(0, 2, 3, 1).cpu().numpy()
