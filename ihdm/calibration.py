"""Calibration of a trained network: gain and residual variance of its estimate of the image.

At each level k and DCT mode, the image's coefficient x is regressed on the network's estimate m on training images:
x ≈ gain m + offset. The noise of a step must make up for the residual variance. One table serves all steps from k.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ihdm.config.processes import ProcessSettings
from ihdm.errors import UserError
from ihdm.objective import Network
from ihdm.predictions import prediction_of
from ihdm.processes.process import Process, require_process
from ihdm.seeds import generator
from ihdm.storage.arrays import save_arrays
from ihdm.storage.reading import read_archive
from ihdm.storage.tensors import require_finite

CALIBRATION_NAME = "calibration.npz"
"""File name, in the folder of the network."""
SIGNIFICANT = 3.0
"""Gains below this number of standard errors are set to zero: modes without signal must not be amplified by chance."""


@dataclass(frozen=True)
class LevelCalibration:
    """Calibration at one level, for each DCT mode, over all channels, in the range of the process.

    Attributes:
        gain: of the estimate of a_r u₀, between 0 and 1/a_r.
        offset: added to it.
        residual: variance of the regression residual, ≥ 0.
        power: variance of the image's coefficients, the same at every level.
    """

    gain: Float[np.ndarray, "height width"]
    offset: Float[np.ndarray, "height width"]
    residual: Float[np.ndarray, "height width"]
    power: Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class Calibration:
    """Calibration of a network at some levels; see :class:`LevelCalibration`."""

    levels: Int[np.ndarray, "levels"]
    gain: Float[np.ndarray, "levels height width"]
    offset: Float[np.ndarray, "levels height width"]
    residual: Float[np.ndarray, "levels height width"]
    power: Float[np.ndarray, "height width"]

    def at(self, level: int) -> LevelCalibration:
        """Return the calibration at a level.

        Raises:
            UserError: if the network was not measured there.
        """
        (found,) = np.nonzero(self.levels == level)
        if not len(found):
            raise UserError(f"the network is not calibrated at level {level}; run `models calibrate` again")
        return LevelCalibration(self.gain[found[0]], self.offset[found[0]], self.residual[found[0]], self.power)

    def save(self, path: Path, process: ProcessSettings) -> None:
        """Write it as .npz, with its process."""
        save_arrays(path, **asdict(self), process=process.model_dump_json())

    @classmethod
    def read(cls, path: Path, process: ProcessSettings, image_size: int) -> "Calibration":
        """Read a calibration.

        Raises:
            UserError: if the file is damaged, or of another process or image size.
        """
        names = [field.name for field in fields(cls)]
        stored = read_archive(path, [*names, "process"])
        require_process(str(path), str(stored["process"]), process)
        require_valid(str(path), stored, process.num_levels)
        if stored["power"].shape != (image_size, image_size):
            found = "×".join(map(str, stored["power"].shape))
            raise UserError(
                f"{path}: was measured on images of {found}, not {image_size}×{image_size}; run `models calibrate` "
                "again"
            )
        return cls(**{name: stored[name] for name in names})


def require_valid(name: str, arrays: Mapping[str, np.ndarray], num_levels: int) -> None:
    """Check that the arrays of a calibration agree in size, are finite, and have levels that ascend within 1…K.

    Args:
        name: for error messages.
        arrays: by the names of :class:`Calibration`.
        num_levels: K.

    Raises:
        UserError: if they do not.
    """
    levels, power = arrays["levels"], arrays["power"]
    tables = [arrays[part] for part in ("gain", "offset", "residual")]
    shape = (len(levels), *power.shape) if levels.ndim == 1 and power.ndim == 2 else None
    if any(table.shape != shape for table in tables):
        problem = "its arrays differ in size"
    elif any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in (*tables, power)):
        problem = "it holds values that are not finite numbers"
    elif levels.dtype.kind != "i" or (np.diff(levels, prepend=0, append=num_levels + 1) < 1).any():
        problem = f"its levels do not ascend within 1 and K = {num_levels}"
    else:
        return
    raise UserError(f"{name}: damaged or of another network: {problem}; run `models calibrate` again")


def measure(
    network: Network,
    process: Process,
    images: Float[Tensor, "image channel height width"],
    levels: Sequence[int],
    seed: int,
    batch_size: int,
    report: Callable[[int], None] = lambda _done: None,
) -> Calibration:
    """Calibrate a network at some levels.

    Args:
        network: the network of the process.
        process: the process.
        images: training images in [0, 1], dequantized.
        levels: in 1…K.
        seed: of the noise, which is independent for each image and level.
        batch_size: images at a time.
        report: called with the number of levels done.

    Raises:
        UserError: if there are fewer than ten images.
    """
    if len(images) < 10:
        raise UserError(f"{len(images)} training images are too few to calibrate a network; use at least ten")
    clean = process.transform(process.to_range(images)).double().cpu().numpy()
    mean, power = clean.mean(axis=(0, 1)), clean.var(axis=(0, 1))
    prediction, parts = prediction_of(network, process), []
    for done, level in enumerate(levels, start=1):
        estimates = np.concatenate(
            [
                estimate_coefficients(network, process, images[first : first + batch_size], level, seed, first)
                for first in range(0, len(images), batch_size)
            ]
        )
        center, spread = estimates.mean(axis=(0, 1)), estimates.var(axis=(0, 1))
        covariance = ((clean - mean) * (estimates - center)).mean(axis=(0, 1))
        correlated = covariance**2 * len(images) > SIGNIFICANT**2 * power * spread
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            exact = np.exp(-np.asarray(process.log_scale(prediction.reference(level)), dtype=np.float64))
            gain = np.where(correlated, np.clip(covariance / spread, 0, exact), 0.0)
        residual = np.maximum(power - 2 * gain * covariance + gain**2 * spread, 0.0)
        parts.append((gain, mean - gain * center, residual))
        report(done)
    gains, offsets, residuals = (np.stack(part) for part in zip(*parts, strict=True))
    return Calibration(np.asarray(levels), gains, offsets, residuals, power)


def estimate_coefficients(
    network: Network,
    process: Process,
    images: Float[Tensor, "image channel height width"],
    level: int,
    seed: int,
    first: int,
    draw: int = 0,
    purpose: str = "calibration noise",
) -> Float[np.ndarray, "image channel height width"]:
    """Return the DCT coefficients of the network's estimate, from a draw of u_k for each image, in float64.

    Args:
        network: the network of the process.
        process: the process.
        images: in [0, 1].
        level: k.
        seed: of the noise.
        first: number of the first image; the noise of an image depends on its number, level and draw alone.
        draw: which draw of noise.
        purpose: of the noise; other purposes have independent noise.
    """
    noise = [
        generator(seed, purpose, first + place, level, draw).standard_normal(tuple(images.shape[1:]), dtype=np.float32)
        for place in range(len(images))
    ]
    levels = torch.full((len(images),), level, device=images.device)
    noisy = process.draw(images, levels, torch.as_tensor(np.stack(noise), device=images.device))
    with torch.no_grad():
        estimate = prediction_of(network, process).estimate(network, noisy, level)
    require_finite(estimate)
    return process.transform(estimate).double().cpu().numpy()
