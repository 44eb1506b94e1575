"""Samples in parts: the same bytes however many parts, in whatever order, wherever a run was stopped."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ihdm import sample_state
from ihdm.__main__ import main
from ihdm.experiments import NetworkSettings
from ihdm.generation import shard_numbers
from ihdm.network import build_network, save_network
from ihdm.sample_state import draw_samples
from ihdm.settings import HeatSettings, SamplingSettings

NUM_SAMPLES = 11
SETTINGS = SamplingSettings(
    process=HeatSettings(kind="heat", sigma=0.01, num_levels=4, blur_sigma_max=3.0),
    seed=3,
    delta_ratio=1.25,
    prior_noise="delta",
    micro_batch=3,
)
TRAIN = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Training images and a network whose output depends on its input."""
    path = tmp_path_factory.mktemp("shards")
    np.save(path / "train.npy", TRAIN)
    torch.manual_seed(0)
    unet = build_network(
        NetworkSettings(
            image_size=8, image_channels=3, base_channels=8, channel_multipliers=(1, 2), blocks_per_level=1,
            attention_levels=(1,), dropout=0.0, norm_groups=4,
        )
    )  # fmt: skip
    for parameter in unet.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    save_network(unet, path / "model")
    return path


def run(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["ihdm", *map(str, arguments)])
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise


def draw(monkeypatch, folder: Path, output: Path, shard: int, num_shards: int, num_samples: int = NUM_SAMPLES) -> None:
    run(
        monkeypatch, "samples", "draw", "--settings", SETTINGS.model_dump_json(), "--model", folder / "model", "--data",
        folder / "train.npy", "--num-samples", num_samples, "--shard", shard, "--num-shards", num_shards, "--state",
        output / "state", "--output", output,
    )  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    names = ("samples.npy", "starts.npy", "samples.csv", "grid.png")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_any_number_of_shards_in_any_order_gives_the_same_bytes(folder, tmp_path, monkeypatch):
    found = {}
    for num_shards in (1, 2, 5):
        parts = [tmp_path / f"{num_shards}/{shard}" for shard in range(num_shards)]
        for shard in reversed(range(num_shards)):
            draw(monkeypatch, folder, parts[shard], shard, num_shards)
            assert not (parts[shard] / "state").exists()
        run(monkeypatch, "samples", "gather", *parts, "--output", tmp_path / f"{num_shards}")
        found[num_shards] = hashes(tmp_path / f"{num_shards}")
    assert found[1] == found[2] == found[5]
    table = pd.read_csv(tmp_path / "5/samples.csv")
    assert table["sample"].tolist() == list(range(NUM_SAMPLES))
    assert set(table["seed"]) == {3}
    assert table["train_image"].between(0, 19).all()


def network(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    return -0.05 * images


class StoppedError(Exception):
    """Stands for whatever stops a run."""


def test_a_stopped_run_goes_on(tmp_path):
    numbers = range(2, 13)
    whole = draw_samples(network, TRAIN, SETTINGS, numbers, tmp_path / "whole", origin="a")
    calls = []

    def stop(done: int) -> None:
        calls.append(done)
        if done == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        draw_samples(network, TRAIN, SETTINGS, numbers, tmp_path / "cut", origin="a", report=stop)
    assert calls == [0, 3, 6]
    calls.clear()
    resumed = draw_samples(network, TRAIN, SETTINGS, numbers, tmp_path / "cut", origin="a", report=calls.append)
    assert calls == [6, 9, 11]
    np.testing.assert_array_equal(resumed, whole)
    for name in ("samples.npy", "starts.npy"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_another_network_left_is_begun_anew(tmp_path):
    calls: list[int] = []
    draw_samples(network, TRAIN, SETTINGS, range(5), tmp_path / "state", origin="a")
    draw_samples(network, TRAIN, SETTINGS, range(7), tmp_path / "state", origin="b", report=calls.append)
    assert calls[0] == 0
    assert len(np.load(tmp_path / "state/samples.npy")) == 7


def test_a_run_stopped_while_laying_out_is_begun_anew(tmp_path, monkeypatch):
    draw_samples(network, TRAIN, SETTINGS, range(5), tmp_path / "state", origin="a")
    (tmp_path / "state" / sample_state.PROGRESS_NAME).write_text(json.dumps({"done": 5, "origin": "being laid out"}))
    calls: list[int] = []
    draw_samples(network, TRAIN, SETTINGS, range(5), tmp_path / "state", origin="a", report=calls.append)
    assert calls[0] == 0


def test_fewer_training_images_give_starts_from_these_alone(tmp_path):
    few = SETTINGS.model_copy(update={"num_train": 3})
    chosen = draw_samples(network, TRAIN, few, range(40), tmp_path / "state", origin="a")
    assert set(chosen.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("num_samples", [1, 7, 50_000])
@pytest.mark.parametrize("num_shards", [1, 2, 5, 7])
def test_shards_share_the_numbers(num_samples, num_shards):
    parts = [shard_numbers(num_samples, shard, num_shards) for shard in range(num_shards)]
    assert [number for part in parts for number in part] == list(range(num_samples))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_mistakes_are_named(folder, tmp_path, monkeypatch):
    for arguments, message in (
        ((2, 2), "--shard 2: with 2 shards they are 0…1"),
        ((0, 20), "--num-shards 20: 11 images leave shard 0 none; take fewer shards"),
    ):
        with pytest.raises(SystemExit) as caught:
            draw(monkeypatch, folder, tmp_path / "out", *arguments)
        assert message in str(caught.value)
    draw(monkeypatch, folder, tmp_path / "1", 1, 2)
    with pytest.raises(SystemExit) as caught:
        run(monkeypatch, "samples", "gather", tmp_path / "1", "--output", tmp_path / "all")
    assert "not all parts of one set in order; give every shard once" in str(caught.value)
    assert not (tmp_path / "all").exists()
