"""Priors of the starts without the training images, from the cosine coefficients that survive the last blur.

At level K most cosine coefficients have vanished, so that a kernel density estimate of blurred training images needs
only the lowest few of each image. A Gaussian mixture fitted to these is smaller and contains no single image.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn

from ihdm.calibration import Calibration
from ihdm.errors import UserError
from ihdm.heat import cosine_basis
from ihdm.predictions import Statistics
from ihdm.processes import Process
from ihdm.seeds import torch_seed
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_tensor

KEPT = 1e-4
"""Cosine coefficients that the blur leaves less of are left out. An image in [0, 1] has them below half its side, and a
pixel changes by less than KEPT for each, where the noise of starts is 0.01 or so."""
BATCH = 1000
"""Training images that are blurred at a time."""
COMPONENTS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of components of a mixture, the best of which is taken."""


class Prior(ModelMixin, ConfigMixin, ABC):
    """A distribution of the lowest cosine coefficients of F(t_K) u₀.

    Priors have in common the channels of an image, the numbers of kept vertical and horizontal frequencies (``rows``
    and ``columns``), and height and width of an image in pixels.
    """

    def draw(self, generators: Sequence[torch.Generator | None]) -> Float[Tensor, "image channel height width"]:
        """Draw blurred images F(t_K) u₀, without the noise of a start, one per generator."""
        return self._images(torch.stack([self._draw_one(generator).flatten() for generator in generators]))

    def mean(self) -> Float[Tensor, "channel height width"]:
        """Return the mean of blurred images."""
        return self._images(self._mean_coefficients().flatten()[None])[0]

    def _images(self, coefficients: Float[Tensor, "image value"]) -> Float[Tensor, "image channel height width"]:
        config = self.config
        vertical, horizontal = (_basis(size).to(coefficients.device) for size in (config.height, config.width))
        low = coefficients.view(-1, config.channels, config.rows, config.columns)
        return vertical[: config.rows].T @ low @ horizontal[: config.columns]

    @abstractmethod
    def _draw_one(self, generator: torch.Generator | None) -> Tensor:
        """Draw the coefficients of one image."""

    @abstractmethod
    def _mean_coefficients(self) -> Tensor:
        """Return the mean of the coefficients."""


class CoefficientPrior(Prior):
    """The coefficients of the training images: each start is a blurred training image."""

    @register_to_config
    def __init__(
        self,
        num_images: int,
        channels: int,
        rows: int,
        columns: int,
        height: int,  # noqa: ARG002 (kept in the configuration)
        width: int,  # noqa: ARG002
    ) -> None:
        super().__init__()
        self.coefficients = nn.Buffer(torch.zeros(num_images, channels, rows, columns))

    def _draw_one(self, generator: torch.Generator | None) -> Tensor:
        device = self.coefficients.device
        on = generator.device if generator is not None else device
        return self.coefficients[torch.randint(len(self.coefficients), (), generator=generator, device=on).to(device)]

    def _mean_coefficients(self) -> Tensor:
        return self.coefficients.mean(dim=0)


class MixturePrior(Prior):
    """A Gaussian mixture of the coefficients: small, and without any single image."""

    @register_to_config
    def __init__(
        self,
        num_components: int,
        channels: int,
        rows: int,
        columns: int,
        height: int,  # noqa: ARG002 (kept in the configuration)
        width: int,  # noqa: ARG002
    ) -> None:
        super().__init__()
        size = channels * rows * columns
        self.weights = nn.Buffer(torch.zeros(num_components))
        self.means = nn.Buffer(torch.zeros(num_components, size))
        self.factors = nn.Buffer(torch.zeros(num_components, size, size))

    def _draw_one(self, generator: torch.Generator | None) -> Tensor:
        device = self.means.device
        on = generator.device if generator is not None else device
        component = int(torch.multinomial(self.weights.to(on), 1, generator=generator))
        normal = torch.randn(self.means.shape[1], generator=generator, device=on).to(device)
        return self.means[component] + self.factors[component] @ normal

    def _mean_coefficients(self) -> Tensor:
        return self.weights @ self.means


class StoredCalibration(ModelMixin, ConfigMixin):
    """A :class:`~ihdm.calibration.Calibration` in the format of diffusers, in float32."""

    @register_to_config
    def __init__(self, num_levels: int, height: int, width: int) -> None:
        super().__init__()
        self.levels = nn.Buffer(torch.zeros(num_levels))
        self.power = nn.Buffer(torch.zeros(height, width))
        for name in ("gain", "offset", "residual"):
            self.register_buffer(name, torch.zeros(num_levels, height, width))

    @classmethod
    def of(cls, calibration: Calibration) -> "StoredCalibration":
        """Return the stored form of a calibration."""
        found = cls(*calibration.gain.shape)
        found.load_state_dict(
            {name: torch.as_tensor(getattr(calibration, name), dtype=torch.float32) for name in found.state_dict()}
        )
        return found

    def table(self) -> Calibration:
        """Return the calibration."""
        arrays = {name: part.double().cpu().numpy() for name, part in self.state_dict().items()}
        return Calibration(**{**arrays, "levels": arrays["levels"].astype(np.int64)})


