import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ihdm.config.experiments import NetworkSettings
from ihdm.config.processes import HeatSettings, WhitenedSettings
from ihdm.config.reading import read_config
from ihdm.config.settings import ComputeSettings
from ihdm.errors import UserError
from ihdm.models.network import (
    CONFIG_NAME,
    PROCESS_KEY,
    STATISTICS_NAME,
    WEIGHTS_NAME,
    Deblurrer,
    build_network,
    from_diffusers,
    load_network,
    save_network,
    to_diffusers,
)
from ihdm.models.unet import Attention, ResidualBlock
from ihdm.predictions import Predictor

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"
SCALES = {
    file: read_config(ROOT / file)
    for file in ("config.yaml", *(f"workflow/config/{scale}.yaml" for scale in ("desk", "quick", "smoke")))
}

MILLIONS_OF_PARAMETERS = {
    "mnist": "42.08",
    "cifar10": "61.06",
    "afhq256": "210.90",
    "afhq64": "88.22",
    "ffhq256": "210.90",
    "ffhq128": "159.98",
    "lsun_church128": "261.83",
    "mnist_small": "3.70",
}

MNIST_SMALL = NetworkSettings(
    image_size=28,
    image_channels=1,
    base_channels=64,
    channel_multipliers=(1, 1, 1),
    blocks_per_stage=4,
    attention_stages=(2,),
    dropout=0.1,
)


@pytest.fixture
def preset() -> NetworkSettings:
    return NetworkSettings(
        image_size=8,
        image_channels=1,
        base_channels=8,
        channel_multipliers=(1, 2),
        blocks_per_stage=1,
        attention_stages=(1,),
        dropout=0.1,
        norm_groups=4,
    )


