"""Assemble a pipeline from a trained network, write it as a folder, and read it."""

import json
import re
from pathlib import Path
from typing import Literal, cast, get_args

import torch
from diffusers import UNet2DModel
from diffusers import logging as diffusers_logging
from pydantic import ValidationError
from safetensors import SafetensorError

from ihdm.calibration import CALIBRATION_NAME, Calibration
from ihdm.config.processes import PREDICTION
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.models.network import load_network
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import (
    Prior,
    StoredCalibration,
    StoredStatistics,
    fit_mixture,
    keep_coefficients,
)
from ihdm.portable.scheduler import IHDMScheduler
from ihdm.processes import build_process
from ihdm.storage.files import atomic_folder, require_replaceable
from ihdm.storage.images import StoredImages, save_grid

INDEX_NAME = "model_index.json"
SCHEDULER_NAME = "scheduler/scheduler_config.json"
CARD_NAME = "README.md"
SHEET_NAME = "samples.png"
MARK_NAME = ".snakemake_timestamp"
"""What the workflow puts into every folder that a rule writes."""
PARTS = ("unet", "scheduler", "prior", "calibration", "statistics")
PART_ENDINGS = (".json", ".safetensors")
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""A model on the Hugging Face Hub, ``user/name``."""

PriorKind = Literal["coefficients", "mixture"]
"""What starts are made of: what is left of each training image, or a mixture fitted to that."""


def assemble(
    network: Path, train: StoredImages, sampling: SamplingSettings, prior: PriorKind = "coefficients"
) -> IHDMPipeline:
    """Return a pipeline of a trained network, its process, its sampler, a prior, and its calibration if it exists.

    Of the training images only the first ``sampling.num_train`` count if set. Processes that start from blurred images
    have a prior.

    Raises:
        UserError: if the folder has no network of this process and image size, or a mixture needs more images.
    """
    train = train[: sampling.num_train]
    predictor = load_network(network, sampling.process, train).predictor
    unet = UNet2DModel.from_pretrained(str(network), use_safetensors=True, local_files_only=True)
    process = build_process(sampling.process, train.shape[1])
    starts: Prior | None = None
    if sampling.process.starts_from_images:
        fit_one = prior == "mixture"
        starts = fit_mixture(process, train, sampling.seed) if fit_one else keep_coefficients(process, train)
    measured = network / CALIBRATION_NAME
    calibration = None
    if measured.exists():
        calibration = StoredCalibration.of(Calibration.read(measured, sampling.process, train.shape[1]))
    scheduler = IHDMScheduler(
        process=sampling.process.model_dump(mode="json"),
        prediction=predictor and PREDICTION.dump_python(predictor.settings, mode="json"),
        **sampling.sampler.model_dump(),
        delta_ratio=sampling.delta_ratio,
        prior_noise=sampling.prior_noise,
    )
    statistics = StoredStatistics.of(predictor.statistics) if predictor and predictor.statistics else None
    return IHDMPipeline(unet, scheduler, starts, calibration, statistics)


def require_prior(kind: str) -> PriorKind:
    """Return a kind of prior by its name.

    Raises:
        UserError: if there is none of this name.
    """
    if kind not in get_args(PriorKind):
        raise UserError(f"--prior {kind}: unknown prior; use {' or '.join(get_args(PriorKind))}")
    return cast("PriorKind", kind)


def save(pipeline: IHDMPipeline, folder: Path, card: str, sheet: StoredImages) -> list[Path]:
    """Write a pipeline, its card and a sheet of samples as a folder that appears only when complete.

    An earlier pipeline in the folder is replaced. :func:`require_room` knows the names of all files written here, whose
    paths are returned.

    Raises:
        UserError: if the folder has other files.
    """
    require_room(folder)
    with atomic_folder(folder) as filled:
        pipeline.save_pretrained(filled)
        (filled / CARD_NAME).write_text(card, encoding="utf-8")
        save_grid(sheet, filled / SHEET_NAME)
        for path in filled.rglob("*.safetensors"):
            path.chmod(0o644)  # its writer lets only the owner read it
    return sorted(path for path in folder.rglob("*") if path.is_file())


def require_room(folder: Path) -> None:
    """Check that a pipeline can be written to a folder: it is missing, empty, or has only an earlier pipeline.

    Raises:
        UserError: if it has other files or is not writable.
    """
    require_replaceable(folder)
    if not folder.exists():
        return
    foreign = folder.name if folder.is_file() else _foreign_name(folder)
    if foreign:
        raise UserError(f"{folder}: contains other files ({foreign}); use an empty or new folder")


def _foreign_name(folder: Path) -> str | None:
    """Return the name of a file in a folder that :func:`save` does not write; None if there is none."""
    if not _is_our_index(folder / INDEX_NAME):
        return min((path.name for path in folder.iterdir()), default=None)
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        is_part = len(name.parts) == 2 and name.parts[0] in PARTS and name.suffix in PART_ENDINGS
        is_known = is_part or str(name) in (INDEX_NAME, CARD_NAME, SHEET_NAME, MARK_NAME)
        if not is_known and (path.is_symlink() or not path.is_dir()):
            return str(name)
    return None


def _is_our_index(path: Path) -> bool:
    """Return whether an index belongs to our pipeline; folders of diffusers' other pipelines look the same."""
    try:
        return bool(json.loads(path.read_text(encoding="utf-8"))["_class_name"] == IHDMPipeline.__name__)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read(folder: Path, device: torch.device | str = "cpu") -> IHDMPipeline:
    """Read a pipeline from a folder, from safetensors only.

    Raises:
        UserError: if there is none, or it is damaged.
    """
    if not folder.exists() and HUB_NAME.fullmatch(str(folder)):
        raise UserError(
            f"{folder}: folder not found; if this is a model on the Hugging Face Hub, download it first: "
            f"`hf download {folder} --local-dir FOLDER`"
        )
    if not (folder / INDEX_NAME).exists():
        raise UserError(
            f"{folder}: not an exported pipeline, as it has no {INDEX_NAME}; use a folder that `models export` or "
            "`ihdm train` wrote"
        )
    # A progress bar over three local files is useless.
    diffusers_logging.disable_progress_bar()
    try:
        pipeline = IHDMPipeline.from_pretrained(folder, local_files_only=True)
    except UserError:
        raise
    except ValidationError as error:
        reason = "; ".join(f"{'.'.join(map(str, one['loc'])) or one['input']}: {one['msg']}" for one in error.errors())
        raise UserError(f"{folder / SCHEDULER_NAME}: {reason}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{folder}: the pipeline cannot be loaded; export or download it again ({reason})") from None
    finally:
        diffusers_logging.enable_progress_bar()
    return pipeline.to(device)


def is_pipeline(folder: Path) -> bool:
    """Return whether a folder has a pipeline."""
    return (folder / INDEX_NAME).exists()
