"""What is counted without computing is what a computation takes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ihdm.config.experiments import NetworkSettings
from ihdm.config.reading import read_config
from ihdm.models.footprint import _Living, activations, inference
from ihdm.models.network import build_network

ROOT = Path(__file__).parents[2]


@pytest.fixture
def preset() -> NetworkSettings:
    return NetworkSettings(
        image_size=16,
        image_channels=3,
        base_channels=16,
        channel_multipliers=(1, 2),
        blocks_per_stage=1,
        attention_stages=(1,),
        dropout=0.1,
        norm_groups=4,
    )


def inputs(preset, batch) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, preset.image_channels, preset.image_size, preset.image_size), torch.ones(batch).long()


def saved_by(network, images, levels) -> int:
    """Bytes of the distinct storages that a real forward pass keeps for the backward pass, weights left out."""
    weights = {parameter.data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(images, levels)
    assert output.requires_grad
    return sum(kept.values())


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_what_training_saves_is_what_a_real_forward_pass_saves(preset, batch):
    found = activations(preset, device="cpu").saved
    expected = saved_by(build_network(preset).train(), *inputs(preset, batch))
    assert found.of(batch) == pytest.approx(expected, rel=0.002)  # a few numbers an image, as the levels themselves
    assert found.fixed == pytest.approx(0, abs=1000)


@pytest.mark.parametrize(("checkpointed", "missed"), [(False, 0.001), (True, 0.06)])
def test_the_peak_of_training_is_that_of_a_backward_pass_too(preset, checkpointed, missed):
    """Without computing, on a CPU: with fake tensors of a GPU that is not there, torch cannot go back."""
    found = activations(preset, checkpointed=checkpointed, device="cpu").peak
    with FakeTensorMode():
        network = build_network(preset).train()
        if checkpointed:
            network.enable_gradient_checkpointing()
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        before = [tensor for weight in network.parameters() for tensor in (weight, weight.grad) if tensor is not None]
        with _Living(before) as living:
            network(*inputs(preset, 64)).sum().backward()
    assert found.of(64) <= living.peak * 1.001
    assert found.of(64) == pytest.approx(living.peak, rel=missed + 0.001)


def test_operations_are_those_of_real_tensors_and_of_an_explicit_sum(preset):
    found = inference(preset)
    network = build_network(preset).eval()
    # Of attention's kernels on a CPU, torch knows the operations of the plain one.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        network(*inputs(preset, 3))
    assert counter.get_total_flops() == 3 * found.flops
    # The first convolution: 9 × 3 inputs for each of 16 outputs at 16 × 16 pixels, multiplied and added.
    assert counter.get_flop_counts()["UNet.conv_in"] == {torch.ops.aten.convolution: 3 * 2 * (9 * 3) * 16 * 16 * 16}


def test_parameters_are_those_of_the_network(preset):
    assert inference(preset).parameters == sum(weight.numel() for weight in build_network(preset).parameters())


def test_a_gpu_keeps_less_than_a_cpu_and_mixed_precision_and_checkpointing_less_again(preset):
    """Dropout there keeps a byte for each number, not four; weights are copied once in lower precision."""
    on_cpu, on_gpu = activations(preset, device="cpu").saved, activations(preset).saved
    mixed = activations(preset, "bf16").saved
    assert mixed.per_image < on_gpu.per_image < on_cpu.per_image
    assert 0 < mixed.fixed <= 2 * inference(preset).parameters
    assert activations(preset, "fp16").saved == mixed
    for precision in ("no", "bf16"):
        kept, again = (activations(preset, precision, checkpointed) for checkpointed in (False, True))
        assert again.saved.per_image < again.peak.per_image < kept.saved.per_image < kept.peak.per_image
    assert inference(preset).peak.per_image < on_gpu.per_image


def test_nothing_of_it_is_left_behind(preset):
    activations(preset, "bf16")
    assert not torch.is_autocast_enabled("cuda")
    assert torch.get_autocast_dtype("cuda") == torch.float16
    assert type(torch.zeros(1)) is Tensor


def test_a_network_of_the_paper_takes_what_was_counted_before():
    """AFHQ at 256 pixels: 1493 GFLOP, 4.2 GB for the backward pass and 0.4 GB in sampling for each image."""
    preset = read_config(ROOT / "config.yaml").networks["afhq256"]
    assert inference(preset).flops == pytest.approx(1493e9, rel=1e-3)
    assert inference(preset).peak.per_image == pytest.approx(0.4034e9, rel=1e-3)
    assert activations(preset).saved.per_image == pytest.approx(4.161e9, rel=1e-3)
