"""Squared errors of a trained network on held-out images, level by level."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import ProcessSettings
from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.heat import Images, cosine_basis
from ihdm.metrics.estimates import Photographs, mean_estimate
from ihdm.metrics.monte_carlo import allocate, draw_variance, remove_noise
from ihdm.metrics.spectrum import BANDS, radial_frequencies
from ihdm.objective import Network, squared_error
from ihdm.predictions import prediction_of
from ihdm.processes import Process, build_process
from ihdm.processes.process import require_process
from ihdm.seeds import generator, normal_draws
from ihdm.storage.arrays import save_arrays
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive

DEQUANTISATION_SEED = 0
"""Of no experiment: the test set is one for all."""


def dequantize(images: StoredImages) -> Images:
    """Return (255 u + U[0, 1)) / 256: images with continuous values, whose density can be compared with bits.

    The noise of an image depends only on its position.
    """
    noise = np.stack(
        [
            generator(DEQUANTISATION_SEED, "dequantisation", i).random(image.shape, dtype=np.float32)
            for i, image in enumerate(images)
        ]
    )
    return torch.as_tensor((images + noise) / np.float32(256)).permute(0, 3, 1, 2).contiguous()


MISSING = ("network", "baseline", "controls")
"""Arrays in which NaN stands for a draw that was not made."""


@dataclass(frozen=True)
class HeldOutErrors:
    """Squared errors of each image, summed over channels and pixels, one for each level and draw of noise.

    Attributes:
        network: errors of the network's prediction, for heat ‖û + f(û, k) − F(t_{k−1}) u₀‖². NaN, as in the
            others, means only that a level has fewer draws than another.
        baseline: errors of an output of zero; for heat f = 0, which leaves the image unchanged.
        controls: quantities of the same noise whose expectation is zero: the baseline less its own, for heat
            ‖F(t_k) u₀ − F(t_{k−1}) u₀‖² + N σ², and the noise's power in each band of frequency less its own.
        levels: their levels, ascending; all, unless there are very many.
        num_dims: N, the number of channels times pixels.
        photographs: the photograph of each image; None if images are independent.
    """

    network: Float[np.ndarray, "draw image levels"]
    baseline: Float[np.ndarray, "draw image levels"]
    controls: Float[np.ndarray, "draw image levels control"]
    levels: Int[np.ndarray, "levels"]
    num_dims: int
    photographs: Photographs | None = None

    def means(self) -> Float[np.ndarray, "image levels"]:
        """Return the network's errors averaged over the draws, after the control variates."""
        return np.nanmean(self.without_noise(), axis=0)

    def without_noise(self) -> Float[np.ndarray, "draw image levels"]:
        """Return the network's errors after the control variates."""
        return remove_noise(self.network, self.controls)

    def save(self, path: Path, process: ProcessSettings) -> None:
        """Write the errors as .npz, with their process."""
        photographs = np.empty(0, np.int64) if self.photographs is None else self.photographs
        stored = asdict(self) | {"photographs": photographs}
        save_arrays(path, missing=MISSING, **stored, process=process.model_dump_json())

    @classmethod
    def read(cls, path: Path, process: ProcessSettings) -> "HeldOutErrors":
        """Read stored errors.

        Raises:
            UserError: if the file has no errors, or those of another process.
        """
        stored = read_archive(path, [*(field.name for field in fields(cls)), "process"], missing=MISSING)
        require_process(str(path), str(stored["process"]), process)
        network, baseline, controls = (stored[name] for name in ("network", "baseline", "controls"))
        if network.ndim != 3 or baseline.shape != network.shape or controls.shape[:3] != network.shape:
            raise UserError(
                f"{path}: its arrays are of shapes {network.shape}, {baseline.shape} and {controls.shape}; "
                "they do not belong together: evaluate the network again"
            )
        photographs = stored["photographs"]
        if len(photographs) not in {0, network.shape[1]}:
            raise UserError(
                f"{path}: photographs of {len(photographs)} images, but errors of {network.shape[1]}; they do not "
                "belong together: evaluate the network again"
            )
        known = photographs if len(photographs) else None
        return cls(network, baseline, controls, stored["levels"], int(stored["num_dims"]), known)