class StoredStatistics(ModelMixin, ConfigMixin):
    """Statistics of the training images, :class:`~ihdm.predictions.Statistics`, in the format of diffusers."""

    @register_to_config
    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.mean = nn.Buffer(torch.zeros(channels, height, width))
        self.power = nn.Buffer(torch.zeros(height, width))

    @classmethod
    def of(cls, statistics: Statistics) -> "StoredStatistics":
        """Return the stored form of statistics."""
        found = cls(*statistics.mean.shape)
        found.load_state_dict({name: torch.as_tensor(part) for name, part in vars(statistics).items()})
        return found

    def table(self) -> Statistics:
        """Return the statistics."""
        return Statistics(**{name: part.cpu().numpy() for name, part in self.state_dict().items()})


def surviving(process: Process) -> tuple[int, int]:
    """Return the numbers of vertical and horizontal frequencies that survive the blur of level K, by ``KEPT``."""
    left = np.broadcast_to(process.log_scale(process.num_levels), (process.height, process.width)) > np.log(KEPT)
    return int(left[:, 0].sum()), int(left[0].sum())


def blurred_coefficients(process: Process, train: StoredImages) -> Float[Tensor, "image channel row column"]:
    """Return the surviving cosine coefficients of the blurred training images."""
    rows, columns = surviving(process)
    basis = [_basis(size).to(process.device) for size in (process.height, process.width)]
    parts = []
    for first in range(0, len(train), BATCH):
        blurred = process.mean(to_tensor(train[first : first + BATCH], process.device), process.num_levels)
        parts.append((basis[0][:rows] @ blurred @ basis[1][:columns].T).cpu())
    return torch.cat(parts)


def unblurred(
    process: Process, blurred: Float[Tensor, "channel height width"]
) -> Float[Tensor, "channel height width"]:
    """Return blurred images without their blur, for the surviving frequencies only."""
    rows, columns = surviving(process)
    coefficients = process.transform(blurred[None])[0]
    left = torch.as_tensor(np.exp(process.log_scale(process.num_levels)), dtype=torch.float32)
    found = torch.zeros_like(coefficients)
    found[:, :rows, :columns] = coefficients[:, :rows, :columns] / left[:rows, :columns]
    return process.inverse(found[None])[0]


def revealed_share(process: Process, train: StoredImages) -> float:
    """Return the share of the variance of training images that the surviving coefficients reveal."""
    rows, columns = surviving(process)
    coefficients = process.transform(to_tensor(train[: 10 * BATCH], process.device)).double()
    power = coefficients.var(0, correction=0).sum(0)
    return float(power[:rows, :columns].sum() / power.sum())


def keep_coefficients(process: Process, train: StoredImages) -> CoefficientPrior:
    """Return the prior with the surviving coefficients of each training image."""
    found = blurred_coefficients(process, train)
    prior = CoefficientPrior(*found.shape, process.height, process.width)
    prior.coefficients.copy_(found)
    return prior


def require_enough_for_mixture(process: Process, num_images: int, channels: int) -> None:
    """Check that there are enough images to fit a mixture.

    Raises:
        UserError: if there are fewer than ten images per coefficient.
    """
    rows, columns = surviving(process)
    num_coefficients = channels * rows * columns
    if num_images < 10 * num_coefficients:
        raise UserError(
            f"{num_images} training images are too few for a mixture of {num_coefficients} coefficients, which needs "
            f"{10 * num_coefficients}; use --prior coefficients"
        )


def fit_mixture(process: Process, train: StoredImages, seed: int) -> MixturePrior:
    """Return a mixture of Gaussians with full covariances; the Bayesian information criterion selects their number.

    Raises:
        UserError: if there are fewer than ten images per coefficient.
    """
    from sklearn.mixture import GaussianMixture

    require_enough_for_mixture(process, len(train), train.shape[-1])
    found = blurred_coefficients(process, train)
    points = found.flatten(1).double().numpy()
    # Far below the noise of starts, so that nothing is singular.
    floor = (0.01 * process.deviation(process.num_levels)) ** 2
    state = torch_seed(seed, "mixture prior") % 2**32
    fits = [
        GaussianMixture(count, reg_covar=floor, random_state=state).fit(points)
        for count in COMPONENTS
        if len(points) >= 2 * count * points.shape[1]
    ]
    best = min(fits, key=lambda fit: fit.bic(points))
    prior = MixturePrior(len(best.weights_), *found.shape[1:], process.height, process.width)
    prior.weights.copy_(torch.as_tensor(best.weights_))
    prior.means.copy_(torch.as_tensor(best.means_))
    prior.factors.copy_(torch.as_tensor(np.linalg.cholesky(best.covariances_)))
    return prior


def _basis(size: int) -> Float[Tensor, "size size"]:
    return torch.as_tensor(cosine_basis(size), dtype=torch.float32)
