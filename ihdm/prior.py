"""The start of the reverse process: a kernel density estimate of blurred training images (paper, section 3.2).

p(u_K) = (1/n) Σ_j N(u_K | F(t_K) x_j, bandwidth² I)
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from ihdm.config.processes import SamplerSettings
from ihdm.heat import HeatProcess, Images
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor


def prior_bandwidth(prior_noise: str, sigma: float, delta: float) -> float:
    """Return the standard deviation of the prior's noise: ``delta``, ``sigma``, or ``none`` for 0."""
    return {"delta": delta, "sigma": sigma, "none": 0.0}[prior_noise]


def start_bandwidth(prior_noise: str, sampler: SamplerSettings, sigma: float, delta: float) -> float:
    """Return the standard deviation of the noise of starts for a sampler.

    A coupled sampler keeps the noise of its start, which must then be the noise of the process.
    """
    follows_delta = prior_noise == "delta" and not sampler.uses_delta
    return prior_bandwidth("sigma" if follows_delta else prior_noise, sigma, delta)


def draw_starts(
    train: StoredImages, heat: HeatProcess, bandwidth: float, seed: int, indices: Sequence[int]
) -> tuple[Images, Int[np.ndarray, "batch"]]:
    """Draw starts u_K for the given sample numbers, with the numbers of their training images.

    Args:
        train: the training images.
        heat: the forward process; its last level is K.
        bandwidth: standard deviation of the noise, ≥ 0; the standard normal draw is the same for any bandwidth.
        seed: the experiment's seed.
        indices: sample numbers. A start depends only on its own number.
    """
    generators = [generator(seed, "prior", index) for index in indices]
    chosen = np.array([rng.integers(len(train)) for rng in generators])
    _, height, width, channels = train.shape
    noise = np.stack([rng.standard_normal((channels, height, width), dtype=np.float32) for rng in generators])
    blurred = heat.blur(to_tensor(train[chosen], heat.device), heat.num_levels)
    return blurred + bandwidth * torch.as_tensor(noise, device=heat.device), chosen
