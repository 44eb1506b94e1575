"""What a network takes: operations, and memory in training and in sampling.

It is found with tensors that hold no values, as if they lay on a GPU, by the passes that training and sampling make:
nothing is computed, no memory is needed, and no GPU has to be there.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from ihdm.config.experiments import NetworkSettings
from ihdm.models.network import Deblurrer, build_network
from ihdm.models.unet import UNet

WEIGHT_BYTES = 4
COPIES_IN_TRAINING = 5
"""Weights, gradients, their average, and two moments, each in float32."""
COPIES_IN_STATE = 4
"""The same without gradients."""
BATCHES = (2, 4)
"""Memory is linear in the batch from two images on; of one, some layouts need no copy."""
Function = Callable[..., object]
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Memory:
    """Bytes that grow with the batch.

    Attributes:
        fixed: of any batch; copies of the weights in lower precision are among them.
        per_image: of each image.
    """

    fixed: float
    per_image: float

    def of(self, batch: int) -> float:
        """Return the bytes of a batch."""
        return self.fixed + self.per_image * batch


@dataclass(frozen=True)
class Activations:
    """What a training holds beside weights, gradients, average and moments.

    Attributes:
        saved: what the forward pass leaves for the backward pass.
        peak: the most that there is at a time. Where blocks are computed again in the backward pass, what the largest
            of them needs for it is in it. Buffers that cuDNN asks for, and gaps between tensors, are not.
    """

    saved: Memory
    peak: Memory


@dataclass(frozen=True)
class Inference:
    """One forward pass without gradients.

    Attributes:
        parameters: numbers in the network.
        flops: operations for an image, a multiplication and an addition counted as two; those of convolutions, linear
            layers and attention, and no others.
        peak: the most memory that there is at a time, without the weights.
    """

    parameters: int
    flops: int
    peak: Memory


class _Living(TorchDispatchMode):
    """Counts the bytes of all tensors that are made, while they live; views of those that were there are none."""

    def __init__(self, before: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known = weakref.WeakSet(tensor.untyped_storage() for tensor in before)

    def __torch_dispatch__(
        self, func: Function, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and (storage := tensor.untyped_storage()) not in self.known:
                self.known.add(storage)
                self.now += storage.nbytes()
                weakref.finalize(storage, self._forget, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return result

    def _forget(self, size: int) -> None:
        self.now -= size


class _EfficientAttention(TorchFunctionMode):
    """Lets attention take the kernel that needs little memory, which without a GPU there torch does not choose."""

    def __torch_function__(
        self, func: Function, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        if func is F.scaled_dot_product_attention and args[0].device.type == "cuda":
            return torch.ops.aten._scaled_dot_product_efficient_attention(*args[:3], None, True)[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def _autocast(device: str, precision: str) -> Iterator[None]:
    """Do what torch.autocast does, which turns itself off where there is no GPU."""
    if precision not in PRECISIONS:
        yield
        return
    before = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_enabled(device, True)
    torch.set_autocast_dtype(device, PRECISIONS[precision])
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled(device, before[0])
        torch.set_autocast_dtype(device, before[1])


def _pass(network: UNet, batch: int, precision: str) -> tuple[int, int]:
    """Return the bytes that a forward pass leaves behind, and the most that there are at a time."""
    device, preset = network.conv_in.weight.device, network.preset
    with _Living(network.parameters()) as living, _EfficientAttention(), _autocast(device.type, precision):
        images = torch.empty(batch, preset.image_channels, preset.image_size, preset.image_size, device=device)
        levels = torch.ones(batch, dtype=torch.long, device=device)
        output = Deblurrer(network)(images, levels)
        return living.now - output.untyped_storage().nbytes(), living.peak


def _linear(small: int, large: int) -> Memory:
    first, second = BATCHES
    per_image = (large - small) / (second - first)
    return Memory(small - per_image * first, per_image)


def _recomputed(module: nn.Module, *inputs: object) -> object:
    """Pass a block whose inputs alone are kept.

    It is run once more, for what the backward pass will need for it: as late, everything before it is kept as well.
    """
    module(*inputs)
    return checkpoint(module, *inputs, use_reentrant=False)


@cache
def activations(
    preset: NetworkSettings, precision: str = "no", checkpointed: bool = False, device: str = "cuda"
) -> Activations:
    """Return the memory that a training's forward and backward pass need for what lies between the layers.

    Args:
        preset: the network.
        precision: ``training.mixed_precision``.
        checkpointed: whether each block keeps its inputs alone and is computed again (gradient checkpointing).
        device: as if on which; on a CPU dropout is not fused.
    """
    with FakeTensorMode():
        with torch.device(device):
            network = build_network(preset).train()
        if checkpointed:
            network.enable_gradient_checkpointing(_recomputed)
        saved, peak = zip(*(_pass(network, batch, precision) for batch in BATCHES), strict=True)
    return Activations(_linear(*saved), _linear(*peak))


@cache
def inference(preset: NetworkSettings, device: str = "cuda") -> Inference:
    """Return what evaluating a network takes, in float32.

    Args:
        preset: the network.
        device: as if on which.
    """
    with FakeTensorMode(), torch.no_grad():
        with torch.device(device):
            network = build_network(preset).eval()
        peak = _linear(*(_pass(network, batch, "no")[1] for batch in BATCHES))
        with FlopCounterMode(display=False) as counter:
            _pass(network, 1, "no")
        parameters = sum(parameter.numel() for parameter in network.parameters())
    return Inference(parameters, counter.get_total_flops(), peak)
