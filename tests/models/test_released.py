"""Checkpoints in the layout of the released code.

The layout is written down here a second time, from what their code says and not from ours: :func:`their_layers` lists
their network layer by layer as their constructor makes it, and :class:`TheirNetwork` computes with their names alone.
"""

import contextlib
import math
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from ihdm.config.experiments import NetworkSettings
from ihdm.config.reading import read_config
from ihdm.errors import UserError
from ihdm.models.network import build_network, load_network
from ihdm.models.released import Checkpoint, convert, layout
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"


def their_layers(preset: NetworkSettings) -> "OrderedDict[str, tuple[int, ...]]":
    """Shapes of their tensors by name, in the order in which their constructor makes them."""
    shapes: OrderedDict[str, tuple[int, ...]] = OrderedDict()
    width = preset.base_channels

    def layer(name: str, *weight: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, weight[:1]

    def residual(name: str, before: int, after: int) -> None:
        layer(f"{name}.in_layers.0", before)
        layer(f"{name}.in_layers.2", after, before, 3, 3)
        layer(f"{name}.emb_layers.1", after, 4 * width)
        layer(f"{name}.out_layers.0", after)
        layer(f"{name}.out_layers.3", after, after, 3, 3)
        if before != after:
            layer(f"{name}.skip_connection", after, before, 1, 1)

    def attention(name: str, channels: int) -> None:
        layer(f"{name}.norm", channels)
        layer(f"{name}.qkv", 3 * channels, channels, 1)
        layer(f"{name}.proj_out", channels, channels, 1)

    layer("time_embed.0", 4 * width, width)
    layer("time_embed.2", 4 * width, 4 * width)
    channels = width * preset.channel_multipliers[0]
    layer("input_blocks.0.0", channels, preset.image_channels, 3, 3)
    kept, number, resolution = [channels], 1, 0
    for level, multiplier in enumerate(preset.channel_multipliers):
        for _ in range(preset.blocks_per_stage):
            residual(f"input_blocks.{number}.0", channels, width * multiplier)
            channels = width * multiplier
            if resolution in preset.attention_stages:
                attention(f"input_blocks.{number}.1", channels)
            kept.append(channels)
            number += 1
        if level != len(preset.channel_multipliers) - 1:
            layer(f"input_blocks.{number}.0.op", channels, channels, 3, 3)
            kept.append(channels)
            number += 1
            resolution += 1
    residual("middle_block.0", channels, channels)
    attention("middle_block.1", channels)
    residual("middle_block.2", channels, channels)
    number = 0
    for level, multiplier in reversed(list(enumerate(preset.channel_multipliers))):
        for block in range(preset.blocks_per_stage + 1):
            residual(f"output_blocks.{number}.0", channels + kept.pop(), width * multiplier)
            channels, place = width * multiplier, 1
            if resolution in preset.attention_stages:
                attention(f"output_blocks.{number}.1", channels)
                place = 2
            if level and block == preset.blocks_per_stage:
                layer(f"output_blocks.{number}.{place}.conv", channels, channels, 3, 3)
                resolution -= 1
            number += 1
    layer("out.0", channels)
    layer("out.2", preset.image_channels, channels, 3, 3)
    return shapes


class TheirNetwork:
    """A forward pass by the tensors of a checkpoint; which layers a block has is told by the names in it."""

    def __init__(self, tensors: dict[str, Tensor], width: int) -> None:
        self.tensors = tensors
        self.width = width

    def has(self, name: str) -> bool:
        return any(key.startswith(f"{name}.") for key in self.tensors)

    def of(self, name: str) -> tuple[Tensor, Tensor]:
        return self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]

    def conv(self, name: str, images: Tensor, stride: int = 1) -> Tensor:
        weight, bias = self.of(name)
        return functional.conv2d(images, weight, bias, stride, padding=weight.shape[-1] // 2)

    def norm(self, name: str, images: Tensor) -> Tensor:
        return functional.group_norm(images, 32, *self.of(name))

    def residual(self, name: str, images: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.conv(f"{name}.in_layers.2", functional.silu(self.norm(f"{name}.in_layers.0", images)))
        shift = functional.linear(functional.silu(embedding), *self.of(f"{name}.emb_layers.1"))
        hidden = functional.silu(self.norm(f"{name}.out_layers.0", hidden + shift[:, :, None, None]))
        skipped = self.conv(f"{name}.skip_connection", images) if self.has(f"{name}.skip_connection") else images
        return skipped + self.conv(f"{name}.out_layers.3", hidden)

    def attention(self, name: str, images: Tensor) -> Tensor:
        pixels = images.flatten(2)
        query, key, value = functional.conv1d(self.norm(f"{name}.norm", pixels), *self.of(f"{name}.qkv")).chunk(3, 1)
        alike = torch.softmax(query.transpose(1, 2) @ key / math.sqrt(images.shape[1]), dim=-1)
        seen = functional.conv1d(value @ alike.transpose(1, 2), *self.of(f"{name}.proj_out"))
        return (pixels + seen).reshape(images.shape)

    def block(self, name: str, images: Tensor, embedding: Tensor) -> Tensor:
        place = 0
        while self.has(f"{name}.{place}"):
            part = f"{name}.{place}"
            if self.has(f"{part}.in_layers"):
                images = self.residual(part, images, embedding)
            elif self.has(f"{part}.qkv"):
                images = self.attention(part, images)
            elif self.has(f"{part}.op"):
                images = self.conv(f"{part}.op", images, stride=2)
            elif self.has(f"{part}.conv"):
                images = self.conv(f"{part}.conv", functional.interpolate(images, scale_factor=2, mode="nearest"))
            else:
                images = self.conv(part, images)
            place += 1
        return images

    def __call__(self, images: Tensor, levels: Tensor) -> Tensor:
        half = self.width // 2
        angles = levels[:, None].float() * torch.exp(-math.log(10000) * torch.arange(half) / half)[None]
        embedding = torch.cat([angles.cos(), angles.sin()], dim=1)
        embedding = functional.silu(functional.linear(embedding, *self.of("time_embed.0")))
        embedding = functional.linear(embedding, *self.of("time_embed.2"))
        kept, number = [], 0
        while self.has(f"input_blocks.{number}"):
            images = self.block(f"input_blocks.{number}", images, embedding)
            kept.append(images)
            number += 1
        images = self.block("middle_block", images, embedding)
        for number in range(len(kept)):
            images = self.block(f"output_blocks.{number}", torch.cat([images, kept.pop()], 1), embedding)
        return self.conv("out.2", functional.silu(self.norm("out.0", images)))


@pytest.fixture
def preset(golden_preset) -> NetworkSettings:
    return golden_preset


@pytest.fixture
def released(preset) -> "OrderedDict[str, Tensor]":
    """The authors' network of the reference values under their names."""
    ours = {name: tensor.float() for name, tensor in load_file(GOLDEN / "network.safetensors").items()}
    tensors = {}
    for part in layout(preset):
        for kind in ("weight", "bias"):
            tensor = torch.cat([ours.pop(f"{one}.{kind}") for one in part.ours])
            tensors[f"{part.theirs}.{kind}"] = tensor[..., None] if part.is_narrow and kind == "weight" else tensor
    assert ours == {}
    return OrderedDict((name, tensors.pop(name)) for name in their_layers(preset))


@pytest.fixture
def save(tmp_path, released) -> Callable[..., Path]:
    """Write a checkpoint as the released code does, with what a test changes of it."""

    def write(model: dict[str, Tensor] | None = None, averages: list[Tensor] | None = None, **more: object) -> Path:
        model = OrderedDict((f"module.{name}", tensor) for name, tensor in (model or released).items())
        parameters = [torch.nn.Parameter(tensor.clone()) for tensor in model.values()]
        optimizer = torch.optim.Adam(parameters)
        sum(parameter.sum() for parameter in parameters).backward()
        optimizer.step()
        averages = [tensor + 0.5 for tensor in model.values()] if averages is None else averages
        ema = {"decay": 0.999, "num_updates": 7, "shadow_params": averages}
        path = tmp_path / "checkpoint_26.pth"
        torch.save({"optimizer": optimizer.state_dict(), "model": model, "step": 7, "ema": ema} | more, path)
        return path

    return write


@pytest.fixture
def config(tmp_path, preset) -> Path:
    """A configuration with the network of the reference values."""
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    size, channels = preset.image_size, preset.image_channels
    content["datasets"]["tiny"] = {"source": "cifar10", "image_size": size, "image_channels": channels}
    content["networks"]["tiny"] = preset.model_dump(mode="json")
    content["experiments"]["tiny"] = {
        **content["experiments"]["digits"], "dataset": "tiny", "network": "tiny",
        "process": {"kind": "heat", "sigma": 0.01, "num_levels": 50, "blur_sigma_max": 8.0},
    }  # fmt: skip
    content["evaluation"]["extractors"]["tiny"] = "dct"
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_their_network_as_written_here_gives_the_reference_values(golden, released, preset):
    """So this file's reading of their names is right, whatever ours is."""
    values = golden("network")
    network = TheirNetwork(released, preset.base_channels)
    output = network(torch.as_tensor(values["image"]), torch.as_tensor(values["level"]))
    torch.testing.assert_close(output, torch.as_tensor(values["output"]), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "ffhq128"])
def test_names_order_and_shapes_are_those_of_their_constructor(name):
    preset = read_config(ROOT / "config.yaml").networks[name]
    with torch.device("meta"):
        ours = {name: tensor.shape for name, tensor in build_network(preset).state_dict().items()}
    found = OrderedDict(
        (f"{part.theirs}.{kind}", part.shape(ours[f"{part.ours[0]}.{kind}"], kind))
        for part in layout(preset)
        for kind in ("weight", "bias")
    )
    assert list(found.items()) == list(their_layers(preset).items())
    assert sorted(one for part in layout(preset) for one in part.ours) == sorted(
        name.removesuffix(".weight") for name in ours if name.endswith(".weight")
    )


def test_names_for_mnist_as_a_reader_of_their_code_would_list_them():
    layers = [part.theirs for part in layout(read_config(ROOT / "config.yaml").networks["mnist"])]
    assert layers[:8] == [
        *("time_embed.0", "time_embed.2", "input_blocks.0.0", "input_blocks.1.0.in_layers.0"),
        *("input_blocks.1.0.in_layers.2", "input_blocks.1.0.emb_layers.1", "input_blocks.1.0.out_layers.0"),
        "input_blocks.1.0.out_layers.3",
    ]
    assert "input_blocks.5.0.op" in layers
    assert "input_blocks.6.0.skip_connection" in layers
    assert {"input_blocks.11.1.qkv", "input_blocks.14.1.qkv", "output_blocks.4.2.conv", "output_blocks.9.1.conv"} <= {
        *layers
    }
    assert max(int(name.split(".")[1]) for name in layers if name.startswith("output_blocks")) == 14


@pytest.mark.parametrize("weights", ["averaged", "last"])
def test_a_converted_network_gives_the_reference_values(golden, released, preset, save, weights):
    """By the weights that are asked for alone: the others are made wrong."""
    right, wrong = released, {name: tensor + 0.5 for name, tensor in released.items()}
    model, averages = (right, list(wrong.values())) if weights == "last" else (wrong, list(right.values()))
    network = convert(Checkpoint.read(save(model, averages)), preset, weights)
    values = golden("network")
    with torch.no_grad():
        output = network(torch.as_tensor(values["image"]), torch.as_tensor(values["level"]))
    torch.testing.assert_close(output, torch.as_tensor(values["output"]), atol=2e-5, rtol=0)


def test_the_command_writes_a_network_that_others_load(golden, released, save, config, tmp_path, ihdm, ihdm_fails):
    path, folder = save(averages=list(released.values())), tmp_path / "network"
    ihdm("convert", path, "--preset", "tiny", "--config", config, "--output", folder)
    process = read_config(config).experiments["tiny"].process
    values = golden("network")
    images = np.zeros((1, *values["image"].shape[2:], 3), dtype=np.uint8)
    with torch.no_grad():
        network = load_network(folder, process, images)
        output = network(torch.as_tensor(values["image"]), torch.as_tensor(values["level"]))
    torch.testing.assert_close(output, torch.as_tensor(values["output"]), atol=2e-5, rtol=0)
    record = read_record(folder / "model.meta.json")
    assert record["command"] == "convert"
    assert record["inputs"] == {str(path): sha256(path)}
    assert record["settings"]["step"] == 7
    assert record["settings"]["weights"] == "averaged"
    assert record["settings"]["process"]["num_levels"] == 50
    train = tmp_path / "train.npy"
    np.save(train, np.random.default_rng(0).integers(0, 256, (4, *images.shape[1:]), dtype=np.uint8))
    sheet = tmp_path / "sheet.png"
    words = ["samples", "draw", "--model", folder, "--count", 1, "--output", sheet]
    assert "give them with --train" in ihdm_fails(*words)
    ihdm(*words, "--train", train)
    assert sheet.exists()


def test_the_papers_configuration_is_taken_by_default(save, tmp_path, ihdm_fails):
    words = ["convert", save(), "--output", tmp_path / "network", "--preset"]
    assert "does not fit the preset" in ihdm_fails(*words, "mnist")
    assert "known are mnist, cifar10" in ihdm_fails(*words, "minst")
    assert "known are mnist, cifar10" in ihdm_fails(*words, "mnist_diffusion")
    assert "not found" in ihdm_fails(*words, "mnist", "--config", tmp_path / "none.yaml")
    assert not (tmp_path / "network").exists()


def without(tensors: dict[str, Tensor], name: str) -> "OrderedDict[str, Tensor]":
    return OrderedDict((key, tensor) for key, tensor in tensors.items() if key != name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: without(one, "out.0.bias"), "out.0.bias missing; give the preset"),
        (lambda one: without(one, "out.0.bias") | {"out.0.biass": one["out.0.bias"]}, "missing; out.0.biass unknown"),
        (lambda one: one | {"label_emb.weight": torch.zeros(2)}, "label_emb.weight unknown"),
        (lambda one: one | {"out.2.bias": torch.zeros(1)}, "out.2.bias has shape 1, but 3 in the preset"),
        (lambda one: one | {"middle_block.1.qkv.weight": torch.zeros(3, 1, 1)}, "qkv.weight has shape 3×1×1, but"),
        (lambda one: one | {"out.2.bias": torch.full((3,), math.nan)}, "out.2.bias has values that are not finite"),
        (lambda one: one | {"out.2.bias": torch.zeros(3, dtype=torch.int64)}, "out.2.bias has values"),
        (
            lambda one: OrderedDict(reversed(one.items())),
            "the order of tensors differs from the released code, from out.2.bias on",
        ),
    ],
)
def test_what_does_not_fit_is_named(released, preset, save, change, message):
    model = change(released)
    path = save(model if all(tensor.is_floating_point() for tensor in model.values()) else None)
    if not all(tensor.is_floating_point() for tensor in model.values()):
        torch.save({"model": model, "step": 1}, path)
    with pytest.raises(UserError) as caught:
        convert(Checkpoint.read(path), preset, "last")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        torch.Tensor.to_sparse,
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: torch.full_like(tensor, 1e300, dtype=torch.float64),
    ],
    ids=["sparse", "meta", "complex", "too large for float32"],
)
def test_tensors_of_other_kinds_are_named(released, preset, tmp_path, change):
    path = tmp_path / "other.pth"
    torch.save({"model": released | {"out.2.bias": change(released["out.2.bias"])}, "step": math.nan}, path)
    with pytest.raises(UserError, match=f"^{path}: out.2.bias has values that are not finite"):
        convert(Checkpoint.read(path), preset, "last")


