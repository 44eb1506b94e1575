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

from ihdm.commands.sampling import read_sampling
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
    load_network,
    save_network,
)
from ihdm.models.unet import Attention, ResidualBlock, from_diffusers, to_diffusers
from ihdm.predictions import Predictor
from ihdm.storage.files import sha256

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
def preset(make_experiment) -> NetworkSettings:
    return make_experiment(dropout=0.1).network


@pytest.fixture
def saved(preset, tmp_path) -> Path:
    """The folder of a stored network."""
    save_network(build_network(preset), tmp_path, PROCESS)
    return tmp_path


def test_golden(golden, golden_preset):
    """The authors' network with the same weights gives the same output."""
    values, network = golden("network"), build_network(golden_preset)
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


def test_evaluation_on_a_cpu_keeps_freed_memory(saved, monkeypatch):
    calls = []
    monkeypatch.setattr("ihdm.models.network.keep_freed_memory", lambda: calls.append("kept"))
    load_network(saved, PROCESS, IMAGES)
    assert calls == ["kept"]


@pytest.mark.parametrize("name", [WEIGHTS_NAME, CONFIG_NAME])
@pytest.mark.parametrize("length", [None, 0, 100])
def test_a_damaged_or_missing_network_is_named(saved, name, length):
    content = (saved / name).read_bytes()
    (saved / name).unlink()
    if length is not None:
        (saved / name).write_bytes(content[:length])
    weights = f"{WEIGHTS_NAME}: (damaged weights|the weights are missing)"
    message = weights if name == WEIGHTS_NAME else "cannot load a network"
    with pytest.raises(UserError, match=f"^{saved}.*{message}"):
        load_network(saved, PROCESS, IMAGES)


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
        (lambda one: one | {"conv_out.bias": torch.full((1,), torch.nan)}, "conv_out.bias holds values that are not"),
        (lambda one: one | {"conv_out.bias": torch.full((1,), torch.inf)}, "conv_out.bias holds values that are not"),
        (lambda one: {name: one[name].half() for name in one}, None),
    ],
)
def test_only_weights_that_fit_are_loaded(saved, change, message):
    save_file(change(load_file(saved / WEIGHTS_NAME)), saved / WEIGHTS_NAME)
    with pytest.raises(UserError, match=f"{WEIGHTS_NAME}: .*{message}") if message else nullcontext():
        load_network(saved, PROCESS, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: {"mean": one["mean"]}, "tensors are missing: power"),
        (lambda one: one | {"power": one["power"] * torch.nan}, "power holds values that are not finite"),
        (lambda one: one | {"power": one["power"][:4]}, r"power has shape \(4, 8\) instead of \(8, 8\)"),
        (lambda one: one, None),
    ],
)
def test_only_statistics_that_fit_are_loaded(preset, images, tmp_path, change, message):
    save_network(build_network(preset), tmp_path, PROCESS, Predictor.fitted(WhitenedSettings(), images))
    save_file(change(load_file(tmp_path / STATISTICS_NAME)), tmp_path / STATISTICS_NAME)
    with pytest.raises(UserError, match=f"{STATISTICS_NAME}: .*{message}") if message else nullcontext():
        load_network(tmp_path, PROCESS, IMAGES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_levels": 60}, "was made for num_levels 6, not num_levels 60"),
        ({"sigma": 0.02}, "was made for sigma 0.01, not sigma 0.02"),
        ({"blur_sigma_max": 5.0, "blur_sigma_min": 0.4}, "blur_sigma_min 0.5, blur_sigma_max 4.0, not"),
    ],
)
def test_another_process_is_refused(saved, change, message):
    with pytest.raises(UserError, match=message):
        load_network(saved, PROCESS.model_copy(update=change), IMAGES)


def test_images_of_another_shape_are_refused(saved):
    for shape in ((1, 8, 8, 3), (1, 16, 16, 1)):
        with pytest.raises(UserError, match="this network was trained on images of 8×8×1, not"):
            load_network(saved, PROCESS, np.zeros(shape, dtype=np.uint8))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("No space left on device (os error 28)", f"{WEIGHTS_NAME}: no space is left on the disk"),
        ("File too large (os error 27)", f"File too large: .*{WEIGHTS_NAME}"),  # a limit of the system
    ],
)
def test_a_disk_that_takes_no_more_is_reported(preset, tmp_path, monkeypatch, reason, message):
    def full(*_arguments):
        raise SafetensorError(f"Error while serializing: I/O error: {reason}")

    monkeypatch.setattr("ihdm.models.weights.save_file", full)
    with pytest.raises((UserError, OSError), match=message):
        save_network(build_network(preset), tmp_path, PROCESS)
    assert not (tmp_path / WEIGHTS_NAME).exists()


def test_the_first_convolution_stays_in_float32_and_the_rest_is_lower(saved):
    """In bfloat16 the image that it sees would be rounded by 0.0008, a twelfth of σ."""
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert 0.07 < float((images.bfloat16() - images).std()) / PROCESS.sigma < 0.1
    network = load_network(saved, PROCESS, IMAGES, compute=ComputeSettings(precision="bf16"))
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


def test_half_precision_is_refused_on_a_cpu(saved):
    with pytest.raises(UserError, match=r"evaluation\.compute\.precision 'fp16' needs a GPU"):
        load_network(saved, PROCESS, IMAGES, compute=ComputeSettings(precision="fp16", compile=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one | {"block_out_channels": [0]}, "cannot load a network"),
        (lambda one: one | {"sample_size": None}, "cannot load a network"),
        (lambda one: {key: one[key] for key in one if key != "sample_size"}, "has no entry 'sample_size'"),
        (lambda one: one | {"act_fn": "gelu"}, "act_fn is 'gelu', and the paper's U-Net has 'silu'"),
        (lambda one: {key: one[key] for key in one if key != PROCESS_KEY}, "does not name its process"),
    ],
)
def test_a_damaged_configuration_is_named(saved, change, message):
    (saved / CONFIG_NAME).write_text(json.dumps(change(json.loads((saved / CONFIG_NAME).read_text()))))
    with pytest.raises(UserError, match=f"^{saved}: .*{message}"):
        load_network(saved, PROCESS, IMAGES)


def test_process_prediction_and_images_are_those_of_the_training(tmp_path):
    train = tmp_path / "train.npy"
    np.save(train, np.zeros((4, 8, 8, 1), dtype=np.uint8))
    process = {"kind": "heat", "sigma": 0.01, "num_levels": 8, "blur_sigma_max": 4.0}
    record = {"inputs": {str(train): sha256(train)}, "settings": {"seed": 3, "num_train": 2}}
    (tmp_path / "model.meta.json").write_text(json.dumps(record))
    for prediction in ("residual", "whitened"):
        stored = {"_process": process} | ({"_prediction": {"kind": prediction}} if prediction == "whitened" else {})
        (tmp_path / "config.json").write_text(json.dumps(stored))
        found, images = read_sampling('{"delta_ratio": 1.5}', tmp_path, None)
        assert (found.predicted.kind, found.seed, found.num_train) == (prediction, 3, 2)
        assert (found.process.num_levels, found.delta_ratio, images) == (8, 1.5, train)
    # A sampler that needs estimates of the clean image fits the whitened network.
    second = {"coupling": "deterministic", "noise": "none", "order": 2}
    assert read_sampling(json.dumps({"sampler": second}), tmp_path, None)[0].sampler.order == 2
