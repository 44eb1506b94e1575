"""Bounds on −log p(u₀) by several joint distributions, for the same network and the same q(u_k | u₀).

A bound needs a joint q(u_1, …, u_K | u₀), while training fixes only the marginals. The paper takes the levels as
independent given u₀, so every transition pays for new noise: on Gaussian data ½ ln 2 nats per level and mode with
signal, for any network. The Markov joint, c = (a_k/a_j) s_j²/s_k² as in DDPM, avoids this cost. The two joints have
different transitions and so are bounds for different models of images:

    p(u_j | u_k) = N(a_j x̂ + c (u_k − a_k x̂), s²),        KL = ½ Σ [ln(s²/v) + v/s² − 1 + (a_j − c a_k)² (u₀ − x̂)²/s²]

where v = s_j² − c² s_k² is the variance of q. The variance s² is v times one number for all levels, v times one number
per level, or v plus the residual variance of the network per mode; the last two are measured on training images.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from ihdm.calibration import Calibration
from ihdm.processes.process import Process
from ihdm.samplers import clean_weight, coupling, open_variance

Joint = Literal["independent", "markov"]
Variance = Literal["one", "level", "mode"]
JOINTS: tuple[Joint, ...] = get_args(Joint)
VARIANCES: tuple[Variance, ...] = get_args(Variance)


@dataclass(frozen=True)
class Transition:
    """A transition from level k to level j, for each DCT mode.

    Attributes:
        weight: (a_j − c a_k)², the weight of the squared error of x̂.
        spread: v, the variance of q; zero at the last step, and where u_j is known from u_k.
        residual: variance of u_j due to the error of x̂, on average.
        unit: s_k², the unit of the last step's variance.
    """

    weight: Float[np.ndarray, "height width"]
    spread: Float[np.ndarray, "height width"]
    residual: Float[np.ndarray, "height width"]
    unit: float

    def variance(self, kind: Variance, ratio: float = 1.0) -> Float[np.ndarray, "height width"]:
        """Return s².

        Args:
            kind: ``one``: v times ``ratio``², at the last step s_k² times ``ratio``². ``level``: v times one number, at
                the last step one number. ``mode``: v plus the residual variance of the network.
            ratio: δ/σ.
        """
        is_last = not self.spread.any()
        if kind == "mode":
            return self.spread + self.residual
        if kind == "level":
            if is_last:
                return np.full_like(self.residual, self.residual.mean())
            return self.spread * (1 + self.residual.sum() / self.spread.sum())
        return np.full_like(self.spread, self.unit * ratio**2) if is_last else self.spread * ratio**2


def plan_transition(
    process: Process, joint: Joint, calibration: Calibration, level: int, next_level: int
) -> Transition:
    """Return the transition of a joint from level k to level j < k.

    Raises:
        UserError: if the calibration has no level k.
    """
    shape = (process.height, process.width)
    kept = coupling(process, joint, level, next_level)
    weight = np.square(np.broadcast_to(clean_weight(process, kept, level, next_level), shape))
    spread = np.broadcast_to(open_variance(process, kept, level, next_level), shape)
    return Transition(weight, spread, weight * calibration.at(level).residual, process.deviation(level) ** 2)


def transition_nats(
    transition: Transition,
    variance: Float[np.ndarray, "height width"],
    squared_error: Float[np.ndarray, "image channel height width"],
) -> Float[np.ndarray, "image"]:
    """Return the KL divergence of each image, or of the last step −ln p(u₀ | u_k), in the process's range.

    Args:
        transition: of the joint.
        variance: s² of each mode.
        squared_error: (u₀ − x̂)² of each DCT coefficient.
    """
    channels = squared_error.shape[1]
    live = transition.spread > 0
    if not live.any():
        terms = np.log(2 * math.pi * variance) * channels + squared_error.sum(axis=1) * transition.weight / variance
        return terms.sum(axis=(1, 2)) / 2
    # Where v = 0, p equals q: u_j is the same multiple of u_k in both.
    spread, model, weight = transition.spread[live], variance[live], transition.weight[live]
    constant = channels * (np.log(model / spread) + spread / model - 1).sum()
    return (constant + (squared_error[..., live].sum(axis=1) * weight / model).sum(axis=1)) / 2
