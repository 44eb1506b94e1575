"""Conversion of checkpoints of the released code.

Its U-Net, from improved-diffusion, has the layers of ``ihdm.models.unet`` under other names; query, key and value of an
attention are one convolution of width 1. A checkpoint is a dictionary with ``optimizer``, ``model`` (with the names of
``DataParallel``), ``ema`` and ``step``, written by ``torch.save``.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ihdm.config.experiments import NetworkSettings
from ihdm.errors import UserError
from ihdm.models.network import build_network
from ihdm.models.unet import UNet

Weights = Literal["averaged", "last"]
GROUPS = 32
"""Number of groups of every group normalization in the released code."""
WRAPPER = "module."
"""Prefix that ``DataParallel`` adds to names."""
RESIDUAL = (
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
)


@dataclass(frozen=True)
class Part:
    """A layer with weight and bias, under both names.

    Attributes:
        theirs: in the released code.
        ours: in our network and diffusers; three for query, key and value, which are one layer there.
        is_narrow: whether it is a convolution of width 1 there, and linear here.
    """

    theirs: str
    ours: tuple[str, ...]
    is_narrow: bool = False

    def shape(self, shape: torch.Size, kind: str) -> tuple[int, ...]:
        """Return the shape in the released code of a tensor with ``shape`` here."""
        ending = (1,) if self.is_narrow and kind == "weight" else ()
        return (len(self.ours) * shape[0], *shape[1:], *ending)


def layout(preset: NetworkSettings) -> list[Part]:
    """Return the layers of the network in the order of the released code."""
    with torch.device("meta"):
        network = build_network(preset)
    return list(_parts(preset, network))


def _parts(preset: NetworkSettings, network: UNet) -> Iterator[Part]:
    last, blocks = len(preset.channel_multipliers) - 1, preset.blocks_per_stage
    names = {*network.state_dict()}
    yield Part("time_embed.0", ("time_embedding.linear_1",))
    yield Part("time_embed.2", ("time_embedding.linear_2",))
    yield Part("input_blocks.0.0", ("conv_in",))
    number = 1
    for level in range(last + 1):
        ours = f"down_blocks.{level}"
        for block in range(blocks):
            yield from _residual(f"input_blocks.{number}.0", f"{ours}.resnets.{block}", names)
            if level in preset.attention_stages:
                yield from _attention(f"input_blocks.{number}.1", f"{ours}.attentions.{block}")
            number += 1
        if level < last:
            yield Part(f"input_blocks.{number}.0.op", (f"{ours}.downsamplers.0.conv",))
            number += 1
    yield from _residual("middle_block.0", "mid_block.resnets.0", names)
    yield from _attention("middle_block.1", "mid_block.attentions.0")
    yield from _residual("middle_block.2", "mid_block.resnets.1", names)
    number = 0
    for level in range(last, -1, -1):
        ours, has_attention = f"up_blocks.{last - level}", level in preset.attention_stages
        for block in range(blocks + 1):
            yield from _residual(f"output_blocks.{number}.0", f"{ours}.resnets.{block}", names)
            if has_attention:
                yield from _attention(f"output_blocks.{number}.1", f"{ours}.attentions.{block}")
            if level > 0 and block == blocks:
                place = 1 + has_attention
                yield Part(f"output_blocks.{number}.{place}.conv", (f"{ours}.upsamplers.0.conv",))
            number += 1
    yield Part("out.0", ("conv_norm_out",))
    yield Part("out.2", ("conv_out",))


def _residual(theirs: str, ours: str, names: set[str]) -> Iterator[Part]:
    for there, here in RESIDUAL:
        yield Part(f"{theirs}.{there}", (f"{ours}.{here}",))
    if f"{ours}.conv_shortcut.weight" in names:  # where the number of channels changes
        yield Part(f"{theirs}.skip_connection", (f"{ours}.conv_shortcut",))


def _attention(theirs: str, ours: str) -> Iterator[Part]:
    yield Part(f"{theirs}.norm", (f"{ours}.group_norm",))
    yield Part(f"{theirs}.qkv", (f"{ours}.to_q", f"{ours}.to_k", f"{ours}.to_v"), is_narrow=True)
    yield Part(f"{theirs}.proj_out", (f"{ours}.to_out.0",), is_narrow=True)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint without the state of its optimizer.

    Attributes:
        path: of the file.
        model: weights of the last step, by name, in order.
        averages: averaged weights in the same order, if any.
        step: number of training steps, if known.
    """

    path: Path
    model: Mapping[str, Tensor]
    averages: list[Tensor] | None
    step: int | None

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Read a checkpoint, only tensors and plain values, so that no code in the file is executed.

        Raises:
            UserError: if the file is damaged, has other objects, or is not such a checkpoint.
        """
        content = _load(path)
        model = content.get("model") if isinstance(content, dict) else None
        if not isinstance(model, dict) or not _are_named_tensors(model):
            raise UserError(f"{path}: not a checkpoint of the released code, as it has no weights under 'model'")
        ema = content.get("ema")
        averages = ema.get("shadow_params") if isinstance(ema, dict) else None
        are_tensors = isinstance(averages, list) and all(isinstance(one, Tensor) for one in averages)
        if averages is not None and not are_tensors:
            raise UserError(f"{path}: its averaged weights, 'ema', are not tensors; the file is damaged")
        if all(name.startswith(WRAPPER) for name in model):
            model = {name.removeprefix(WRAPPER): tensor for name, tensor in model.items()}
        step = content.get("step")
        return cls(path, model, averages, step if isinstance(step, int) else None)

    def weights(self, kind: Weights) -> dict[str, Tensor]:
        """Return the averaged weights or those of the last step, by name, in order.

        Raises:
            UserError: if averaged weights are missing or incomplete.
        """
        if kind == "last":
            return dict(self.model)
        if self.averages is None:
            raise UserError(f"{self.path}: no averaged weights, 'ema'; use those of the last step, --weights last")
        if len(self.averages) != len(self.model):
            raise UserError(
                f"{self.path}: {len(self.averages)} averaged tensors for {len(self.model)} of the network; the file is "
                "damaged, or from other code"
            )
        return dict(zip(self.model, self.averages, strict=True))


def _load(path: Path) -> Any:  # noqa: ANN401 (any content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about unsupported pickles, which raise an error, too
            # A memory-mapped file avoids reading the state of the optimizer.
            is_zip = zipfile.is_zipfile(path)
            if is_zip and (damaged := zipfile.ZipFile(path).testzip()):
                raise ValueError(f"{damaged} has another checksum than when it was saved")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path}: contains {found[1]} besides tensors and plain values, which could run code; not loaded"
            ) from None
        reason = str(error)
    except MemoryError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise UserError(f"{path}: cannot read a checkpoint ({' '.join(reason.split())[:120]}); download the file again")


def _are_named_tensors(content: dict[Any, Any]) -> bool:
    return bool(content) and all(isinstance(name, str) and isinstance(one, Tensor) for name, one in content.items())


def convert(checkpoint: Checkpoint, preset: NetworkSettings, weights: Weights = "averaged") -> UNet:
    """Return the network of a checkpoint in float32; every tensor is used once.

    Args:
        checkpoint: of the released code.
        preset: the preset of its network.
        weights: the averaged weights, as in the paper, or those of the last step.

    Raises:
        UserError: if names or shapes do not fit the preset, or values are not finite.
    """
    if preset.norm_groups != GROUPS:
        raise UserError(f"norm_groups is {preset.norm_groups} in the preset; the released code has {GROUPS} everywhere")
    with torch.device("meta"):
        network = build_network(preset)
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    expected = {
        f"{part.theirs}.{kind}": (part, kind) for part in _parts(preset, network) for kind in ("weight", "bias")
    }
    found = checkpoint.weights(weights)
    _require_names(checkpoint.path, list(found), list(expected))
    converted: dict[str, Tensor] = {}
    for name, (part, kind) in expected.items():
        ours = [f"{one}.{kind}" for one in part.ours]
        tensor, shape = found[name], part.shape(shapes[ours[0]], kind)
        if tuple(tensor.shape) != shape:
            raise UserError(
                f"{checkpoint.path}: {name} has shape {_size(tensor.shape)}, but {_size(shape)} in the preset; give "
                "the preset of its training"
            )
        is_plain = tensor.is_floating_point() and tensor.layout == torch.strided and tensor.device.type == "cpu"
        values = tensor.float() if is_plain else tensor
        if not is_plain or not values.isfinite().all():
            raise UserError(f"{checkpoint.path}: {name} has values that are not finite; download the file again")
        for one, piece in zip(ours, values.chunk(len(ours)), strict=True):
            converted[one] = piece.reshape(shapes[one]).clone()
    network.load_state_dict(converted, strict=True, assign=True)
    return network.eval()


def _require_names(path: Path, found: list[str], expected: list[str]) -> None:
    parts = []
    for kind, one, other in (("missing", expected, {*found}), ("unknown", found, {*expected})):
        if names := [name for name in one if name not in other]:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            parts.append(f"{', '.join(names[:3])}{more} {kind}")
    if parts:
        raise UserError(f"{path}: does not fit the preset: {'; '.join(parts)}; give the preset of its training")
    if found != expected:
        # Averaged weights have no names; their order identifies them.
        first = next(name for name, other in zip(found, expected, strict=True) if name != other)
        raise UserError(f"{path}: the order of tensors differs from the released code, from {first} on")


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