def test_golden(golden):
    """The authors' network with the same weights gives the same output."""
    values = golden("network")
    network = build_network(
        NetworkSettings(
            image_size=values["image"].shape[-1],
            image_channels=3,
            base_channels=int(values["base_channels"]),
            channel_multipliers=tuple(values["channel_mult"].tolist()),
            blocks_per_stage=int(values["res_blocks"]),
            attention_stages=tuple(values["attention_levels"].tolist()),
            dropout=0.1,
        )
    )
    weights = load_file(GOLDEN / "network.safetensors")
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, strict=True)
    deblurrer = Deblurrer(network).eval()
    with torch.no_grad():
        output = deblurrer(torch.as_tensor(values["image"]), torch.as_tensor(values["level"]))
    torch.testing.assert_close(output, torch.as_tensor(values["output"]), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", MILLIONS_OF_PARAMETERS)
def test_parameter_counts_of_the_released_settings(name):
    presets = {**SCALES["config.yaml"].networks, "mnist_small": MNIST_SMALL}
    with torch.device("meta"):
        network = build_network(presets[name])
    count = sum(parameter.numel() for parameter in network.parameters())
    assert f"{count / 1e6:.2f}" == MILLIONS_OF_PARAMETERS[name]


def test_exactly_the_papers_modules_start_at_zero(preset):
    """The last convolution of every block, every attention's output and the output convolution; nothing else."""
    network = build_network(preset)
    expected = {network.conv_out}
    for module in network.modules():
        if isinstance(module, ResidualBlock):
            expected.add(module.conv2)
        elif isinstance(module, Attention):
            expected.add(module.to_out[0])
    # Blocks: one down and two up at each of two levels, two in the middle. Attention: one down, two up, one in between.
    assert len(expected) == 1 + (1 + 2) * 2 + 2 + (1 + 2 + 1)
    weighted = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    zero = {module for module in weighted if not module.weight.any()}
    assert zero == expected
    assert not any(module.bias.any() for module in zero)


def test_starts_as_predicting_no_difference(preset):
    network = Deblurrer(build_network(preset))
    assert not network(torch.rand(2, 1, 8, 8), torch.tensor([1, 7])).any()


def test_every_parameter_learns(preset):
    """No module is left out of the network's graph: after the zeros are gone every parameter gets a gradient."""
    network = build_network(preset)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    Deblurrer(network)(torch.rand(2, 1, 8, 8), torch.tensor([1, 7])).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


PROCESS = HeatSettings(kind="heat", sigma=0.01, num_levels=6, blur_sigma_max=4.0)
IMAGES = np.zeros((1, 8, 8, 1), dtype=np.uint8)


def diffusers_network(network: nn.Module) -> UNet2DModel:
    """The same network with the same weights, as diffusers builds it."""
    theirs = UNet2DModel.from_config(to_diffusers(network.preset))
    theirs.load_state_dict(network.state_dict())
    return theirs


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, config in SCALES.items() for name in config.networks]
)
def test_every_preset_is_the_network_that_diffusers_builds(file, name):
    """The same parameters in the same order, and the same configuration in both directions."""
    preset = SCALES[file].networks[name]
    with torch.device("meta"):
        ours, theirs = build_network(preset), UNet2DModel.from_config(to_diffusers(preset))
    shapes = [[(key, tensor.shape) for key, tensor in one.state_dict().items()] for one in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert to_diffusers(preset) == json.loads(theirs.to_json_string())
    assert to_diffusers(from_diffusers(json.loads(theirs.to_json_string()))) == to_diffusers(preset)


@pytest.mark.parametrize("name", [*SCALES["config.yaml"].networks, "mnist_small", "smoke", "quick"])
def test_outputs_and_gradients_are_those_of_diffusers(name, preset):
    """For every layout of the paper, at a quarter of its width, and for the small networks as they are."""
    quick = SCALES["workflow/config/quick.yaml"].networks["photos"]
    known = {**SCALES["config.yaml"].networks, "mnist_small": MNIST_SMALL, "smoke": preset, "quick": quick}
    narrow = {"dropout": 0.0} | ({"base_channels": 32, "norm_groups": 8} if known[name].base_channels > 32 else {})
    size = min(known[name].image_size, 2 ** len(known[name].channel_multipliers))
    ours = build_network(known[name].model_copy(update={**narrow, "image_size": size}))
    generator = torch.Generator().manual_seed(0)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.05, generator=generator)
    theirs = diffusers_network(ours)
    images = torch.rand(2, known[name].image_channels, size, size, generator=generator)
    levels = torch.tensor([1, 97])
    found, expected = ours(images, levels), theirs(images, levels).sample
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    with torch.no_grad():  # where activations are computed in place
        torch.testing.assert_close(ours(images, levels), expected, atol=1e-5, rtol=1e-5)
    for output in (found, expected):
        output.square().sum().backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if not name.endswith("to_k.bias"):  # softmax does not depend on it, so that its gradient is rounding alone
            assert (own.grad - other.grad).norm() <= 1e-4 * other.grad.norm(), name


def test_initial_weights_are_drawn_as_diffusers_draws_them(preset):
    """Networks of the same seed start as they did when diffusers built them."""
    torch.manual_seed(5)
    ours = build_network(preset)
    torch.manual_seed(5)
    theirs = UNet2DModel.from_config(to_diffusers(preset))
    for (name, drawn), expected in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(drawn, expected) or not drawn.any(), name


def test_gradient_checkpointing_changes_no_gradient(preset):
    network = build_network(preset.model_copy(update={"dropout": 0.0}))
    gradients = []
    for _ in range(2):
        network.zero_grad()
        for seed, parameter in enumerate(network.parameters()):
            nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(seed))
        images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        network(images, torch.tensor([1, 7])).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
        network.enable_gradient_checkpointing()
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_folders_are_read_by_diffusers_and_by_us_whoever_wrote_them(preset, tmp_path):
    network = build_network(preset).eval()
    nn.init.normal_(network.conv_out.weight)
    images, levels = torch.rand(2, 1, 8, 8), torch.tensor([3, 4])
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    save_network(network, ours, PROCESS)
    read = UNet2DModel.from_pretrained(ours).eval()
    read.save_pretrained(theirs)
    config = json.loads((theirs / CONFIG_NAME).read_text()) | {PROCESS_KEY: PROCESS.model_dump(mode="json")}
    (theirs / CONFIG_NAME).write_text(json.dumps(config))
    with torch.no_grad():
        expected = network(images, levels)
        torch.testing.assert_close(read(images, levels).sample, expected, atol=1e-5, rtol=1e-5)
        for folder in (ours, theirs):
            assert torch.equal(load_network(folder, PROCESS, IMAGES)(images, levels), expected)


