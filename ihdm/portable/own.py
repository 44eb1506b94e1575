"""Training on a folder of images: presets, its experiment, and the steps that are already complete."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from ihdm.calibration import CALIBRATION_NAME
from ihdm.config.experiments import Experiment, NetworkSettings
from ihdm.config.processes import HeatSettings, observed_levels
from ihdm.config.settings import DatasetSettings, TrainingSettings
from ihdm.config.stages import CalibrationSettings
from ihdm.data.files import ImageFiles, find_images
from ihdm.errors import UserError
from ihdm.models.network import RECORD_NAME, WEIGHTS_NAME
from ihdm.portable.folder import PriorKind
from ihdm.portable.prior import require_enough_for_mixture
from ihdm.processes import build_process
from ihdm.storage.files import atomic_path, sha256
from ihdm.storage.provenance import read_record, was_made_with
from ihdm.storage.reading import open_images


class Preset(NamedTuple):
    """Size of images in pixels, number of levels K, and settings of network and training."""

    image_size: int
    num_levels: int
    network: dict[str, Any]
    training: dict[str, Any]


PRESETS = {
    "quick": Preset(
        32, 40,
        {"base_channels": 16, "channel_multipliers": (1, 2, 2), "blocks_per_stage": 1, "attention_stages": (),
         "dropout": 0.0, "norm_groups": 8},
        {"steps": 1500, "batch_size": 32, "learning_rate": 1e-3, "warmup_steps": 100, "ema_decay": 0.995},
    ),
    "small": Preset(
        32, 50,
        {"base_channels": 32, "channel_multipliers": (1, 2, 2), "blocks_per_stage": 1, "attention_stages": (2,),
         "dropout": 0.1, "norm_groups": 8},
        {"steps": 10_000, "batch_size": 64, "learning_rate": 5e-4, "warmup_steps": 500, "ema_decay": 0.999},
    ),
    "medium": Preset(
        64, 100,
        {"base_channels": 64, "channel_multipliers": (1, 2, 2, 2), "blocks_per_stage": 2, "attention_stages": (3,),
         "dropout": 0.1, "norm_groups": 32},
        {"steps": 200_000, "batch_size": 64, "learning_rate": 1e-4, "warmup_steps": 5000, "ema_decay": 0.9999},
    ),
    "large": Preset(
        128, 200,
        {"base_channels": 128, "channel_multipliers": (1, 2, 2, 3, 4), "blocks_per_stage": 2,
         "attention_stages": (3, 4), "dropout": 0.1, "norm_groups": 32},
        {"steps": 200_000, "batch_size": 64, "learning_rate": 1e-4, "warmup_steps": 5000, "ema_decay": 0.9999},
    ),
}  # fmt: skip
MAX_BLUR = 0.75
"""Largest blur width as a share of the images' side, the paper's for 32 pixels; from 128 on it is half of the side."""
FEWEST = 20
"""Smallest number of images."""
NUM_CALIBRATION = 512
"""Training images on which the network is measured."""
MAX_CALIBRATED = 50
"""Levels at which it is."""
VERSION_NAME = "pictures.sha256"
"""Version of the source images, next to the prepared ones."""


def experiment_of(
    pictures: Path,
    preset: str,
    image_size: int | None,
    steps: int | None,
    seed: int,
    *,
    crops: int | None,
    gray: bool,
    skip_broken: bool,
) -> Experiment:
    """Return the experiment of a preset on a folder of images.

    Without an image size or steps, those of the preset are taken.

    Raises:
        UserError: if there is no such preset or folder, a number is out of bounds, or the network does not support
            this size.
    """
    if preset not in PRESETS:
        raise UserError(f"--preset {preset}: unknown preset; use one of {', '.join(PRESETS)}")
    if not pictures.is_dir():
        raise UserError(f"{pictures}: folder not found; use an existing folder of images")
    chosen = PRESETS[preset]
    size = image_size or chosen.image_size
    try:
        dataset = DatasetSettings(
            source="folder",
            path=str(pictures.absolute()),
            image_size=size,
            image_channels=1 if gray else 3,
            skip_broken=skip_broken,
            crops=crops,
        )
        return Experiment(
            dataset=dataset,
            network=NetworkSettings(image_size=size, image_channels=dataset.image_channels, **chosen.network),
            process=HeatSettings(
                kind="heat",
                sigma=0.01,
                num_levels=chosen.num_levels,
                blur_sigma_max=(MAX_BLUR if size < 128 else 0.5) * size,
            ),
            training=TrainingSettings(**chosen.training | ({"steps": steps} if steps else {})),
            seed=seed,
        )
    except ValidationError as error:
        options = {"path": f"{pictures}", "crops": f"--crops {crops}", "steps": f"--steps {steps}"}
        said = []
        for detail in error.errors():
            # Other mistakes follow from the size.
            option = next((options[key] for key in map(str, detail["loc"]) if key in options), None)
            message = "; ".join(detail["msg"].removeprefix("Value error, ").splitlines())
            said.append(f"{option or f'--image-size {image_size}'}: {message}")
        raise UserError("; ".join(said)) from None


def require_outside(output: Path, pictures: Path) -> None:
    """Check that the output is outside the folder of images, which it would change.

    Raises:
        UserError: if it is inside.
    """
    if output.resolve().is_relative_to(pictures.resolve()):
        raise UserError(f"{output}: inside the folder of images, {pictures}; choose an --output outside it")


def version_of(dataset: DatasetSettings, pictures: Path) -> str:
    """Return a hash of names, sizes and modification times of the images."""
    files = ImageFiles(pictures, tuple(find_images(pictures).names), dataset)
    versions = "\n".join(map(files.version, range(len(files))))
    return hashlib.sha256(versions.encode(errors="surrogateescape")).hexdigest()


def keep_version(folder: Path, version: str) -> None:
    """Write the version of the source images next to the prepared ones."""
    with atomic_path(folder / VERSION_NAME) as temporary:
        temporary.write_text(version, encoding="utf-8")


def forget_version(folder: Path) -> None:
    """Invalidate prepared images before they are prepared again."""
    (folder / VERSION_NAME).unlink(missing_ok=True)


def is_prepared(folder: Path, dataset: DatasetSettings, version: str) -> bool:
    """Return whether the images are prepared with these settings from these source images."""
    kept = folder / VERSION_NAME
    is_whole = all((folder / f"{split}.npy").exists() for split in ("train", "test"))
    is_as_asked = was_made_with(folder / "data.meta.json", dataset)
    return is_whole and is_as_asked and kept.exists() and kept.read_text(encoding="utf-8") == version


@contextmanager
def broken_image_errors() -> Iterator[None]:
    """Within the block, errors about broken images name the option instead of a configuration key."""
    try:
        yield
    except UserError as error:
        message, advice, other = str(error).partition("; fix or remove them")
        if not advice or "skip_broken" not in other:
            raise
        raise UserError(f"{message}{advice}, or leave them out: --skip-broken") from None


def require_enough(train: Path, experiment: Experiment, prior: PriorKind) -> int:
    """Return the number of training images, after a check that training and prior have enough.

    Raises:
        UserError: if there are too few.
    """
    count = len(open_images(train))
    if count < FEWEST:
        raise UserError(
            f"{count} training images are too few; at least {FEWEST} are needed, and some hundreds for good samples"
        )
    if prior == "mixture" and experiment.process.starts_from_images:
        process = build_process(experiment.process, experiment.dataset.image_size)
        require_enough_for_mixture(process, count, experiment.dataset.image_channels)
    return count


def is_trained(folder: Path, experiment: Experiment, train: Path) -> bool:
    """Return whether a folder has the fully trained network of this experiment on these images."""
    try:
        record = read_record(folder / RECORD_NAME)
    except UserError:
        return False
    if not (folder / WEIGHTS_NAME).exists():
        return False
    known = {name: value for name, value in record["settings"].items() if name != "run"}
    return known == experiment.model_dump(mode="json") and sha256(train) in record["inputs"].values()


def is_measured(folder: Path, calibration: CalibrationSettings) -> bool:
    """Return whether a folder has this calibration of its network with its current weights."""
    measured = folder / CALIBRATION_NAME
    record = measured.with_suffix(".meta.json")
    if not measured.exists() or not was_made_with(record, calibration):
        return False
    # The settings are the same after further training, but the network is another.
    return sha256(folder / WEIGHTS_NAME) in read_record(record)["inputs"].values()


def calibration_of(experiment: Experiment, num_images: int) -> CalibrationSettings:
    """Return the calibration settings of the network: all levels, or a limited number of evenly spaced ones."""
    return CalibrationSettings(
        process=experiment.process,
        seed=experiment.seed,
        levels=observed_levels(experiment.process, MAX_CALIBRATED),
        num_images=min(NUM_CALIBRATION, num_images),
        micro_batch=64,
    )