def held_out_errors(
    network: Network,
    clean: Float[Tensor, "image channel height width"],
    settings: ErrorSettings,
    report: Callable[[int], None] = lambda _done: None,
    levels: Sequence[int] | None = None,
) -> HeldOutErrors:
    """Evaluate every level on every image. Each pair has separate noise, the same for network and baseline.

    Every level has ``num_draws`` draws. Extra draws, ``extra_draws`` per level on average, go where the noise of the
    first leaves the largest variance.

    Args:
        network: f(u, levels), on the device of the images.
        clean: held-out images with continuous values; see :func:`dequantize`.
        settings: process, seed, batch size and number of noise draws.
        report: called with the number of finished levels.
        levels: some of the settings' levels; by default all.

    Raises:
        UserError: if the network's errors are not finite; it names level and images.
    """
    process = build_process(settings.process, clean.shape[-1], clean.device)
    levels = settings.observed if levels is None else levels
    num_levels, num_images = len(levels), len(clean)

    def draw(counts: Sequence[int], first_draw: int) -> HeldOutErrors:
        found = np.full((max(counts), num_images, num_levels, 2 + 1 + len(BANDS)), np.nan)
        for position, (level, count) in enumerate(zip(levels, counts, strict=True)):
            for number in range(count):
                errors = _level_errors(network, process, clean, settings, level, first_draw + number)
                found[number, :, position] = errors
            if first_draw == 0:
                report(position + 1)
        return HeldOutErrors(found[..., 0], found[..., 1], found[..., 2:], np.asarray(levels), clean[0].numel())

    first = draw([settings.num_draws] * num_levels, 0)
    if not settings.extra_draws:
        return first
    variances = draw_variance(first.without_noise()).mean(axis=0)
    more = draw(allocate(variances, settings.extra_draws * num_levels).tolist(), settings.num_draws)
    return replace(
        first,
        network=np.concatenate([first.network, more.network]),
        baseline=np.concatenate([first.baseline, more.baseline]),
        controls=np.concatenate([first.controls, more.controls]),
    )


def _level_errors(
    network: Network,
    process: Process,
    clean: Float[Tensor, "image channel height width"],
    settings: ErrorSettings,
    level: int,
    draw: int,
) -> Float[np.ndarray, "image columns"]:
    """Return network, baseline and controls of every image at one level with one draw of noise."""
    basis = torch.as_tensor(cosine_basis(process.height), dtype=torch.float32, device=clean.device)
    bands = torch.as_tensor(_band_masks(process.height), dtype=torch.float32, device=clean.device)
    prediction, parts = prediction_of(network, process), []
    for first in range(0, len(clean), settings.micro_batch):
        here = clean[first : first + settings.micro_batch]
        indices = [(first + place, level, draw) for place in range(len(here))]
        drawn = normal_draws(settings.seed, "held-out noise", indices, here.shape[1:])
        noise = torch.as_tensor(drawn, device=clean.device)
        levels = torch.full((len(here),), level, device=clean.device)
        noisy, target = process.draw(here, levels, noise), prediction.target(here, levels, noise)
        with torch.no_grad():
            output = network(prediction.network_input(noisy, levels), levels)
        baseline = squared_error(prediction.compared(torch.zeros_like(noisy), noisy, levels), target)
        expected = prediction.untrained_error(here, levels)
        power = ((basis @ noise @ basis.T).square() - 1).sum(dim=1).flatten(1) @ bands.T
        columns = [
            squared_error(prediction.compared(output, noisy, levels), target)[:, None],
            baseline[:, None],
            (baseline - expected)[:, None],
            prediction.untrained_noise(level) ** 2 * power,
        ]
        parts.append(torch.cat([column.cpu().double() for column in columns], dim=1))
    found = torch.cat(parts).numpy()
    _require_finite(found, level)
    return found


def _require_finite(found: Float[np.ndarray, "image columns"], level: int) -> None:
    broken = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(broken):
        shown = ", ".join(map(str, broken[:5])) + (f" and {len(broken) - 5} more" if len(broken) > 5 else "")
        raise UserError(
            f"the network's squared error at level {level} is not finite for image {shown}, counted from 0; its "
            "weights may be broken: retrain with a smaller learning rate or without mixed precision"
        )


def _band_masks(size: int) -> Float[np.ndarray, "bands coefficients"]:
    """Return the band of frequency of each DCT coefficient; the constant is in the lowest."""
    frequencies = radial_frequencies(size, size).ravel()
    return np.stack([(low <= frequencies) & (frequencies < high) for low, high in BANDS.values()]).astype(np.float64)


def level_rows(errors: HeldOutErrors, settings: ProcessSettings) -> list[dict[str, object]]:
    """Return one row for each level: the mean loss of network and baseline, with their standard errors."""
    network, baselines = np.nanmean(errors.network, axis=0), np.nanmean(errors.baseline, axis=0)
    process = build_process(settings, 2)  # of any size, as only its blur widths are used
    rows: list[dict[str, object]] = []
    for position, level in enumerate(errors.levels.tolist()):
        loss, baseline = (
            mean_estimate(values[:, position], photographs=errors.photographs) for values in (network, baselines)
        )
        rows.append(
            {
                "level": level,
                "blur_sigma": process.blur_sigma(level),
                "n": len(network),
                "loss": loss.value,
                "loss_standard_error": loss.standard_error,
                "baseline": baseline.value,
                "baseline_standard_error": baseline.standard_error,
                "degrees": loss.degrees,
            }
        )
    return rows
