"""Trained networks: as a callable f(u, k), as files in the format of diffusers, and the record of their training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from pydantic import ValidationError
from torch import Tensor, nn

from ihdm.config.experiments import NetworkSettings
from ihdm.config.processes import PREDICTION, ProcessSettings, default_prediction
from ihdm.config.settings import ComputeSettings, Precision
from ihdm.devices import keep_freed_memory
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.models.unet import UNet, from_diffusers, num_inputs_of, to_diffusers
from ihdm.models.weights import read_weights, save_tensors
from ihdm.predictions import Predictor, Statistics
from ihdm.processes.process import require_process
from ihdm.storage.files import atomic_path, sha256
from ihdm.storage.images import StoredImages
from ihdm.storage.provenance import read_record

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
"""The files of a network in diffusers."""
STATISTICS_NAME = "statistics.safetensors"
"""Statistics of the training images, next to a network whose prediction needs them."""
SNAPSHOTS_NAME = "milestones"
"""Folder of snapshots next to them: averaged networks, each in a folder ``stepN``."""
RECORD_NAME = "model.meta.json"
"""The record of the training, next to the network."""
PROCESS_KEY, PREDICTION_KEY = "_process", "_prediction"
"""In the configuration: the settings of the process, and of the prediction if it is not the default of the process.
diffusers ignores keys that start with an underscore."""


class Deblurrer(nn.Module):
    """A network as a callable with its prediction target (None: the default of its process) and autocast precision."""

    def __init__(self, unet: nn.Module, precision: Precision = "no", predictor: Predictor | None = None) -> None:
        super().__init__()
        self.unet = unet
        self.predictor = predictor
        self.dtype = {"no": None, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]

    def forward(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch _ height width"]:
        """Return the output for inputs at levels, in float32 unless autocast is on."""
        if self.dtype is None:
            return self.unet(images, levels)
        with torch.autocast(images.device.type, self.dtype):
            return self.unet(images, levels).float()


def build_network(preset: NetworkSettings, num_inputs: int = 1) -> UNet:
    """Build the network of a preset; see :class:`UNet`."""
    return UNet(preset, num_inputs)


def save_network(network: UNet, folder: Path, process: ProcessSettings, predictor: Predictor | None = None) -> None:
    """Write a network for ``UNet2DModel.from_pretrained``, each file atomically.

    Args:
        network: the network.
        folder: the output folder.
        process: the process of its training.
        predictor: the prediction target; None for the default of the process. Statistics go to a separate file.
    """
    content = to_diffusers(network.preset, network.num_inputs) | {PROCESS_KEY: process.model_dump(mode="json")}
    if predictor and (predictor.statistics or predictor.settings != default_prediction(process)):
        content[PREDICTION_KEY] = PREDICTION.dump_python(predictor.settings, mode="json")
    with atomic_path(folder / CONFIG_NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if predictor and predictor.statistics:
        found = {name: torch.as_tensor(part) for name, part in vars(predictor.statistics).items()}
        save_tensors(found, folder / STATISTICS_NAME, {"format": "pt"})
    save_tensors(network.state_dict(), folder / WEIGHTS_NAME, {"format": "pt"})


def load_network(
    folder: Path,
    process: ProcessSettings,
    images: StoredImages,
    device: torch.device | str = "cpu",
    compute: ComputeSettings | None = None,
) -> Deblurrer:
    """Load a trained network for evaluation, from safetensors only.

    Args:
        folder: written by :func:`save_network`.
        process: its σ, K and blur widths must match the training.
        images: images of the shape that it was trained on.
        device: the device to load it to.
        compute: precision, compilation and memory layout; float32 by default.

    Raises:
        UserError: if the folder has no network, process or images do not match it, or the device does not support the
            precision.
    """
    network, config = _read_network(folder)
    require_process(str(folder), json.dumps(config.get(PROCESS_KEY)), process)
    preset = network.preset
    shape = (preset.image_size, preset.image_size, preset.image_channels)
    if images.shape[1:] != shape:
        theirs, ours = ("×".join(map(str, one)) for one in (shape, images.shape[1:]))
        raise UserError(
            f"{folder}: this network was trained on images of {theirs}, not {ours}; use images of that shape, or "
            "another network"
        )
    compute, kind = compute or ComputeSettings(), torch.device(device).type
    if kind == "cpu":
        keep_freed_memory()
        if compute.precision == "fp16":
            raise UserError("evaluation.compute.precision 'fp16' needs a GPU; use 'bf16' or 'no'")
    network.to(device).eval()
    optimize(network, compile=compute.compile, channels_last=compute.channels_last)
    return Deblurrer(network, compute.precision, read_predictor(folder, config))


def optimize(network: UNet, *, compile: bool, channels_last: bool) -> None:  # noqa: A002
    """Compile a network and change its memory layout on a GPU; on a CPU both are slower and skipped."""
    if network.conv_in.weight.device.type != "cuda":
        return
    if channels_last:
        network.to(memory_format=torch.channels_last)
    if compile:
        network.compile()


def find_snapshots(folder: Path) -> dict[int, Path]:
    """Return the folders of the snapshots of a trained network by step, ascending.

    Raises:
        UserError: if there are none.
    """
    paths = (folder / SNAPSHOTS_NAME).glob("step*")
    found = sorted((int(step), path) for path in paths if (step := path.name.removeprefix("step")).isdigit())
    if not found:
        raise UserError(f"{folder / SNAPSHOTS_NAME}: no snapshots found; set run.snapshot_every and train again")
    return dict(found)


def copy_weights(folder: Path, network: UNet) -> None:
    """Copy the weights of a stored network, of any process, to a network.

    Raises:
        UserError: if the folder has no network, or one of another preset.
    """
    source, _ = _read_network(folder)
    theirs, ours = (to_diffusers(one.preset, one.num_inputs) for one in (source, network))
    for key, value in ours.items():
        if theirs[key] != value:
            raise UserError(
                f"{folder}: weights do not fit: {key} is {theirs[key]} in this network and {value} in the one to be "
                "trained; give a network of the same preset"
            )
    network.load_state_dict(source.state_dict())


def read_predictor(folder: Path, config: Mapping[str, Any]) -> Predictor | None:
    """Return the prediction target of a stored network; None for the default of its process.

    Raises:
        UserError: if the configuration has an unknown prediction target, or its statistics are missing or damaged.
    """
    if (known := config.get(PREDICTION_KEY)) is None:
        return None
    try:
        settings = PREDICTION.validate_python(known)
    except ValidationError:
        raise UserError(
            f"{folder}: {CONFIG_NAME} has an unknown prediction target ({known}); train the network again"
        ) from None
    if not settings.has_statistics:
        return Predictor(settings)
    size = config["sample_size"], config["sample_size"]
    expected = {"mean": torch.empty(config["out_channels"], *size), "power": torch.empty(size)}
    stored = read_weights([folder / STATISTICS_NAME], expected)
    return Predictor(settings, Statistics(**{name: part.numpy() for name, part in stored.items()}))


def _read_network(folder: Path) -> tuple[UNet, dict[str, Any]]:
    """Return a stored network and its configuration."""
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        with torch.device("meta"):
            network = UNet(from_diffusers(config), num_inputs_of(config))
        weights = read_weights([folder / WEIGHTS_NAME], network.state_dict())
        network.to_empty(device="cpu").load_state_dict(weights)
    except ValidationError as error:
        reason = "; ".join(str(mistake["msg"]) for mistake in error.errors())
    except KeyError as error:
        reason = f"{CONFIG_NAME} has no entry {error}"
    except (OSError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
    else:
        return network, config
    raise UserError(f"{folder}: cannot load a network: {reason}")


@dataclass(frozen=True)
class Origin:
    """How a network was trained.

    Attributes:
        folder: of the network.
        settings: defaults for sampling: ``process``, ``seed`` and ``num_train``; ``prediction`` if it is no default.
        images: path of the training images; None if unknown.
        images_sha256: their SHA-256.
    """

    folder: Path
    settings: dict[str, Any]
    images: Path | None
    images_sha256: str

    def training_images(self) -> Path:
        """Return the path of the training images.

        Raises:
            UserError: if they are unknown, missing or changed.
        """
        if self.images is None:
            raise UserError(f"{self.folder}: the record has no training images; give them with --train")
        if not self.images.exists():
            raise UserError(
                f"{self.images}: training images of {self.folder} not found; prepare them again, or give others with "
                "--train"
            )
        if sha256(self.images) != self.images_sha256:
            raise UserError(
                f"{self.images}: changed since {self.folder} was trained on it; prepare the original images again, or "
                "give others with --train"
            )
        return self.images


def read_origin(folder: Path) -> Origin:
    """Read the training of the network in a folder.

    Raises:
        UserError: if the record or the configuration is missing or incomplete.
    """
    training = read_record(folder / RECORD_NAME)
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        known = {"process": config[PROCESS_KEY]}
        if PREDICTION_KEY in config:
            known["prediction"] = config[PREDICTION_KEY]
        arrays = (pair for pair in training["inputs"].items() if pair[0].endswith(".npy"))
        images, images_sha256 = next(arrays, (None, ""))
        known |= {name: training["settings"][name] for name in ("seed", "num_train")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder}: no complete record of the training; give the folder that `models train` wrote"
        ) from None
    return Origin(folder, known, Path(images) if images else None, images_sha256)


def training_settings(folder: Path) -> dict[str, Any]:
    """Return the settings in the record of a network; empty without a record."""
    path = folder / RECORD_NAME
    return dict(read_record(path)["settings"]) if path.exists() else {}