@pytest.mark.parametrize("is_zip", [True, False])
def test_changed_bytes_are_read_or_reported(released, preset, tmp_path, is_zip):
    """In the weights of today's format the checksums of the archive find them."""
    path, random = tmp_path / "checkpoint.pth", np.random.default_rng(0)
    torch.save({"model": released}, path, _use_new_zipfile_serialization=is_zip)
    whole = path.read_bytes()
    for _ in range(30):
        content = bytearray(whole)
        for place in random.integers(0, 3000, 4) * random.choice([1, -1]):
            content[place] ^= int(random.integers(1, 256))
        path.write_bytes(content)
        with contextlib.suppress(UserError):
            convert(Checkpoint.read(path), preset, "last")
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if is_zip:
        with pytest.raises(UserError, match=r"has another checksum than when it was saved\); download the file again"):
            Checkpoint.read(path)


def test_missing_averaged_weights_are_reported(released, preset, save, tmp_path):
    path = save(averages=list(released.values())[:-1])
    with pytest.raises(UserError, match="averaged tensors for"):
        convert(Checkpoint.read(path), preset)
    torch.save({"model": released, "step": 1}, path)
    with pytest.raises(UserError, match="--weights last"):
        convert(Checkpoint.read(path), preset)
    for other in ([1, 2], 3, torch.zeros(2)):
        torch.save({"model": released, "ema": {"shadow_params": other}}, path)
        with pytest.raises(UserError, match="are not tensors"):
            Checkpoint.read(path)


