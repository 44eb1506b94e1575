"""The paper's U-Net (appendix B) in one file.

An image passes residual blocks at falling and then at rising resolution; each block on the way up also receives the
output of the matching block on the way down. Every block receives an embedding of the level k, and some resolutions
have self-attention. The network is that of the released code. Its parameters have the names that diffusers gives
them, so diffusers' ``UNet2DModel`` and this module load each other's weights.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from itertools import zip_longest
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ihdm.config.experiments import NetworkSettings
from ihdm.heat import Images

Features = Float[Tensor, "batch feature height width"]
Embedding = Float[Tensor, "batch embedding"]

MAX_PERIOD = 10_000
"""Longest period of the sinusoidal embedding, in levels."""
EPSILON = 1e-5
"""Added to the variance by every group normalization."""
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


def silu(values: Tensor) -> Tensor:
    """Return x · sigmoid(x), in place where no gradient needs the argument."""
    return F.silu(values, inplace=not torch.is_grad_enabled())


def add(values: Tensor, more: Tensor) -> Tensor:
    """Return the sum, in place of ``values`` where no gradient needs them; under autocast, types may differ."""
    if torch.is_grad_enabled() or values.dtype != more.dtype:
        return values + more
    return values.add_(more)


class InputConvolution(nn.Conv2d):
    """A convolution that stays in float32 under autocast.

    In bfloat16, values between 0.5 and 1 are 1/256 apart, which is not far below the noise σ = 0.01 that a network for
    heat has to remove.
    """

    def forward(self, images: Images) -> Features:
        """Convolve in the precision of the weights."""
        with torch.autocast(images.device.type, enabled=False):
            return super().forward(images.to(self.weight.dtype))


class LevelEmbedding(nn.Module):
    """Two linear layers on the sinusoidal embedding of the level: cosines, then sines, frequencies falling from 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear_1 = nn.Linear(channels, 4 * channels)
        self.linear_2 = nn.Linear(4 * channels, 4 * channels)

    def forward(self, levels: Int[Tensor, "batch"]) -> Embedding:
        """Return silu(embedding): every block uses the embedding through this activation."""
        half = self.channels // 2
        exponents = -math.log(MAX_PERIOD) * torch.arange(half, dtype=torch.float32, device=levels.device) / half
        angles = levels[:, None].float() * exponents.exp()
        waves = F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, self.channels % 2))
        return silu(self.linear_2(silu(self.linear_1(waves.to(self.linear_1.weight.dtype)))))


