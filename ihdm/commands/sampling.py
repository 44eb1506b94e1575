"""What the commands share that sample a trained network."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.commands.options import settings_text
from ihdm.config.reading import parse_settings
from ihdm.config.stages import SamplingSettings

if TYPE_CHECKING:
    from ihdm.calibration import Calibration
    from ihdm.storage.images import StoredImages

ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network.")]
SettingsOption = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Settings as JSON, '{\"delta_ratio\": 1}', or the path of a JSON file that holds them. Without a process "
        "among them, process, seed and num_train are those of the training.",
        metavar="JSON",
    ),
]
TrainOption = Annotated[
    Path | None, typer.Option(help="The training images, train.npy; by default those that the network was trained on.")
]


def read_sampling(settings: str, model: Path, train: Path | None) -> tuple[SamplingSettings, Path]:
    """Return the settings and the path of the training images, completed by what the network's folder tells."""
    from ihdm.models.origin import read_origin

    text = settings_text(settings)
    with suppress(ValueError, TypeError):  # what is no mapping is refused below
        given = json.loads(text)
        if "process" not in given:
            text = json.dumps({**read_origin(model).settings, **given})
    return parse_settings(SamplingSettings, text), train or read_origin(model).training_images()


def needed_calibration(settings: SamplingSettings, model: Path, images: "StoredImages") -> "Calibration | None":
    """Return what was measured of a network, which lies beside it, for a sampler that needs it."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration

    if not settings.is_calibrated:
        return None
    return Calibration.read(model / CALIBRATION_NAME, settings.process, images.shape[1])


def sampled_from(settings: SamplingSettings, model: Path, train: Path) -> list[Path]:
    """Return the files that images are sampled from."""
    from ihdm.calibration import CALIBRATION_NAME
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME

    calibration = [model / CALIBRATION_NAME] if settings.is_calibrated else []
    return [model / WEIGHTS_NAME, model / CONFIG_NAME, *calibration, train]
