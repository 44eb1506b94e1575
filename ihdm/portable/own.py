"""From a folder of one's own pictures to a model: which experiment that is, and what of it is done already."""

from pathlib import Path
from typing import cast, get_args

from pydantic import ValidationError

from ihdm.config.experiments import Experiment
from ihdm.config.settings import DatasetSettings
from ihdm.config.stages import CalibrationSettings
from ihdm.data.encoded import image_names
from ihdm.errors import UserError
from ihdm.models.origin import RECORD_NAME
from ihdm.portable.presets import SIZES, Preset, preset_experiment
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record, was_made_with
from ihdm.storage.reading import open_images

FEWEST = 20
"""Pictures; from less nothing is learnt."""
NUM_CALIBRATION = 512
"""Training images on which the network is measured."""
MAX_CALIBRATED = 50
"""Levels at which it is."""


def experiment_of(
    pictures: Path,
    preset: str,
    image_size: int | None,
    steps: int | None,
    seed: int,
    *,
    crops: int | None,
    grey: bool,
    skip_broken: bool,
) -> Experiment:
    """Return the experiment of a preset on a folder of pictures.

    Raises:
        UserError: if there is no such preset or folder, or its network cannot have images of this size.
    """
    if preset not in get_args(Preset):
        raise UserError(f"--preset {preset}: there are {', '.join(get_args(Preset))}")
    if not pictures.is_dir():
        raise UserError(f"{pictures}: there is no such folder; give one with pictures in it")
    name = cast("Preset", preset)
    dataset = DatasetSettings(
        source="folder",
        path=str(pictures.absolute()),
        image_size=image_size or SIZES[name],
        image_channels=1 if grey else 3,
        skip_broken=skip_broken,
        crops=crops,
    )
    try:
        return preset_experiment(name, dataset, steps, seed)
    except ValidationError as error:
        said = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors())
        raise UserError(f"--image-size {image_size}: {said}") from None


def is_prepared(folder: Path, dataset: DatasetSettings, pictures: Path) -> bool:
    """Tell whether the images are prepared as they are to be, and no picture has come, gone or changed since."""
    record = folder / "data.meta.json"
    if not was_made_with(record, dataset) or not all((folder / f"{split}.npy").exists() for split in ("train", "test")):
        return False
    names = image_names(pictures)
    made = record.stat().st_mtime
    arrays = [open_images(folder / f"{split}.npy") for split in ("train", "test")]
    is_whole = dataset.skip_broken or sum(map(len, arrays)) == len(names) * (dataset.crops or 1)
    return is_whole and all((pictures / name).stat().st_mtime < made for name in names)


def require_enough(train: Path) -> int:
    """Return how many training images there are.

    Raises:
        UserError: if they are too few.
    """
    count = len(open_images(train))
    if count < FEWEST:
        raise UserError(
            f"{count} training images are there, and {FEWEST} are the fewest that anything can be learnt from; give "
            "some hundreds of pictures"
        )
    return count


def is_trained(folder: Path, experiment: Experiment, train: Path) -> bool:
    """Tell whether a folder holds the network of this experiment on these images, to its last step."""
    try:
        record = read_record(folder / RECORD_NAME)
    except UserError:
        return False
    known = {name: value for name, value in record["settings"].items() if name != "run"}
    return known == experiment.model_dump(mode="json") and sha256(train) in record["inputs"].values()


def calibration_of(experiment: Experiment, num_images: int) -> CalibrationSettings:
    """Return what is measured of the network: at all levels, or so many evenly spaced."""
    from ihdm.config.processes import observed_levels

    return CalibrationSettings(
        process=experiment.process,
        seed=experiment.seed,
        levels=observed_levels(experiment.process, MAX_CALIBRATED),
        num_images=min(NUM_CALIBRATION, num_images),
        micro_batch=64,
    )
