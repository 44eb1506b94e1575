"""Restoration of a folder of images with an exported pipeline."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from ihdm.config.reading import parse_settings
from ihdm.config.restoration import ProblemSettings, posterior_sampler
from ihdm.config.settings import DatasetSettings, Precision, Settings
from ihdm.data.decoding import BrokenImageError
from ihdm.data.files import ImageFiles, find_images
from ihdm.errors import UserError
from ihdm.portable.pictures import SHEETS, enlargement
from ihdm.portable.pipeline import IHDMPipeline, as_pictures
from ihdm.portable.prior import CoefficientPrior, MixturePrior, unblurred
from ihdm.restoration.problems import Measurement, measurement
from ihdm.restoration.solvers import OnDevice, Restorer
from ihdm.storage.files import atomic_folder
from ihdm.storage.images import StoredImages, save_grid
from ihdm.storage.tensors import to_tensor, to_uint8

BATCH = 16
"""Samples at a time."""
MOST_DEVIATION = 0.25
"""Standard deviation that is shown white."""


class _Problem(Settings):
    problem: ProblemSettings = Field(description="degradation of the images")


@dataclass(frozen=True)
class Restored:
    """Images, measurements and restorations, each image × channel × height × width in [0, 1].

    Attributes:
        truth: the original images; None if only measurements are given.
        measured: the measurements, of any size.
        draws: image × draw × channel × height × width.
    """

    truth: Float[Tensor, "image channel height width"] | None
    measured: Float[Tensor, "image channel _ _"]
    draws: Float[Tensor, "image draw channel height width"]


def read_problem(text: str, image_size: int) -> Measurement:
    """Return the degradation that JSON describes.

    Raises:
        UserError: if it is invalid for images of this size.
    """
    if not text.lstrip().startswith("{"):
        raise UserError(f'--problem {text}: is no JSON object such as {{"kind": "blur", "width": 2}}')
    return measurement(parse_settings(_Problem, f'{{"problem": {text}}}', "--problem").problem, image_size)


def read_pictures(
    folder: Path, image_shape: tuple[int, int, int], measured_by: Measurement | None, count: int
) -> tuple[list[str], StoredImages]:
    """Return the first images of a folder by name, resized for the model, or to the size of a measurement.

    Raises:
        UserError: if there are none, one is broken, or the measurements are masked images.
    """
    channels, size, _ = image_shape
    if measured_by is not None:
        if measured_by.pixels is not None:
            raise UserError(
                "--measured: masked pixels cannot be detected in images; use the original images without --measured"
            )
        size = measured_by.height
    if not folder.is_dir() or not (names := find_images(folder).names[:count]):
        raise UserError(f"{folder}: no images found; use a folder of images")
    settings = DatasetSettings(
        source="folder", path=str(folder.absolute()), image_size=size, image_channels=1 if channels == 1 else 3
    )
    files, found = ImageFiles(folder, tuple(names), settings), []
    for position in range(len(files)):
        try:
            found.append(files.decode(position).pixels)
        except BrokenImageError as error:
            raise UserError(f"{folder / files.name(position)}: {error}; replace or remove it") from None
    return names, np.stack(found)


def restorer_of(pipeline: IHDMPipeline, evaluations: int | None, seed: int, precision: Precision = "no") -> Restorer:
    """Return the restorer of a pipeline.

    The mean of images comes from the prior, which knows the lowest frequencies. For processes
    that start from noise it is gray. ``evaluations`` is the NFE per sample, by default all calibrated levels.

    Raises:
        UserError: if the network has no calibration, or none at the levels of these evaluations.
    """
    if pipeline.calibration is None:
        raise UserError("restoration needs a calibration, which this model lacks; run `models calibrate`")
    calibration, scheduler = pipeline.calibration.table(), pipeline.scheduler
    channels, size, _ = pipeline.image_shape
    process = scheduler.process_for(torch.zeros(1, channels, size, size))
    count = evaluations or len(calibration.levels)
    sampler = posterior_sampler(scheduler.process_settings, count)
    missing = set(sampler.levels(scheduler.process_settings)) - {0, *calibration.levels.tolist()}
    if missing:
        raise UserError(
            f"{count} evaluations use levels without calibration; use {len(calibration.levels)} evaluations"
        )
    mean = torch.full((channels, size, size), 0.5, dtype=torch.float64)
    if process.settings.starts_from_images and isinstance(pipeline.prior, CoefficientPrior | MixturePrior):
        mean = unblurred(process, pipeline.prior.mean().cpu()).double()
    power = torch.as_tensor(calibration.power) / 4**process.bits_of_range
    network = OnDevice(pipeline.deblurrer(precision), pipeline.device)
    return Restorer(network, process, calibration, mean, power, sampler, seed)


def restore_pictures(
    pipeline: IHDMPipeline,
    images: StoredImages,
    how: Measurement,
    *,
    is_measured: bool = False,
    num_draws: int = 4,
    trust: float = 1.0,
    evaluations: int | None = None,
    seed: int = 0,
    precision: Precision = "no",
    report: Callable[[int], None] = lambda _done: None,
) -> Restored:
    """Degrade images, or use them as measurements, and draw posterior samples of each.

    Args:
        pipeline: a pipeline with a calibration.
        images: original images at the model's size, or measurements if ``is_measured``.
        how: the degradation.
        is_measured: whether the images are measurements.
        num_draws: number of samples per image.
        trust: above 1 gives the measurement more weight, below 1 the network.
        evaluations: NFE per sample.
        seed: seed of all noise.
        precision: precision of the network.
        report: called with the number of finished samples.

    Raises:
        UserError: see :func:`restorer_of`.
    """
    restorer = restorer_of(pipeline, evaluations, seed, precision)
    whole = to_tensor(images)
    measured = whole.flatten(2).double() if is_measured else how.measure(whole, seed)
    conditioner = restorer.conditioner(how, trust)
    numbers = list(product(range(len(images)), range(num_draws)))
    parts = []
    for first in range(0, len(numbers), BATCH):
        here = numbers[first : first + BATCH]
        batch = measured[[image for image, _ in here]]
        parts.append(restorer.posterior(conditioner, batch, here))
        report(first + len(here))
    draws = torch.cat(parts).unflatten(0, (len(images), num_draws))
    return Restored(None if is_measured else whole, how.shown(measured).float(), draws)


def write_restored(found: Restored, names: Sequence[str], output: Path) -> None:
    """Write a sheet with one row per image, or a folder with the mean and a sample of each under the images' names."""
    means, samples = (to_uint8(part) for part in (found.draws.mean(dim=1), found.draws[:, 0]))
    if output.suffix.lower() not in SHEETS:
        with atomic_folder(output) as filled:
            for kind, pictures in (("mean", means), ("sample", samples)):
                for name, picture in zip(_as_png(names), as_pictures(pictures), strict=True):
                    path = filled / kind / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    picture.save(path)
        return
    deviations = to_uint8(found.draws.std(dim=1) / MOST_DEVIATION)
    factor = means.shape[1] // found.measured.shape[2]
    measured = to_uint8(found.measured).repeat(factor, axis=1).repeat(factor, axis=2)
    columns = [measured, samples, means, deviations]
    if found.truth is not None:
        columns.insert(0, to_uint8(found.truth))
    rows = np.stack(columns, axis=1).reshape(-1, *means.shape[1:])
    save_grid(rows, output, enlargement(rows), columns=len(columns))


def _as_png(names: Sequence[str]) -> list[str]:
    """Return a unique name for each image: ``a.png`` for ``a.jpg``, but ``a.jpg.png`` if there is an ``a.bmp``."""
    short, whole = [str(Path(name).with_suffix(".png")) for name in names], [f"{name}.png" for name in names]
    counts = Counter([*short, *whole])
    return [brief if counts[brief] == 1 else full for brief, full in zip(short, whole, strict=True)]
