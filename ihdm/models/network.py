"""The paper's U-Net, expressed by diffusers' ``UNet2DModel`` (paper, appendix B)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from ihdm.config.experiments import NetworkSettings
from ihdm.config.processes import ProcessSettings
from ihdm.config.settings import ComputeSettings, Precision
from ihdm.devices import keep_freed_memory
from ihdm.errors import UserError
from ihdm.processes.settings import require_process
from ihdm.storage.files import NO_SPACE, atomic_path
from ihdm.storage.images import StoredImages

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
"""The files that diffusers keeps a network in."""
MILESTONES_NAME = "milestones"
"""Folder beside them of the averaged networks that were kept on the way, each in a folder of its own, ``stepN``."""
PROCESS_KEY = "_process"
"""In the configuration: the settings of the process. What starts with an underscore diffusers passes over."""


class InputConvolution(nn.Conv2d):
    """A convolution that stays in float32 under autocast.

    In bfloat16 values between a half and one are 1/256 apart, which is not far below the noise σ = 0.01 that a network
    for heat is to remove.
    """

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch feature height width"]:
        """Convolve in the precision of the weights."""
        with torch.autocast(images.device.type, enabled=False):
            return super().forward(images.to(self.weight.dtype))


class Deblurrer(nn.Module):
    """A trained or training network as the plain callable f(u, levels) that the method is written in.

    Args:
        unet: the network; its first convolution stays in float32 from now on, see :class:`InputConvolution`.
        precision: of the rest, when it is used without an accelerator.
    """

    def __init__(self, unet: UNet2DModel, precision: Precision = "no") -> None:
        super().__init__()
        unet.conv_in.__class__ = InputConvolution
        self.unet = unet
        self.dtype = {"no": None, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]

    def forward(
        self, images: Float[Tensor, "batch channel height width"], levels: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return f(u, k), the predicted difference to the next sharper image, in float32 unless autocast is on."""
        if self.dtype is None:
            return self.unet(images, levels).sample
        with torch.autocast(images.device.type, self.dtype):
            return self.unet(images, levels).sample.float()


def build_network(preset: NetworkSettings) -> UNet2DModel:
    """Build the network of a preset with fresh weights from torch's current random state.

    The last convolution of every residual block, the output of every attention and the last convolution of the network
    start at zero, so that each block starts as the identity and the network as f = 0; diffusers leaves that out.
    """
    levels = range(len(preset.channel_multipliers))
    network = UNet2DModel(
        sample_size=preset.image_size,
        in_channels=preset.image_channels,
        out_channels=preset.image_channels,
        block_out_channels=tuple(preset.base_channels * multiplier for multiplier in preset.channel_multipliers),
        layers_per_block=preset.blocks_per_level,
        down_block_types=tuple(
            "AttnDownBlock2D" if level in preset.attention_levels else "DownBlock2D" for level in levels
        ),
        up_block_types=tuple(
            "AttnUpBlock2D" if level in preset.attention_levels else "UpBlock2D" for level in reversed(levels)
        ),
        dropout=preset.dropout,
        norm_num_groups=preset.norm_groups,
        norm_eps=1e-5,
        attention_head_dim=None,  # one head
        downsample_padding=1,
        time_embedding_type="positional",
        flip_sin_to_cos=True,
        freq_shift=0,
    )
    for name, module in network.named_modules():
        if name.endswith(("conv2", "to_out.0", "conv_out")) and isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.zeros_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def save_network(network: UNet2DModel, folder: Path, process: ProcessSettings) -> None:
    """Write a network as ``UNet2DModel.from_pretrained`` reads it, each of the two files atomically.

    The configuration tells the process that the network was trained for.
    """
    config, weights = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    with atomic_path(config) as temporary:
        content = json.loads(network.to_json_string()) | {PROCESS_KEY: process.model_dump(mode="json")}
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    save_tensors(network.state_dict(), weights, {"format": "pt"})


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: dict[str, str]) -> None:
    """Write tensors as .safetensors, atomically.

    Raises:
        UserError: if the disk is full.
    """
    with atomic_path(path) as temporary:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, header)
        except SafetensorError as error:
            # The library tells what the system says only in words.
            number = next((number for number in NO_SPACE if f"(os error {number})" in str(error)), None)
            if number is None:
                raise
            raise OSError(number, str(error), str(path)) from None


