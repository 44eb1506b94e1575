"""The forward process: the heat equation on pixels, solved exactly in the cosine basis (paper, section 3.1).

    ∂u/∂t = Δu with zero-derivative borders    ⇒    u(t) = V exp(−Λ t) Vᵀ u(0)

V is the orthonormal DCT-II basis and Λ holds λ_{n,m} = π² (n²/W² + m²/H²). The solution at time t is a Gaussian blur of
width σ_B = √(2t) pixels. It acts on rows and columns separately, so a level is one H×H and one W×W matrix.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config import HeatSettings


def blur_schedule(sigma_min: float, sigma_max: float, num_levels: int) -> Float[np.ndarray, "levels"]:
    """Return the blur widths σ_B of levels 0…K in pixels: 0, then geometric from ``sigma_min`` to ``sigma_max``.

    Args:
        sigma_min: width at level 1, > 0.
        sigma_max: width at level K = ``num_levels``, ≥ ``sigma_min``.
        num_levels: K ≥ 1; with K = 1 the only blurred level has width ``sigma_max``.

    Raises:
        ValueError: if the widths are not 0 < ``sigma_min`` ≤ ``sigma_max`` or K < 1.
    """
    if num_levels < 1:
        raise ValueError(f"num_levels is {num_levels}; at least one level is needed")
    if not 0 < sigma_min <= sigma_max:
        raise ValueError(f"blur widths must satisfy 0 < sigma_min <= sigma_max, not {sigma_min} and {sigma_max}")
    if num_levels == 1:
        return np.array([0.0, sigma_max])
    return np.concatenate([[0.0], np.geomspace(sigma_min, sigma_max, num_levels)])


def cosine_basis(size: int) -> Float[np.ndarray, "size size"]:
    """Return the orthonormal DCT-II basis Vᵀ of a line of pixels: row n is the cosine of frequency π n / size."""
    frequency, pixel = np.arange(size)[:, None], np.arange(size)[None, :]
    basis = np.sqrt(2 / size) * np.cos(np.pi * frequency * (pixel + 0.5) / size)
    basis[0] = np.sqrt(1 / size)
    return basis


def decay(size: int, blur_sigmas: Float[np.ndarray, "levels"]) -> Float[np.ndarray, "levels size"]:
    """Return exp(−λ_n t_k) of a line of pixels for every level k and frequency n; λ_n = (π n / size)², t = σ_B²/2."""
    eigenvalues = (np.pi * np.arange(size) / size) ** 2
    times = np.asarray(blur_sigmas, dtype=np.float64) ** 2 / 2
    return np.exp(-np.outer(times, eigenvalues))


def _line_operators(size: int, blur_sigmas: Float[np.ndarray, "levels"]) -> Float[np.ndarray, "levels size size"]:
    """Return V exp(−Λ t_k) Vᵀ of a line of pixels for every level; at σ_B = 0 exactly the identity."""
    basis = cosine_basis(size)
    operators = np.einsum("ni,kn,nj->kij", basis, decay(size, blur_sigmas), basis, optimize=True)
    operators[np.asarray(blur_sigmas) == 0] = np.eye(size)
    return operators


class HeatProcess:
    """The deterministic blur F(t_k) for levels k = 0…K on images of one size.

    Two small matrix products per image are faster at training sizes than a transform there and back, and every image of
    a batch may be at its own level.

    Args:
        blur_sigmas: blur widths σ_B of levels 0…K in pixels, each ≥ 0 (see :func:`blur_schedule`).
        height: image height H in pixels.
        width: image width W in pixels.
        device: where the operators live; images must be there too.
        dtype: floating-point type of the operators and of every result.

    Raises:
        ValueError: if a width is negative or not finite, there are fewer than two levels, or a size is below 1.
    """

    def __init__(
        self,
        blur_sigmas: Sequence[float] | Float[np.ndarray, "levels"],
        height: int,
        width: int,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.blur_sigmas = np.asarray(blur_sigmas, dtype=np.float64)
        if self.blur_sigmas.ndim != 1 or len(self.blur_sigmas) < 2:
            raise ValueError("blur_sigmas must list the widths of at least two levels")
        if not np.isfinite(self.blur_sigmas).all() or (self.blur_sigmas < 0).any():
            raise ValueError(f"blur widths must be finite and not negative: {self.blur_sigmas.tolist()}")
        if height < 1 or width < 1:
            raise ValueError(f"an image of {height}x{width} pixels cannot be blurred")
        self.height = height
        self.width = width
        self._row_operators = torch.as_tensor(_line_operators(width, self.blur_sigmas), device=device, dtype=dtype)
        self._column_operators = (
            self._row_operators
            if height == width
            else torch.as_tensor(_line_operators(height, self.blur_sigmas), device=device, dtype=dtype)
        )

    @property
    def num_levels(self) -> int:
        """K, the number of the last level; level 0 is the unblurred image."""
        return len(self.blur_sigmas) - 1

    @property
    def device(self) -> torch.device:
        """Where the operators live."""
        return self._row_operators.device

    def blur(
        self, images: Float[Tensor, "batch channel height width"], levels: int | Int[Tensor, "_"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return F(t_k) u for every image u; the mean of each channel is kept.

        Computed in the precision of the operators even under autocast: neighbouring levels differ by about 0.001, which
        bfloat16 cannot resolve.

        Args:
            images: any range, usually [0, 1].
            levels: one level for all, or one for each image, in 0…K.

        Raises:
            ValueError: if the images have another size or there is not one level per image.
            IndexError: if a level lies outside 0…K.
        """
        if images.shape[-2:] != (self.height, self.width):
            raise ValueError(
                f"images of {tuple(images.shape[-2:])} pixels; this process blurs {self.height, self.width}"
            )
        levels = torch.as_tensor(levels, device=self.device)
        if levels.ndim == 1 and len(levels) != len(images):
            raise ValueError(f"{len(levels)} levels for {len(images)} images")
        if levels.numel() and not 0 <= int(levels.min()) <= int(levels.max()) <= self.num_levels:
            raise IndexError(f"levels must lie in 0…{self.num_levels}, not {int(levels.min())}…{int(levels.max())}")
        rows, columns = self._row_operators[levels], self._column_operators[levels]
        if levels.ndim == 1:
            rows, columns = rows[:, None], columns[:, None]
        with torch.autocast(images.device.type, enabled=False):
            # The operators are symmetric, so no transpose is needed on the right.
            return columns @ images.to(rows.dtype) @ rows


def heat_process(settings: HeatSettings, image_size: int, device: torch.device | str = "cpu") -> HeatProcess:
    """Build the forward process of an experiment for square images."""
    sigmas = blur_schedule(settings.blur_sigma_min, settings.blur_sigma_max, settings.num_levels)
    return HeatProcess(sigmas, image_size, image_size, device=device)