def test_a_network_of_another_kind_is_refused(preset, tmp_path):
    UNet2DModel.from_config(to_diffusers(preset) | {"act_fn": "gelu"}).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="act_fn is 'gelu', and the paper's U-Net has 'silu'"):
        load_network(tmp_path, PROCESS, IMAGES)


def test_evaluation_on_a_cpu_keeps_freed_memory(preset, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr("ihdm.models.network.keep_freed_memory", lambda: calls.append("kept"))
    save_network(build_network(preset), tmp_path, PROCESS)
    load_network(tmp_path, PROCESS, IMAGES)
    assert calls == ["kept"]


def test_missing_networks_are_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: cannot load a network"):
        load_network(tmp_path, PROCESS, IMAGES)


@pytest.mark.parametrize("name", [WEIGHTS_NAME, CONFIG_NAME])
@pytest.mark.parametrize("length", [0, 100])
def test_damaged_network_is_named(preset, tmp_path, name, length):
    save_network(build_network(preset), tmp_path, PROCESS)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:length])
    message = f"{WEIGHTS_NAME}: damaged weights" if name == WEIGHTS_NAME else "cannot load a network"
    with pytest.raises(UserError, match=message):
        load_network(tmp_path, PROCESS, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: {f"module.{name}": one[name] for name in one}, "holds tensors that the network does not have"),
        (
            lambda one: {name: one[name] for name in one if name != "conv_out.bias"},
            "tensors are missing: conv_out.bias",
        ),
        (lambda one: {name: one[name].int() for name in one}, "holds torch.int32 instead of floating-point values"),
        (lambda one: one | {"conv_out.bias": torch.zeros(3)}, r"conv_out.bias has shape \(3,\) instead of \(1,\)"),
        (
            lambda one: one | {"conv_out.bias": torch.full((1,), torch.nan)},
            "conv_out.bias holds values that are not fin",
        ),
        (
            lambda one: one | {"conv_out.bias": torch.full((1,), torch.inf)},
            "conv_out.bias holds values that are not fin",
        ),
        (lambda one: {name: one[name].half() for name in one}, None),
    ],
)
def test_only_weights_that_fit_are_loaded(preset, tmp_path, change, message):
    save_network(build_network(preset), tmp_path, PROCESS)
    save_file(change(load_file(tmp_path / WEIGHTS_NAME)), tmp_path / WEIGHTS_NAME)
    with pytest.raises(UserError, match=f"{WEIGHTS_NAME}: .*{message}") if message else nullcontext():
        load_network(tmp_path, PROCESS, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: {"mean": one["mean"]}, "tensors are missing: power"),
        (lambda one: one | {"power": one["power"] * torch.nan}, "power holds values that are not finite"),
        (lambda one: one | {"power": one["power"][:4]}, r"power has shape \(4, 8\) instead of \(8, 8\)"),
        (lambda one: one, None),
    ],
)
def test_only_statistics_that_fit_are_loaded(preset, tmp_path, change, message):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    save_network(build_network(preset), tmp_path, PROCESS, Predictor.fitted(WhitenedSettings(), images))
    save_file(change(load_file(tmp_path / STATISTICS_NAME)), tmp_path / STATISTICS_NAME)
    with pytest.raises(UserError, match=f"{STATISTICS_NAME}: .*{message}") if message else nullcontext():
        load_network(tmp_path, PROCESS, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_levels": 60}, "was made for num_levels 6, not num_levels 60"),
        ({"sigma": 0.02}, "was made for sigma 0.01, not sigma 0.02"),
        (
            {"blur_sigma_max": 5.0, "blur_sigma_min": 0.4},
            "blur_sigma_min 0.5, blur_sigma_max 4.0, not",
        ),
    ],
)
def test_another_process_is_refused(preset, tmp_path, change, message):
    save_network(build_network(preset), tmp_path, PROCESS)
    with pytest.raises(UserError, match=message):
        load_network(tmp_path, PROCESS.model_copy(update=change), IMAGES)


