"""Gaussian images: every cosine mode has a variance of its own, so that all posteriors are known in closed form."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ihdm.calibration import Calibration
from ihdm.config.processes import BlurringSettings, DiffusionSettings, HeatSettings, SamplerSettings
from ihdm.heat import cosine_basis
from ihdm.predictions import prediction_of
from ihdm.processes import Process, build_process
from ihdm.restoration.solvers import Restorer

SIZE, NUM_LEVELS = 8, 25
PROCESSES = {
    "heat": HeatSettings(kind="heat", sigma=0.05, num_levels=NUM_LEVELS, blur_sigma_min=0.3, blur_sigma_max=4.0),
    "diffusion": DiffusionSettings(kind="diffusion", num_levels=NUM_LEVELS, clip=False),
    "blurring": BlurringSettings(kind="blurring", num_levels=NUM_LEVELS, blur_sigma_max=3.0),
}


def scales(process: Process, level: int) -> np.ndarray:
    return np.exp(np.broadcast_to(process.log_scale(level), (SIZE, SIZE)))


def wiener_weight(process: Process, power: np.ndarray, level: int) -> np.ndarray:
    """The weight of u_k in the posterior mean of the image, in the process's range."""
    scale = scales(process, level)
    return scale * power / (scale**2 * power + process.deviation(level) ** 2)


def residual(process: Process, power: np.ndarray, level: int) -> np.ndarray:
    """The variance that u_k leaves of the image, in the process's range."""
    return power * (1 - scales(process, level) * wiener_weight(process, power, level))


def calibrated(process: Process, power: np.ndarray) -> Calibration:
    """What would be measured of a network that predicts posterior means."""
    levels = range(1, process.num_levels + 1)
    kept = np.stack([scales(process, prediction_of(None, process).reference(level)) for level in levels])
    # Of modes that have vanished nothing is estimated, nor can it be in float32.
    gains = np.where(kept > 1e-6, 1 / np.maximum(kept, 1e-6), 0.0)
    residuals = np.stack([residual(process, power, level) for level in levels])
    return Calibration(np.array(levels), gains, np.zeros_like(gains), residuals, power)


def power_of_modes() -> np.ndarray:
    """Variances of images in [0, 1] that fall with frequency, as those of photographs do."""
    rows, columns = np.indices((SIZE, SIZE))
    return 0.3 / (1 + rows**2 + columns**2) ** 1.5


def prior_covariance(power: np.ndarray) -> np.ndarray:
    basis = np.kron(cosine_basis(SIZE), cosine_basis(SIZE))
    return basis.T @ (power.ravel()[:, None] * basis)


@pytest.fixture(scope="session")
def restorer(exact_network) -> Callable[..., Restorer]:
    """An exact network of Gaussian images, for any process and coupling."""

    def make(kind: str = "heat", coupling: str = "markov", evaluations: int | str = "all") -> Restorer:
        process, power = build_process(PROCESSES[kind], SIZE), power_of_modes()
        inner = power * 4**process.bits_of_range  # in the process's range
        # Of images around 0.5: heat has no other range, so that its network must know the mean.
        center = torch.zeros(SIZE, SIZE)
        if process.bits_of_range == 0:
            center[0, 0] = 0.5 * SIZE

        def mean(coefficients: torch.Tensor, level: int) -> torch.Tensor:
            scale = torch.as_tensor(scales(process, level)).float()
            weight = torch.as_tensor(wiener_weight(process, inner, level)).float()
            return center + weight * (coefficients - scale * center)

        return Restorer(
            exact_network(process, mean),
            process,
            calibrated(process, inner),
            torch.full((1, SIZE, SIZE), 0.5, dtype=torch.float64),
            torch.as_tensor(power),
            SamplerSettings(coupling=coupling, noise="measured", evaluations=evaluations),
            0,
        )

    return make


@pytest.fixture(scope="session")
def images() -> torch.Tensor:
    """Forty draws of such images."""
    rng = np.random.default_rng(3)
    factor = np.linalg.cholesky(prior_covariance(power_of_modes()))
    draws = 0.5 + rng.standard_normal((40, SIZE**2)) @ factor.T
    return torch.as_tensor(draws, dtype=torch.float32).view(40, 1, SIZE, SIZE)
