"""Squared errors of a trained network on images it has not seen, level by level."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import blur_schedule, heat_process
from ihdm.images import StoredImages
from ihdm.metrics.bootstrap import mean_estimate
from ihdm.objective import Network, deblurring_pair, squared_error
from ihdm.seeds import generator
from ihdm.settings import ErrorSettings, HeatSettings


def dequantise(images: StoredImages, seed: int) -> Float[Tensor, "batch channel height width"]:
    """Return (255 u + U[0, 1)) / 256: images with continuous values, whose density can be compared with bits.

    Args:
        images: stored images, of which each gets the noise of its own position.
        seed: seed of the noise.
    """
    noise = np.stack(
        [generator(seed, "dequantisation", i).random(image.shape, dtype=np.float32) for i, image in enumerate(images)]
    )
    return torch.as_tensor((images + noise) / np.float32(256)).permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class HeldOutErrors:
    """Squared errors of each image at levels 1…K, summed over channels and pixels.

    Attributes:
        network: ‖û + f(û, k) − F(t_{k−1}) u₀‖² of the trained network.
        baseline: the same for f = 0, which leaves the image as blurred and as noisy as it is.
    """

    network: Float[np.ndarray, "image levels"]
    baseline: Float[np.ndarray, "image levels"]


def held_out_errors(
    network: Network,
    images: StoredImages,
    settings: ErrorSettings,
    *,
    device: torch.device | str = "cpu",
    report: Callable[[int], None] = lambda _done: None,
) -> HeldOutErrors:
    """Evaluate every level on every image, with one draw of noise for each pair, the same for network and baseline.

    Args:
        network: f(u, levels), on ``device``.
        images: held-out images; they are dequantised first.
        settings: process, seed and batch size.
        device: where to compute.
        report: called with the number of levels done.
    """
    heat = heat_process(settings.process, images.shape[1], device)
    clean = dequantise(images, settings.seed).to(device)
    shape = (len(images), settings.process.num_levels)
    errors = HeldOutErrors(np.empty(shape), np.empty(shape))
    for level in range(1, settings.process.num_levels + 1):
        noise = _noise(settings.seed, level, range(len(images)), clean.shape[1:]).to(device)
        for first in range(0, len(images), settings.micro_batch):
            here = slice(first, first + settings.micro_batch)
            levels = torch.full((len(clean[here]),), level, device=device)
            noisy, target = deblurring_pair(heat, clean[here], levels, noise[here], settings.process.sigma)
            with torch.no_grad():
                mean = noisy + network(noisy, levels)
            errors.network[here, level - 1] = squared_error(mean, target).cpu()
            errors.baseline[here, level - 1] = squared_error(noisy, target).cpu()
        report(level)
    return errors


def _noise(seed: int, level: int, indices: Sequence[int], shape: torch.Size) -> Tensor:
    draws = [generator(seed, "held-out noise", i, level).standard_normal(shape, dtype=np.float32) for i in indices]
    return torch.as_tensor(np.stack(draws))


def level_rows(errors: HeldOutErrors, settings: HeatSettings) -> list[dict[str, object]]:
    """Return one row for each level: the mean loss of network and baseline, with their standard errors."""
    sigmas = blur_schedule(settings.blur_sigma_min, settings.blur_sigma_max, settings.num_levels)
    rows: list[dict[str, object]] = []
    for level in range(1, settings.num_levels + 1):
        loss, baseline = mean_estimate(errors.network[:, level - 1]), mean_estimate(errors.baseline[:, level - 1])
        rows.append(
            {
                "level": level,
                "blur_sigma": sigmas[level],
                "n": len(errors.network),
                "loss": loss.value,
                "loss_standard_error": loss.standard_error,
                "baseline": baseline.value,
                "baseline_standard_error": baseline.standard_error,
            }
        )
    return rows
