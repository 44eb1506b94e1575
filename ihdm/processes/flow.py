"""Heat dissipation flow matching: a straight path from the image to noise that also blurs (arXiv 2605.19371)."""

import math

import numpy as np
from jaxtyping import Float

from ihdm.processes.process import Process

LEAST_TIME = 1e-4
"""t at level K, where at t = 0 nothing of the image would be left."""


class Flow(Process):
    """a_k = t · t^(Λ/2) and s_k = 1 − t, with t = 1 − k/K."""

    bits_of_range = 1.0

    def _time(self, level: int) -> float:
        return max(1 - level / self.num_levels, LEAST_TIME)

    def log_scale(self, level: int) -> Float[np.ndarray, "height width"]:
        return (1 + self.eigenvalues / 2) * math.log(self._time(level))

    def deviation(self, level: int) -> float:
        return 1 - self._time(level)
