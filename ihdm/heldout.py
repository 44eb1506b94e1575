"""Squared errors of a trained network on images it has not seen, level by level."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.heat import HeatProcess, blur_schedule, heat_process
from ihdm.images import StoredImages
from ihdm.metrics.bootstrap import mean_estimate
from ihdm.metrics.monte_carlo import allocate, draw_variance, remove_noise
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
    """Squared errors of each image at levels 1…K, summed over channels and pixels, one for each draw of noise.

    Attributes:
        network: ‖û + f(û, k) − F(t_{k−1}) u₀‖² of the trained network; NaN where a level has fewer draws than another.
        baseline: the same for f = 0, which leaves the image as blurred and as noisy as it is.
        expected: the baseline's expectation over the noise, ‖F(t_k) u₀ − F(t_{k−1}) u₀‖² + N σ².
        num_dims: N, the number of channels times pixels.
    """

    network: Float[np.ndarray, "draw image levels"]
    baseline: Float[np.ndarray, "draw image levels"]
    expected: Float[np.ndarray, "image levels"]
    num_dims: int

    def means(self) -> Float[np.ndarray, "image levels"]:
        """Return the network's errors averaged over the draws, freed of the noise that the baseline explains."""
        return np.nanmean(self.without_noise(), axis=0)

    def without_noise(self) -> Float[np.ndarray, "draw image levels"]:
        """Return the network's errors after the control variate."""
        return remove_noise(self.network, self.baseline, self.expected)


def held_out_errors(
    network: Network,
    images: StoredImages,
    settings: ErrorSettings,
    *,
    device: torch.device | str = "cpu",
    report: Callable[[int], None] = lambda _done: None,
) -> HeldOutErrors:
    """Evaluate every level on every image, each pair with noise of its own, the same for network and baseline.

    Args:
        network: f(u, levels), on ``device``.
        images: held-out images; they are dequantised first.
        settings: process, seed, batch size, and how many draws of noise.
        device: where to compute.
        report: called with the number of levels done.
    """
    return errors_of(network, dequantise(images, settings.seed).to(device), settings, report)


def errors_of(
    network: Network,
    clean: Float[Tensor, "image channel height width"],
    settings: ErrorSettings,
    report: Callable[[int], None] = lambda _done: None,
) -> HeldOutErrors:
    """Do the same for images with continuous values; see :func:`held_out_errors`.

    Levels get ``num_draws`` draws each. Further ones, ``extra_draws`` a level on average, go where the noise of the
    first leaves the largest variance.
    """
    heat = heat_process(settings.process, clean.shape[-1], clean.device)
    num_levels, num_images, num_dims = settings.process.num_levels, len(clean), clean[0].numel()
    expected = np.empty((num_images, num_levels))
    for level in range(1, num_levels + 1):
        step = squared_error(heat.blur(clean, level), heat.blur(clean, level - 1))
        expected[:, level - 1] = step.cpu() + num_dims * settings.process.sigma**2

    def draw(counts: Sequence[int], first_draw: int) -> HeldOutErrors:
        shape = (max(counts), num_images, num_levels)
        errors = HeldOutErrors(np.full(shape, np.nan), np.full(shape, np.nan), expected, num_dims)
        for level, count in enumerate(counts, start=1):
            for number in range(count):
                found, baseline = _level_errors(network, heat, clean, settings, level, first_draw + number)
                errors.network[number, :, level - 1], errors.baseline[number, :, level - 1] = found, baseline
            if first_draw == 0:
                report(level)
        return errors

    errors = draw([settings.num_draws] * num_levels, 0)
    if settings.extra_draws:
        variances = draw_variance(errors.without_noise()).mean(axis=0)
        more = draw(allocate(variances, settings.extra_draws * num_levels).tolist(), settings.num_draws)
        errors = HeldOutErrors(
            np.concatenate([errors.network, more.network]),
            np.concatenate([errors.baseline, more.baseline]),
            expected,
            num_dims,
        )
    return errors


def _level_errors(
    network: Network,
    heat: HeatProcess,
    clean: Float[Tensor, "image channel height width"],
    settings: ErrorSettings,
    level: int,
    draw: int,
) -> tuple[Float[np.ndarray, "image"], Float[np.ndarray, "image"]]:
    """Return the squared errors of network and baseline at one level with one draw of noise."""
    parts = []
    for first in range(0, len(clean), settings.micro_batch):
        here = clean[first : first + settings.micro_batch]
        noise = _noise(settings.seed, level, draw, range(first, first + len(here)), here.shape[1:]).to(clean.device)
        levels = torch.full((len(here),), level, device=clean.device)
        noisy, target = deblurring_pair(heat, here, levels, noise, settings.process.sigma)
        with torch.no_grad():
            mean = noisy + network(noisy, levels)
        parts.append(torch.stack([squared_error(mean, target), squared_error(noisy, target)]).double().cpu())
    found, baseline = torch.cat(parts, dim=1).numpy()
    return found, baseline


def _noise(seed: int, level: int, draw: int, indices: Sequence[int], shape: torch.Size) -> Tensor:
    draws = [
        generator(seed, "held-out noise", i, level, draw).standard_normal(shape, dtype=np.float32) for i in indices
    ]
    return torch.as_tensor(np.stack(draws))


def level_rows(errors: HeldOutErrors, settings: HeatSettings) -> list[dict[str, object]]:
    """Return one row for each level: the mean loss of network and baseline, with their standard errors."""
    network, baselines = np.nanmean(errors.network, axis=0), np.nanmean(errors.baseline, axis=0)
    sigmas = blur_schedule(settings.blur_sigma_min, settings.blur_sigma_max, settings.num_levels)
    rows: list[dict[str, object]] = []
    for level in range(1, settings.num_levels + 1):
        loss, baseline = mean_estimate(network[:, level - 1]), mean_estimate(baselines[:, level - 1])
        rows.append(
            {
                "level": level,
                "blur_sigma": sigmas[level],
                "n": len(network),
                "loss": loss.value,
                "loss_standard_error": loss.standard_error,
                "baseline": baseline.value,
                "baseline_standard_error": baseline.standard_error,
            }
        )
    return rows