def test_other_numbers_of_groups_are_refused(preset, save):
    with pytest.raises(UserError, match="norm_groups is 8"):
        convert(Checkpoint.read(save()), preset.model_copy(update={"norm_groups": 8}))


class Payload:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("archive", "contains posix.system besides tensors and plain values, which could run code; not loaded"),
        ("pickle 2", "contains posix.system besides tensors and plain values, which could run code; not loaded"),
        ("pickle 4", "cannot read a checkpoint"),
    ],
)
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, config, ihdm_fails, kind, reason):
    sign, path = tmp_path / "it-ran", tmp_path / "checkpoint.pth"
    content = {"model": {"module.weight": torch.zeros(1)}, "step": Payload(sign)}
    if kind == "archive":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps({"step": Payload(sign)}, protocol=int(kind[-1])))
    output = tmp_path / "network"
    message = ihdm_fails("convert", path, "--preset", "tiny", "--config", config, "--output", output)
    assert reason in message
    assert not sign.exists()
    assert not output.exists()


@pytest.mark.parametrize("size", [0, 10, 3000, -1, -50000])
def test_a_truncated_file_is_reported(save, size):
    path = save()
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        UserError, match=r"checkpoint_26.pth: cannot read a checkpoint .*download the file again"
    ) as caught:
        Checkpoint.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [{"weights": 1}, [1, 2], {"model": {}}, {"model": {"a": 1}}, {"model": torch.zeros(2)}]
)
def test_other_files_are_reported(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match="not a checkpoint of the released code"):
        Checkpoint.read(tmp_path / "other.pth")


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(UserError, match=r"none.pth: cannot read a checkpoint \(No such file"):
        Checkpoint.read(tmp_path / "none.pth")