class ResidualBlock(nn.Module):
    """Two normalized convolutions with the embedding of the level added in between, and a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, preset: NetworkSettings) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(preset.norm_groups, channels_in, EPSILON)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * preset.widths[0], channels_out)
        self.norm2 = nn.GroupNorm(preset.norm_groups, channels_out, EPSILON)
        self.dropout = nn.Dropout(preset.dropout)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.conv_shortcut = None if channels_in == channels_out else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, features: Features, embedding: Embedding) -> Features:
        """Return features of the same height and width."""
        hidden = self.conv1(silu(self.norm1(features)))
        hidden = add(hidden, self.time_emb_proj(embedding)[:, :, None, None])
        hidden = self.conv2(self.dropout(silu(self.norm2(hidden))))
        return add(hidden, self.conv_shortcut(features) if self.conv_shortcut else features)


class Attention(nn.Module):
    """Self-attention with one head over all pixels, added to its input."""

    def __init__(self, channels: int, preset: NetworkSettings) -> None:
        super().__init__()
        self.group_norm = nn.GroupNorm(preset.norm_groups, channels, EPSILON)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])  # a list, for diffusers' name: to_out.0

    def forward(self, features: Features) -> Features:
        """Return features of the same shape."""
        pixels = self.group_norm(features).flatten(2).transpose(1, 2)
        query, key, value = (project(pixels)[:, None] for project in (self.to_q, self.to_k, self.to_v))
        attended = self.to_out[0](F.scaled_dot_product_attention(query, key, value)[:, 0])
        return features + attended.transpose(1, 2).reshape(features.shape)


class Repeat(nn.Module):
    """Double height and width by repeating pixels."""

    def forward(self, features: Features) -> Features:
        """Return features of twice the height and width."""
        if torch.is_grad_enabled() or features.device.type != "cpu":
            return F.interpolate(features, scale_factor=2.0, mode="nearest")
        return features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)  # the same, several times faster


class Stage(nn.Module):
    """The residual blocks of one resolution, attention after the first few of them, and a change of size at the end.

    Args:
        channels_in: channels that each block receives; on the way up, those of the skip connection included.
        channels_out: channels that each block returns.
        preset: of the whole network.
        num_attentions: number of blocks that are followed by attention.
        downsample: whether height and width are halved at the end.
        upsample: whether they are doubled.
    """

    def __init__(
        self,
        channels_in: Sequence[int],
        channels_out: int,
        preset: NetworkSettings,
        num_attentions: int,
        *,
        downsample: bool = False,
        upsample: bool = False,
    ) -> None:
        super().__init__()
        resnets, attentions = [], []
        for number, channels in enumerate(channels_in):
            resnets.append(ResidualBlock(channels, channels_out, preset))
            if number < num_attentions:
                attentions.append(Attention(channels_out, preset))
        # Lists even for one module or none, and the name "conv", give parameters the names of diffusers.
        self.attentions = nn.ModuleList(attentions)
        self.resnets = nn.ModuleList(resnets)
        self.downsamplers, self.upsamplers = nn.ModuleList(), nn.ModuleList()
        if downsample:
            halve = nn.Conv2d(channels_out, channels_out, 3, stride=2, padding=1)
            self.downsamplers.append(nn.Sequential(OrderedDict(conv=halve)))
        if upsample:
            smooth = nn.Conv2d(channels_out, channels_out, 3, padding=1)
            self.upsamplers.append(nn.Sequential(OrderedDict(repeat=Repeat(), conv=smooth)))

    def blocks(self) -> Iterator[tuple[nn.Module, nn.Module | None]]:
        """Yield every residual block with the attention that follows it, if any."""
        return zip_longest(self.resnets, self.attentions)


class UNet(nn.Module):
    """The network f(u, k), with random weights from torch's current random state.

    The last convolution of every residual block, the output of every attention and the last convolution of the network
    start at zero: each block starts as the identity and the network as f = 0.

    Args:
        preset: size of the images, widths, blocks, attention and dropout.
        num_inputs: number of images that it receives, stacked along the channels.
    """

    def __init__(self, preset: NetworkSettings, num_inputs: int = 1) -> None:
        super().__init__()
        self.preset = preset
        self.num_inputs = num_inputs
        self.run_block: Callable[..., Any] = _call
        widths, last, num_blocks = preset.widths, len(preset.widths) - 1, preset.blocks_per_stage

        def attentions(resolution: int, blocks: int) -> int:
            return blocks if resolution in preset.attention_stages else 0

        self.conv_in = InputConvolution(num_inputs * preset.image_channels, widths[0], 3, padding=1)
        self.time_embedding = LevelEmbedding(widths[0])
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        skips = [widths[0]]
        for resolution, width in enumerate(widths):
            channels_in = [skips[-1], *[width] * (num_blocks - 1)]
            shrinks = resolution < last
            self.down_blocks.append(
                Stage(channels_in, width, preset, attentions(resolution, num_blocks), downsample=shrinks)
            )
            skips += [width] * (num_blocks + shrinks)
        self.mid_block = Stage([widths[-1]] * 2, widths[-1], preset, num_attentions=1)
        channels = widths[-1]
        for resolution, width in reversed([*enumerate(widths)]):
            channels_in = [before + skips.pop() for before in (channels, *[width] * num_blocks)]
            self.up_blocks.append(
                Stage(channels_in, width, preset, attentions(resolution, num_blocks + 1), upsample=resolution > 0)
            )
            channels = width
        self.conv_norm_out = nn.GroupNorm(preset.norm_groups, widths[0], EPSILON)
        self.conv_out = nn.Conv2d(widths[0], preset.image_channels, 3, padding=1)
        for name, module in self.named_modules():
            if name.endswith(("conv2", "to_out.0", "conv_out")):
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, images: Images, levels: Int[Tensor, "batch"]) -> Float[Tensor, "batch _ height width"]:
        """Return f(u, k) of the images u at levels k from 1 to K."""
        embedding = self.time_embedding(levels)
        features = self.conv_in(images)
        skips = [features]
        for stage in cast("list[Stage]", self.down_blocks):
            for block, attention in stage.blocks():
                features = self._block(block, attention, features, embedding)
                skips.append(features)
            for downsample in stage.downsamplers:
                features = downsample(features)
                skips.append(features)
        for block, attention in self.mid_block.blocks():
            features = self._block(block, attention, features, embedding)
        for stage in cast("list[Stage]", self.up_blocks):
            for block, attention in stage.blocks():
                features = self._block(block, attention, torch.cat([features, skips.pop()], dim=1), embedding)
            for upsample in stage.upsamplers:
                features = upsample(features)
        return self.conv_out(silu(self.conv_norm_out(features)))

    def _block(
        self, block: nn.Module, attention: nn.Module | None, features: Features, embedding: Embedding
    ) -> Features:
        features = self.run_block(block, features, embedding)
        return features if attention is None else attention(features)

    def enable_gradient_checkpointing(self, run_block: Callable[..., Any] | None = None) -> None:
        """Recompute every residual block in the backward pass instead of storing its activations.

        Args:
            run_block: how a block is called with its inputs; by default torch's ``checkpoint``.
        """
        self.run_block = run_block or partial(checkpoint, use_reentrant=False)


def _call(block: nn.Module, *inputs: Tensor) -> Tensor:
    return block(*inputs)


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
    for key, value in to_diffusers(preset, num_inputs_of(config)).items():
        if key != "_diffusers_version" and config.get(key, value) != value:
            raise ValueError(f"{key} is {config[key]!r}, and the paper's U-Net has {value!r}")
    return preset


def num_inputs_of(config: Mapping[str, Any]) -> int:
    """Return the number of input images of the network of a ``config.json`` of diffusers."""
    return max(1, config["in_channels"] // config["out_channels"])
