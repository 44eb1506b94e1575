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

from ihdm.config.processes import HeatSettings
from ihdm.devices import full_precision

Images = Float[Tensor, "batch channel height width"]
"""Images, or noise and DCT coefficients of their shape."""
SURVIVAL = 1e-9
"""Cosine coefficients with a smaller factor are omitted on large images: no pixel of an image u changes by more
than 2 SURVIVAL ‖u‖, which is 5e-7 for a 256×256 image in [0, 1] and far less for one that is not white noise."""
LARGE = 64 * 64
"""Pixels beyond which it pays on a CPU to blur each image by itself, with the coefficients that survive its level."""


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


def eigenvalues(height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Return λ_{n,m} = π² (n²/H² + m²/W²), how fast each DCT mode of an image decays."""
    rows, columns = ((np.pi * np.arange(size) / size) ** 2 for size in (height, width))
    return rows[:, None] + columns


class _Line:
    """The blur of a line of pixels at every level, as one matrix each and in the cosine basis."""

    def __init__(
        self, size: int, blur_sigmas: Float[np.ndarray, "levels"], device: torch.device | str, dtype: torch.dtype
    ) -> None:
        basis, decays = cosine_basis(size), decay(size, blur_sigmas)
        operators = np.einsum("ni,kn,nj->kij", basis, decays, basis, optimize=True)
        operators[blur_sigmas == 0] = np.eye(size)  # exactly the identity
        self.operators = torch.as_tensor(operators, device=device, dtype=dtype)
        self.basis = torch.as_tensor(basis, device=device, dtype=dtype)
        self.decays = torch.as_tensor(decays, device=device, dtype=dtype)
        self.num_surviving = (decays > SURVIVAL).sum(axis=1).tolist()


class HeatProcess:
    """The deterministic blur F(t_k) for levels k = 0…K on images of one size.

    Two small matrix products per image are faster at training sizes than a transform there and back, and every image of
    a batch may have its own level. Large images on a CPU use only the few coefficients that survive the blur, if
    these are less than half of a line.

    Args:
        blur_sigmas: blur widths σ_B of levels 0…K in pixels, each ≥ 0 (see :func:`blur_schedule`).
        height: image height H in pixels.
        width: image width W in pixels.
        device: device of the operators and of the images.
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
        lines = {size: _Line(size, self.blur_sigmas, device, dtype) for size in (height, width)}
        self._columns, self._rows = lines[height], lines[width]

    @property
    def num_levels(self) -> int:
        """K, the number of the last level; level 0 is the unblurred image."""
        return len(self.blur_sigmas) - 1

    @property
    def device(self) -> torch.device:
        """Device of the operators."""
        return self._rows.operators.device

    def blur(self, images: Images, levels: int | Int[Tensor, "_"]) -> Images:
        """Return F(t_k) u for every image u; the mean of each channel is kept.

        Computed in the precision of the operators even under autocast or with TF32: neighboring levels
        differ by about 0.001, which bfloat16 cannot resolve.

        Args:
            images: any range, usually [0, 1].
            levels: one level for all, or one for each image, in 0…K.

        Raises:
            ValueError: if the images have another size or there is not one level per image.
            IndexError: if a level is outside 0…K.
        """
        if images.shape[-2:] != (self.height, self.width):
            raise ValueError(
                f"images of {tuple(images.shape[-2:])} pixels; this process blurs {self.height, self.width}"
            )
        levels = torch.as_tensor(levels, device=self.device)
        if levels.ndim == 1 and len(levels) != len(images):
            raise ValueError(f"{len(levels)} levels for {len(images)} images")
        # On a GPU this check would wait for the device; PyTorch itself raises an error for levels outside.
        if levels.numel() and (levels.ndim == 0 or levels.device.type == "cpu"):
            lowest, highest = (int(level) for level in levels.aminmax())
            if lowest < 0 or highest > self.num_levels:
                raise IndexError(f"levels must be in 0…{self.num_levels}, not {lowest}…{highest}")
        with full_precision(images.device):
            images = images.to(self._rows.operators.dtype)
            if levels.ndim == 0:
                return self._blur_to_level(images, int(levels))
            if self.device.type == "cpu" and self.height * self.width > LARGE:
                pairs = zip(images, levels.tolist(), strict=True)
                return torch.stack([self._blur_to_level(image, level) for image, level in pairs])
            rows = self._rows.operators.index_select(0, levels)
            columns = rows if self._columns is self._rows else self._columns.operators.index_select(0, levels)
            # The operators are symmetric, so no transpose is needed on the right; there, all channels make one matrix.
            half = (images.flatten(1, 2) @ rows).view_as(images)
            return torch.stack([columns @ channel for channel in half.unbind(1)], dim=1)

    def _blur_to_level(
        self, images: Float[Tensor, "*batch channel height width"], level: int
    ) -> Float[Tensor, "*batch channel height width"]:
        columns, rows = self._columns, self._rows
        num_columns, num_rows = columns.num_surviving[level], rows.num_surviving[level]
        is_large = self.height * self.width > LARGE
        if is_large and 2 * num_columns < self.height and 2 * num_rows < self.width:
            vertical, horizontal = columns.basis[:num_columns], rows.basis[:num_rows]
            decays = columns.decays[level, :num_columns, None] * rows.decays[level, :num_rows]
            return vertical.T @ ((vertical @ images @ horizontal.T) * decays) @ horizontal
        return columns.operators[level] @ images @ rows.operators[level]


def heat_process(settings: HeatSettings, image_size: int, device: torch.device | str = "cpu") -> HeatProcess:
    """Build the forward process of an experiment for square images."""
    sigmas = blur_schedule(settings.blur_sigma_min, settings.blur_sigma_max, settings.num_levels)
    return HeatProcess(sigmas, image_size, image_size, device=device)
