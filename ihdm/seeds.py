"""Random generators that depend only on (seed, purpose, index).

Every draw in the project comes from these generators, so a sample or a training step does not depend on earlier draws,
on the process, or on interruptions.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np


def seed_sequence(seed: int, purpose: str, *index: int) -> np.random.SeedSequence:
    """Derive the seed sequence of one draw.

    Args:
        seed: the experiment's seed, ≥ 0.
        purpose: of the draw, e.g. ``"training step"``; different purposes give independent streams.
        index: position within the purpose, e.g. the step or the sample and its level; each ≥ 0.
    """
    # Python's hash() of a string changes from process to process; a digest does not.
    purpose_key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    return np.random.SeedSequence(seed, spawn_key=(purpose_key, *index))


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return the NumPy generator of one draw; see :func:`seed_sequence`."""
    return np.random.default_rng(seed_sequence(seed, purpose, *index))


def torch_seed(seed: int, purpose: str, *index: int) -> int:
    """Return a 63-bit integer for ``torch.manual_seed``; see :func:`seed_sequence`."""
    return int(seed_sequence(seed, purpose, *index).generate_state(1, np.uint64)[0] >> 1)


def normal_draws(
    seed: int, purpose: str, indices: Iterable[Sequence[int]], shape: Sequence[int], dtype: type = np.float32
) -> np.ndarray:
    """Return a standard normal array of a shape for each index, stacked; see :func:`seed_sequence`."""
    draws = [generator(seed, purpose, *index).standard_normal(tuple(shape), dtype=dtype) for index in indices]
    return np.stack(draws)
