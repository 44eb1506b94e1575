"""Operations of a network, and its memory in training and in sampling.

Both are measured in simulated forward passes on fake tensors, which need neither a GPU nor memory.
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
"""Weights, gradients, averaged weights, and two moments, each in float32."""
COPIES_IN_STATE = 4
"""All but the gradients."""
BATCHES = (2, 4)
"""Memory is linear in the batch size from two images on; for one image, some layouts need no copy."""
Function = Callable[..., object]
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Memory:
    """Bytes as a linear function of the batch size; ``fixed`` includes copies of the weights in lower precision."""

    fixed: float
    per_image: float

    def of(self, batch: int) -> float:
        """Return the bytes of a batch."""
        return self.fixed + self.per_image * batch


@dataclass(frozen=True)
class Activations:
    """Memory of training, without weights, gradients, averaged weights and moments.

    Attributes:
        saved: activations kept for the backward pass.
        peak: peak memory, with the recomputation of the largest block under gradient checkpointing, without cuDNN
            buffers and fragmentation.
    """

    saved: Memory
    peak: Memory


@dataclass(frozen=True)
class Inference:
    """A forward pass without gradients.

    Attributes:
        parameters: number of parameters.
        flops: floating-point operations per image of convolutions, linear layers and attention.
        peak: peak memory, without the weights.
    """

    parameters: int
    flops: int
    peak: Memory


class _Living(TorchDispatchMode):
    """Counts the bytes of all live tensors that were created in it, without views of older ones."""

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
    """Selects the memory-efficient attention kernel, which torch does not choose without a GPU."""

    def __torch_function__(
        self, func: Function, types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        if func is F.scaled_dot_product_attention and args[0].device.type == "cuda":
            return torch.ops.aten._scaled_dot_product_efficient_attention(*args[:3], None, True)[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def _autocast(device: str, precision: str) -> Iterator[None]:
    """Enable autocast for a device; torch.autocast disables itself without a GPU."""
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
    """Return the bytes that remain after a forward pass, and the peak."""
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
    """Checkpoint a block, after a run that adds the memory of its recomputation to the peak."""
    module(*inputs)
    return checkpoint(module, *inputs, use_reentrant=False)


@cache
def activations(
    preset: NetworkSettings, precision: str = "no", checkpointed: bool = False, device: str = "cuda"
) -> Activations:
    """Return the memory of the activations in training.

    Args:
        preset: the network.
        precision: ``training.mixed_precision``.
        checkpointed: whether gradient checkpointing is on.
        device: the simulated device; on a CPU dropout is not fused.
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
    """Return the cost of evaluating a network in float32 on a simulated device."""
    with FakeTensorMode(), torch.no_grad():
        with torch.device(device):
            network = build_network(preset).eval()
        peak = _linear(*(_pass(network, batch, "no")[1] for batch in BATCHES))
        with FlopCounterMode(display=False) as counter:
            _pass(network, 1, "no")
        parameters = sum(parameter.numel() for parameter in network.parameters())
    return Inference(parameters, counter.get_total_flops(), peak)
