"""Trained networks: as a callable f(u, k), and as files in the format of diffusers' ``UNet2DModel``."""

import json
import math
import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from ihdm.config.experiments import NetworkSettings
from ihdm.config.processes import PREDICTION, ProcessSettings, default_prediction
from ihdm.config.settings import ComputeSettings, Precision
from ihdm.devices import keep_freed_memory
from ihdm.errors import UserError
from ihdm.heat import Images
from ihdm.models.unet import EPSILON, UNet
from ihdm.models.weights import read_weights
from ihdm.predictions import Predictor, Statistics
from ihdm.processes.settings import require_process
from ihdm.storage.files import atomic_path
from ihdm.storage.images import StoredImages

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
"""The files of a network in diffusers."""
STATISTICS_NAME = "statistics.safetensors"
"""Statistics of the training images, next to a network whose prediction needs them."""
SNAPSHOTS_NAME = "milestones"
"""Folder of snapshots next to them: averaged networks, each in a folder ``stepN``."""
PROCESS_KEY, PREDICTION_KEY = "_process", "_prediction"
"""In the configuration: the settings of the process, and of the prediction if it is not the default of the process.
diffusers ignores keys that start with an underscore."""
FIXED = {
    "_class_name": "UNet2DModel",
    "act_fn": "silu",
    "add_attention": True,
    "attention_head_dim": None,  # one head
    "attn_norm_num_groups": None,
    "center_input_sample": False,
    "class_embed_type": None,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2D",
    "norm_eps": EPSILON,
    "num_class_embeds": None,
    "num_train_timesteps": None,
    "resnet_time_scale_shift": "default",
    "time_embedding_dim": None,
    "time_embedding_type": "positional",
    "upsample_type": "conv",
}
"""Options of ``UNet2DModel`` with the same value in all networks of the paper."""


class Deblurrer(nn.Module):
    """A network as a callable with a prediction target.

    Args:
        unet: the network.
        precision: autocast precision of the forward pass.
        predictor: the prediction target; None for the default of its process.
    """

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
    """Build the network of a preset with random weights from torch's current random state.

    The last layers of blocks and of the network start at zero, so that blocks start as the identity and f = 0.
    """
    return UNet(preset, num_inputs)


def to_diffusers(preset: NetworkSettings, num_inputs: int = 1) -> dict[str, Any]:
    """Return the ``config.json`` from which diffusers builds the network of a preset."""
    kinds = ["Attn" * (number in preset.attention_stages) for number in range(len(preset.widths))]
    return FIXED | {
        "_diffusers_version": version("diffusers"),
        "block_out_channels": preset.widths,
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "dropout": preset.dropout,
        "in_channels": num_inputs * preset.image_channels,
        "layers_per_block": preset.blocks_per_stage,
        "norm_num_groups": preset.norm_groups,
        "out_channels": preset.image_channels,
        "sample_size": preset.image_size,
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
    }


def from_diffusers(config: Mapping[str, Any]) -> NetworkSettings:
    """Return the preset of a ``config.json`` of diffusers.

    Raises:
        KeyError: if an entry is missing.
        ValueError: if no preset describes this network.
    """
    widths = config["block_out_channels"]
    base = math.gcd(*widths)
    preset = NetworkSettings(
        image_size=config["sample_size"],
        image_channels=config["out_channels"],
        base_channels=base,
        channel_multipliers=tuple(width // base for width in widths),
        blocks_per_stage=config["layers_per_block"],
        attention_stages=tuple(
            number for number, kind in enumerate(config["down_block_types"]) if kind == "AttnDownBlock2D"
        ),
        dropout=config["dropout"],
        norm_groups=config["norm_num_groups"],
    )
    for key, value in to_diffusers(preset, _num_inputs(config)).items():
        if key != "_diffusers_version" and config.get(key, value) != value:
            raise ValueError(f"{key} is {config[key]!r}, and the paper's U-Net has {value!r}")
    return preset


def _num_inputs(config: Mapping[str, Any]) -> int:
    return max(1, config["in_channels"] // config["out_channels"])


def save_network(network: UNet, folder: Path, process: ProcessSettings, predictor: Predictor | None = None) -> None:
    """Write a network for ``UNet2DModel.from_pretrained``, each file atomically.

    Args:
        network: the network.
        folder: the output folder.
        process: the process of its training, stored in the configuration.
        predictor: the prediction target; None for the default of the process. Statistics go to a separate file.
    """
    config, weights = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    with atomic_path(config) as temporary:
        content = to_diffusers(network.preset, network.num_inputs) | {PROCESS_KEY: process.model_dump(mode="json")}
        if predictor and (predictor.statistics or predictor.settings != default_prediction(process)):
            content[PREDICTION_KEY] = PREDICTION.dump_python(predictor.settings, mode="json")
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if predictor and predictor.statistics:
        found = {name: torch.as_tensor(part) for name, part in vars(predictor.statistics).items()}
        save_tensors(found, folder / STATISTICS_NAME, {"format": "pt"})
    save_tensors(network.state_dict(), weights, {"format": "pt"})


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: dict[str, str]) -> None:
    """Write tensors as .safetensors, atomically.

    Raises:
        OSError: if the disk is full, or it cannot be written for another reason.
        UserError: if a value is not finite.
    """
    if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise UserError(
            f"{path}: tensor {wrong[0]} has values that are not finite (NaN or infinity), so it is not written; "
            "train with a lower learning rate or in float32 (mixed_precision 'no')"
        )
    with atomic_path(path) as temporary:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, header)
        except SafetensorError as error:
            # The library reports the error number of the system only in its message.
            if (found := re.search(r"\(os error (\d+)\)", str(error))) is None:
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None


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
    shape = (network.preset.image_size, network.preset.image_size, network.preset.image_channels)
    if images.shape[1:] != shape:
        raise UserError(
            f"{folder}: this network was trained on images of {'×'.join(map(str, shape))}, "
            f"not {'×'.join(map(str, images.shape[1:]))}; use images of that shape, or another network"
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
            network = UNet(from_diffusers(config), _num_inputs(config))
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