def test_a_network_without_a_recorded_process_is_refused(preset, tmp_path):
    diffusers_network(build_network(preset)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"{tmp_path}: does not name its process"):
        load_network(tmp_path, PROCESS, IMAGES)


def test_images_of_another_shape_are_refused(preset, tmp_path):
    save_network(build_network(preset), tmp_path, PROCESS)
    for shape in ((1, 8, 8, 3), (1, 16, 16, 1)):
        with pytest.raises(UserError, match="this network was trained on images of 8×8×1, not"):
            load_network(tmp_path, PROCESS, np.zeros(shape, dtype=np.uint8))


def test_a_full_disk_is_reported(preset, tmp_path, monkeypatch):
    def full(*_arguments):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("ihdm.models.network.save_file", full)
    with pytest.raises(UserError, match=f"{WEIGHTS_NAME}: no space is left on the disk"):
        save_network(build_network(preset), tmp_path, PROCESS)
    assert not (tmp_path / WEIGHTS_NAME).exists()


def test_a_limit_of_file_sizes_is_told(preset, tmp_path, monkeypatch):
    def limited(*_arguments):
        raise SafetensorError("Error while serializing: I/O error: File too large (os error 27)")

    monkeypatch.setattr("ihdm.models.network.save_file", limited)
    with pytest.raises(OSError, match="File too large") as caught:
        save_network(build_network(preset), tmp_path, PROCESS)
    assert caught.value.filename == str(tmp_path / WEIGHTS_NAME)  # the command line prints it with the reason


def test_the_first_convolution_stays_in_float32_and_the_rest_is_lower(preset, tmp_path):
    """In bfloat16 the image that it sees would be rounded by 0.0008, a twelfth of σ."""
    save_network(build_network(preset), tmp_path, PROCESS)
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert 0.07 < float((images.bfloat16() - images).std()) / PROCESS.sigma < 0.1
    network = load_network(tmp_path, PROCESS, IMAGES, compute=ComputeSettings(precision="bf16"))
    seen = {}
    for name in ("conv_in", "conv_out"):
        getattr(network.unet, name).register_forward_hook(
            lambda _module, _arguments, output, name=name: seen.update({name: output})
        )
    with torch.no_grad():
        output = network(images, torch.full((64,), 3))
        exact = nn.functional.conv2d(images, network.unet.conv_in.weight, network.unet.conv_in.bias, padding=1)
    assert torch.equal(seen["conv_in"], exact)
    assert seen["conv_out"].dtype == torch.bfloat16
    assert output.dtype == torch.float32


def test_half_precision_is_refused_on_a_cpu(preset, tmp_path):
    save_network(build_network(preset), tmp_path, PROCESS)
    with pytest.raises(UserError, match=r"evaluation\.compute\.precision 'fp16' needs a GPU"):
        load_network(tmp_path, PROCESS, IMAGES, compute=ComputeSettings(precision="fp16", compile=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block_out_channels": [0]}, "cannot load a network"),
        ({"sample_size": None}, "cannot load a network"),
        (None, f"{CONFIG_NAME} has no entry 'sample_size'"),
    ],
)
def test_a_damaged_configuration_is_named(preset, tmp_path, change, message):
    save_network(build_network(preset), tmp_path, PROCESS)
    config = json.loads((tmp_path / CONFIG_NAME).read_text())
    if change is None:
        del config["sample_size"]
    (tmp_path / CONFIG_NAME).write_text(json.dumps(config | (change or {})))
    with pytest.raises(UserError, match=message):
        load_network(tmp_path, PROCESS, IMAGES)
