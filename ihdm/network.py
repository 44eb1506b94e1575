"""The paper's U-Net, expressed by diffusers' ``UNet2DModel`` (paper, appendix B)."""

from pathlib import Path

import torch
from accelerate import PartialState
from diffusers import UNet2DModel
from jaxtyping import Float, Int
from safetensors.torch import save_file
from torch import Tensor, nn

from ihdm.errors import UserError
from ihdm.experiments import NetworkSettings
from ihdm.files import atomic_path

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
"""The files that diffusers keeps a network in."""


class Deblurrer(nn.Module):
    """A trained or training network as the plain callable f(u, levels) that the method is written in."""

    def __init__(self, unet: UNet2DModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self, images: Float[Tensor, "batch channel height width"], levels: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Return f(u, k), the predicted difference to the next sharper image."""
        return self.unet(images, levels).sample


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


def compute_device() -> torch.device:
    """Return where networks run: the GPU of this process if there is one, else the CPU."""
    device: torch.device = processes().device
    return device


def processes() -> PartialState:
    """Return this process's place among those of a distributed training; alone, it is the main one of one."""
    # Without a GPU, accelerate looks for further processes only if told that the CPU is meant.
    return PartialState(cpu=not torch.accelerator.is_available())


def save_network(network: UNet2DModel, folder: Path) -> None:
    """Write a network as ``UNet2DModel.from_pretrained`` reads it, each of the two files atomically."""
    config, weights = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    with atomic_path(config) as temporary:
        temporary.write_text(network.to_json_string())
    with atomic_path(weights) as temporary:
        save_file(
            {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()},
            temporary,
            {"format": "pt"},
        )


def load_network(folder: Path, device: torch.device | str = "cpu") -> Deblurrer:
    """Load a trained network for evaluation, from safetensors only.

    Raises:
        UserError: if the folder holds no such network.
    """
    try:
        network = UNet2DModel.from_pretrained(str(folder), use_safetensors=True, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: no network can be loaded from it: {' '.join(str(error).split())}") from None
    return Deblurrer(network).to(device).eval()