def load_network(
    folder: Path,
    process: ProcessSettings,
    images: StoredImages,
    device: torch.device | str = "cpu",
    compute: ComputeSettings | None = None,
) -> Deblurrer:
    """Load a trained network for evaluation, from safetensors only.

    Args:
        folder: where :func:`save_network` wrote it.
        process: what it is going to be used for: σ, K and blur widths must be those that it was trained for.
        images: images as it is going to see; only their shape counts.
        device: where it goes.
        compute: how it computes; in float32, unless given.

    Raises:
        UserError: if the folder holds no such network, or one for another process or other images, or the precision
            does not exist on this device.
    """
    network, made_for = _read_network(folder)
    require_process(str(folder), json.dumps(made_for), process)
    shape = (network.config.sample_size, network.config.sample_size, network.config.in_channels)
    if images.shape[1:] != shape:
        raise UserError(
            f"{folder}: this network was trained on images of {'×'.join(map(str, shape))}, "
            f"not {'×'.join(map(str, images.shape[1:]))}; take the images or the network that belong together"
        )
    compute, kind = compute or ComputeSettings(), torch.device(device).type
    if kind == "cpu":
        keep_freed_memory()
        if compute.precision == "fp16":
            raise UserError("evaluation.compute.precision 'fp16' needs a GPU; use 'bf16' or 'no'")
    network.to(device).eval()
    optimise(network, compile=compute.compile, channels_last=compute.channels_last)
    return Deblurrer(network, compute.precision)


def optimise(network: UNet2DModel, *, compile: bool, channels_last: bool) -> None:  # noqa: A002
    """Compile a network and change its layout in memory, on a GPU; on a CPU both are slower, and left."""
    if network.device.type != "cuda":
        return
    if channels_last:
        network.to(memory_format=torch.channels_last)
    if compile:
        network.compile()


def find_milestones(folder: Path) -> dict[int, Path]:
    """Return the networks that a training kept on its way, by their step, ascending.

    Args:
        folder: of the trained network.

    Raises:
        UserError: if there are none.
    """
    paths = (folder / MILESTONES_NAME).glob("step*")
    found = sorted((int(step), path) for path in paths if (step := path.name.removeprefix("step")).isdigit())
    if not found:
        raise UserError(
            f"{folder / MILESTONES_NAME}: no networks of the way lie here; train with run.milestone_every to keep some"
        )
    return dict(found)


def copy_weights(folder: Path, network: UNet2DModel) -> None:
    """Give a network the weights of a stored one, whatever process that was trained for.

    Raises:
        UserError: if the folder holds no network, or one of another preset.
    """
    source, _ = _read_network(folder)
    theirs, ours = (json.loads(one.to_json_string()) for one in (source, network))
    for key, value in ours.items():
        if not key.startswith("_") and theirs.get(key) != value:
            raise UserError(
                f"{folder}: its weights do not fit, for {key} is {theirs.get(key)} in that network and {value} in the "
                "one to be trained; give a network of the same preset"
            )
    network.load_state_dict(source.state_dict())


def _read_network(folder: Path) -> tuple[UNet2DModel, Any]:
    """Return a stored network, and the settings of the process that it was trained for, None if it does not tell."""
    try:
        network = UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)
        return network, json.loads((folder / CONFIG_NAME).read_text()).get(PROCESS_KEY)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder}: no network can be loaded from it: {' '.join(str(error).split())}") from None
