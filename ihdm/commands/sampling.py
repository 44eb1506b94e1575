"""Shared by the commands that sample a trained network."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm import pretrained
from ihdm.commands.options import settings_name, settings_text
from ihdm.config.reading import parse_settings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError

if TYPE_CHECKING:
    from ihdm.calibration import Calibration
    from ihdm.portable.pipeline import IHDMPipeline
    from ihdm.storage.images import StoredImages


def _model(text: str) -> Path:
    """Return the folder of a model; a warning says if a pretrained model hides a local folder of the same name."""
    folder = pretrained.resolve(text)
    if folder != Path(text) and Path(text).exists():
        typer.echo(f"{text}: using the pretrained model; write ./{text} for the local folder", err=True)
    return folder


ModelArgument = Annotated[
    Path,
    typer.Argument(
        help="Name of a pretrained model (`ihdm models list`), or folder of an exported pipeline or a trained network. "
        "Write ./NAME for a local folder with the name of a pretrained model.",
        parser=_model,
        metavar="MODEL",
    ),
]
ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network.")]
SamplingOption = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Settings as JSON, '{\"delta_ratio\": 1}', or path of a JSON file. Without a process, process, "
        "prediction, seed and num_train are those of the training.",
        metavar="JSON",
    ),
]
OriginTrainOption = Annotated[
    Path | None, typer.Option(help="The training images, train.npy; by default those of the training.")
]


def read_sampling(settings: str, model: Path, train: Path | None) -> tuple[SamplingSettings, Path]:
    """Return sampling settings and the path of the training images, completed from the record of the training."""
    from ihdm.models.network import read_origin

    text = settings_text(settings)
    with suppress(ValueError, TypeError):  # parse_settings reports invalid JSON
        given = json.loads(text)
        if "process" not in given:
            text = json.dumps({**read_origin(model).settings, **given})
    return parse_settings(SamplingSettings, text, settings_name(settings)), train or read_origin(
        model
    ).training_images()


def needed_calibration(settings: SamplingSettings, model: Path, images: "StoredImages") -> "Calibration | None":
    """Return the calibration next to a network, if the sampler needs it."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration

    if not settings.is_calibrated:
        return None
    return Calibration.read(model / CALIBRATION_NAME, settings.process, images.shape[1])


def sampled_from(settings: SamplingSettings, model: Path, train: Path) -> list[Path]:
    """Return the files that samples depend on."""
    from ihdm.calibration import CALIBRATION_NAME
    from ihdm.models.network import CONFIG_NAME, STATISTICS_NAME, WEIGHTS_NAME

    names = [WEIGHTS_NAME, CONFIG_NAME]
    names += [STATISTICS_NAME] if settings.predicted.has_statistics else []
    names += [CALIBRATION_NAME] if settings.is_calibrated else []
    return [*(model / name for name in names), train]


def open_pipeline(model: Path) -> "IHDMPipeline":
    """Return the pipeline in a folder, on the available device.

    Raises:
        UserError: if the folder holds no model, or a network whose training images are missing.
    """
    from ihdm.devices import compute_device
    from ihdm.models.network import RECORD_NAME, read_origin
    from ihdm.portable.folder import assemble, is_pipeline, read
    from ihdm.storage.reading import first_images

    if is_pipeline(model) or not (model / RECORD_NAME).exists():
        return read(model, compute_device())
    origin = read_origin(model)
    try:
        origin.training_images()
    except UserError as error:
        reason = str(error).rpartition(";")[0]
        raise UserError(
            f"{reason}; export the network once, with `python -m ihdm models export --model {model} --train TRAIN.npy "
            "--output FOLDER`, and use that folder"
        ) from None
    sampling, train = read_sampling("{}", model, None)
    return assemble(model, first_images(train, sampling.num_train), sampling).to(compute_device())
