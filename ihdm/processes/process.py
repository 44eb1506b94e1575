"""The interface of processes: per level k and DCT mode, q(u_k | u₀) = N(a_k ⊙ r(u₀), s_k² I).

The other modules use only this interface, so that every process is trained, sampled and measured in the same way. The
prediction of networks is defined in :mod:`ihdm.predictions`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import TypeAdapter
from torch import Tensor

from ihdm.config.processes import ProcessSettings
from ihdm.devices import full_precision
from ihdm.errors import UserError
from ihdm.heat import Images, cosine_basis, eigenvalues
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages


class Process(ABC):
    """A forward process on images of one size.

    Level 0 is the image itself: a_0 = 1 and s_0 = 0.

    Args:
        settings: settings of the process.
        height: image height in pixels.
        width: image width in pixels.
        device: device of the images.

    Attributes:
        bits_of_range: log₂ of the width of the range of the process: 0 for [0, 1], and 1 for [−1, 1].
        eigenvalues: λ of every DCT mode; see :func:`ihdm.heat.eigenvalues`.
    """

    bits_of_range: float = 0.0

    def __init__(self, settings: ProcessSettings, height: int, width: int, device: torch.device | str = "cpu") -> None:
        self.settings = settings
        self.num_levels = settings.num_levels
        self.height = height
        self.width = width
        self.device = torch.device(device)
        self.eigenvalues = eigenvalues(height, width)
        self._bases = tuple(
            torch.as_tensor(cosine_basis(size), dtype=torch.float32, device=device) for size in (height, width)
        )

    @cached_property
    def _deviations(self) -> Float[Tensor, "levels"]:
        values = [self.deviation(level) for level in range(self.num_levels + 1)]
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    @abstractmethod
    def log_scale(self, level: int) -> float | Float[np.ndarray, "height width"]:
        """Return ln a_k of every DCT mode, or one number if it is the same for all."""

    @abstractmethod
    def deviation(self, level: int) -> float:
        """Return s_k, in units of the range of the process."""

    def to_range(self, images: Images) -> Images:
        """Return r(u) of images in [0, 1]: scaled to [−1, 1], or unchanged."""
        return 2 * images - 1 if self.bits_of_range else images

    def from_range(self, images: Images) -> Images:
        """Return images in [0, 1]: the inverse of :meth:`to_range`."""
        return (images + 1) / 2 if self.bits_of_range else images

    def mean(self, images: Images, levels: int | Int[Tensor, "batch"]) -> Images:
        """Return a_k ⊙ r(u₀), the mean of q, for images u₀ in [0, 1] at one level k in 0…K, or one level per image."""
        numbers = [levels] if isinstance(levels, int) else levels.tolist()
        shape = 1, self.height, self.width
        scales = np.stack([np.broadcast_to(np.exp(self.log_scale(number)), shape) for number in numbers])
        left = torch.as_tensor(scales, dtype=torch.float32, device=self.device)
        return self.inverse(left * self.transform(self.to_range(images)))

    def draw(self, images: Images, levels: Int[Tensor, "batch"], noise: Images) -> Images:
        """Return a draw u_k of q.

        Args:
            images: u₀ in [0, 1].
            levels: k of each image, in 1…K.
            noise: standard normal.
        """
        return self.mean(images, levels) + self._deviations[levels].view(-1, 1, 1, 1) * noise

    def blur_sigma(self, level: int) -> float:
        """Return the blur width at a level in pixels: by default 0."""
        return 0.0

    def clipped(self, estimate: Images) -> Images:
        """Return an estimate clipped to the range of images: by default unchanged."""
        return estimate

    def draw_starts(
        self, train: StoredImages, bandwidth: float, seed: int, indices: Sequence[int]
    ) -> tuple[Images, Int[np.ndarray, "batch"]]:
        """Draw starts u_K for the given sample numbers, and return the training image of each, −1 for none.

        By default they are standard normal. A start depends only on its own number.

        Args:
            train: the training images.
            bandwidth: standard deviation of the noise of starts that are blurred training images.
            seed: the experiment's seed.
            indices: sample numbers.
        """
        draws = [generator(seed, "prior", index) for index in indices]
        shape = (train.shape[3], self.height, self.width)
        noise = [rng.standard_normal(shape, dtype=np.float32) for rng in draws]
        return torch.as_tensor(np.stack(noise), device=self.device), np.full(len(indices), -1)

    def blend_starts(self, first: Images, second: Images, angles: Float[Tensor, "batch"]) -> Images:
        """Interpolate between starts: by default on a sphere, cos θ u + sin θ v, so that white noise stays white.

        Args:
            first: u_K at θ = 0.
            second: u_K at θ = π/2.
            angles: θ of each interpolated start.
        """
        angles = angles[:, None, None, None]
        return angles.cos() * first + angles.sin() * second

    def prior_kl(
        self,
        train: Iterable[Float[Tensor, "_ channel height width"]],
        test: Float[Tensor, "test channel height width"],
        bandwidths: Sequence[float],
    ) -> Float[Tensor, "bandwidths test"]:
        """Return KL(q(u_K | u₀) ‖ p(u_K)) of each image in nats: by default from a standard normal p.

        Args:
            train: batches of training images, if p depends on them.
            test: images u₀ in [0, 1].
            bandwidths: bandwidths of p, if p depends on training images.
        """
        scales = np.exp(np.broadcast_to(self.log_scale(self.num_levels), (self.height, self.width)))
        variance, num_dims = self.deviation(self.num_levels) ** 2, test[0].numel()
        coefficients = self.transform(self.to_range(test.to(self.device))).double().cpu() * torch.as_tensor(scales)
        energy = coefficients.square().flatten(1).sum(1)
        return ((energy + num_dims * (variance - 1 - np.log(variance))) / 2).expand(len(bandwidths), -1)

    # The cosine basis.

    def transform(self, images: Images) -> Images:
        """Return the DCT coefficients."""
        columns, rows = self._bases
        with full_precision(images.device):
            return columns @ images.float() @ rows.T

    def inverse(self, coefficients: Images) -> Images:
        """Return the images of DCT coefficients."""
        columns, rows = self._bases
        with full_precision(coefficients.device):
            return columns.T @ coefficients @ rows


def require_process(name: str, made_for: str | None, process: ProcessSettings) -> None:
    """Raise an error if a stored result belongs to another process.

    Args:
        name: name of the result in error messages.
        made_for: stored settings of its process, as JSON.
        process: the process to use it with.

    Raises:
        UserError: if ``made_for`` has no process, or a setting differs.
    """
    try:
        stored: ProcessSettings = TypeAdapter(ProcessSettings).validate_json(made_for or "")
    except ValueError:
        raise UserError(f"{name}: does not name its process; run the command that writes it again") from None
    known, asked = stored.model_dump(), process.model_dump()
    differing = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
    if differing:
        texts = [", ".join(f"{key} {one[key]}" for key in differing if key in one) for one in (known, asked)]
        raise UserError(
            f"{name}: was made for {texts[0]}, not {texts[1]}; use it with that process, or run the command that "
            "writes it again"
        )
