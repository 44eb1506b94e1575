"""Samples in parts: the same bytes however many parts, in whatever order, wherever a run was stopped."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ihdm.config.processes import HeatSettings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError
from ihdm.models.network import save_network
from ihdm.samples import state as sample_state
from ihdm.samples.generation import shard_numbers
from ihdm.samples.state import draw_samples

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
def folder(tmp_path_factory, unet) -> Path:
    """Training images and a network."""
    path = tmp_path_factory.mktemp("shards")
    np.save(path / "train.npy", TRAIN)
    save_network(unet, path / "model", SETTINGS.process)
    return path


def draw(
    ihdm, folder: Path, output: Path, shard: int, num_shards: int, num_samples: int = NUM_SAMPLES,
    settings: SamplingSettings = SETTINGS,
) -> str | None:  # fmt: skip
    return ihdm(
        "samples", "draw", "--settings", settings.model_dump_json(), "--model", folder / "model", "--train",
        folder / "train.npy", "--num-samples", num_samples, "--shard", shard, "--num-shards", num_shards, "--state",
        output / "state", "--output", output,
    )  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    names = ("samples.npy", "starts.npy", "samples.csv", "grid.png")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_any_number_of_shards_in_any_order_gives_the_same_bytes(folder, tmp_path, ihdm):
    found = {}
    for num_shards in (1, 2, 5):
        parts = [tmp_path / f"{num_shards}/{shard}" for shard in range(num_shards)]
        for shard in reversed(range(num_shards)):
            draw(ihdm, folder, parts[shard], shard, num_shards)
            assert not (parts[shard] / "state").exists()
        ihdm("samples", "gather", *parts, "--output", tmp_path / f"{num_shards}")
        found[num_shards] = hashes(tmp_path / f"{num_shards}")
    assert found[1] == found[2] == found[5]
    table = pd.read_csv(tmp_path / "5/samples.csv")
    assert table["sample"].tolist() == list(range(NUM_SAMPLES))
    assert set(table["seed"]) == {3}
    assert table["train_image"].between(0, 19).all()


def test_a_gathered_set_names_what_its_parts_were_computed_on(folder, tmp_path, ihdm):
    for shard in range(2):
        draw(ihdm, folder, tmp_path / f"{shard}", shard, 2)
    for devices, expected in ((("cuda: A", "cuda: A"), "cuda: A"), (("cuda: A", "cuda: B"), "cuda: A, cuda: B")):
        for shard, device in enumerate(devices):
            record = tmp_path / f"{shard}/samples.meta.json"
            record.write_text(json.dumps(json.loads(record.read_text()) | {"device": device}))
        ihdm("samples", "gather", tmp_path / "0", tmp_path / "1", "--output", tmp_path / "all")
        assert json.loads((tmp_path / "all/samples.meta.json").read_text())["device"] == expected


def network(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    return -0.05 * images


class StoppedError(Exception):
    """Stands for whatever stops a run."""


def drawn(state: Path, numbers: range = range(5), origin: str = "a") -> tuple[list[int], np.ndarray]:
    """Draw samples into a folder; return the reported progress, and the training images behind them."""
    calls: list[int] = []
    return calls, draw_samples(network, TRAIN, SETTINGS, numbers, state, origin=origin, report=calls.append)


def test_a_stopped_run_resumes(tmp_path):
    numbers, calls = range(2, 13), []
    _, whole = drawn(tmp_path / "whole", numbers)

    def stop(done: int) -> None:
        calls.append(done)
        if done == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        draw_samples(network, TRAIN, SETTINGS, numbers, tmp_path / "cut", origin="a", report=stop)
    assert calls == [0, 3, 6]
    calls, resumed = drawn(tmp_path / "cut", numbers)
    assert calls == [6, 9, 11]
    np.testing.assert_array_equal(resumed, whole)
    for name in ("samples.npy", "starts.npy"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_samples_of_another_network_are_restarted(tmp_path):
    drawn(tmp_path)
    calls, _ = drawn(tmp_path, range(7), origin="b")
    assert calls[0] == 0
    assert len(np.load(tmp_path / "samples.npy")) == 7


PROGRESS = ["", "{", "[]", "{}", '{"origin": "a"}', '{"origin": "a", "done": "many"}']
STOPPED_DURING_ALLOCATION = '{"origin": "being laid out", "done": 5}'
DAMAGED = [
    *((sample_state.PROGRESS_NAME, content.encode()) for content in (*PROGRESS, STOPPED_DURING_ALLOCATION)),
    *((name, damage) for name in sample_state.ARRAY_NAMES for damage in (None, 100)),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGED)
def test_damaged_unfinished_samples_are_restarted(tmp_path, name, damage):
    """A file that is missing, cut to a number of bytes, or has other content."""
    _, whole = drawn(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    if damage is not None:
        (tmp_path / name).write_bytes(damage if isinstance(damage, bytes) else content[:damage])
    calls, again = drawn(tmp_path)
    assert calls == [0, 3, 5]
    np.testing.assert_array_equal(again, whole)


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


def test_mistakes_are_named(folder, tmp_path, ihdm_fails):
    few, many = (SETTINGS.model_copy(update={"num_train": number}) for number in (20, 21))
    for arguments, settings, message in (
        ((2, 2), SETTINGS, "--shard 2: shards are numbered 0…1"),
        ((0, 20), few, "--num-shards 20: 11 images leave shard 0 empty; use fewer shards"),
        ((0, 1), many, "train.npy: 21 images are requested but it has 20"),
        (
            (0, 1),
            SETTINGS.model_copy(update={"process": SETTINGS.process.model_copy(update={"num_levels": 40})}),
            "model: was made for num_levels 4, not num_levels 40",
        ),
    ):
        assert message in draw(ihdm_fails, folder, tmp_path / "out", *arguments, settings=settings)
    assert not any((tmp_path / "out").glob("*.npy"))


@pytest.mark.parametrize("command", ["sequence", "grid"])
def test_more_training_images_than_there_are(folder, tmp_path, ihdm_fails, command):
    settings = SETTINGS.model_copy(update={"num_train": 21})
    message = ihdm_fails(
        "samples", command, "--settings", settings.model_dump_json(), "--model", folder / "model",
        "--train", folder / "train.npy", "--output", tmp_path / "x",
        *(["--starts", 2, "--noises", 2] if command == "grid" else []),
    )  # fmt: skip
    assert "train.npy: 21 images are requested but it has 20" in message


def test_parts_of_other_sets_are_refused(folder, tmp_path, ihdm, ihdm_fails):
    """Parts that are missing, in another order, of another seed, or of another number of samples."""
    for shard in range(2):
        draw(ihdm, folder, tmp_path / f"{shard}", shard, 2)
    draw(ihdm, folder, tmp_path / "seed", 1, 2, settings=SETTINGS.model_copy(update={"seed": 4}))
    draw(ihdm, folder, tmp_path / "size", 1, 2, num_samples=9)
    draw(ihdm, folder, tmp_path / "five", 0, 5)
    for parts, message in (
        (["0"], "0: shard 0 of 0…1 is given at position 0 of 1; list every shard once, in order"),
        (["1", "0"], "1: shard 1 of 0…1 is given at position 0 of 2"),
        (["0", "0"], "0: shard 0 of 0…1 is given at position 1 of 2"),
        (["0", "seed"], f"from another set than {tmp_path / '0'}; they differ in seed"),
        (["0", "size"], "they differ in num_samples"),
        (["0", "five"], "they differ in num_shards"),
    ):
        folders = [tmp_path / part for part in parts]
        assert message in ihdm_fails("samples", "gather", *folders, "--output", tmp_path / "all"), parts
    record = tmp_path / "1/samples.meta.json"
    whole = record.read_text()
    content = json.loads(whole)
    content["inputs"] = dict.fromkeys(content["inputs"], "0")
    for damaged, message in (
        (json.dumps(content), "they differ in network or training images"),
        (whole[:100], "samples.meta.json: no record can be read from it"),
    ):
        record.write_text(damaged)
        assert message in ihdm_fails("samples", "gather", tmp_path / "0", tmp_path / "1", "--output", tmp_path / "all")
    record.write_text(whole)
    np.save(tmp_path / "1/samples.npy", np.load(tmp_path / "1/samples.npy")[:3])
    message = ihdm_fails("samples", "gather", tmp_path / "0", tmp_path / "1", "--output", tmp_path / "all")
    assert "1/samples.npy: differs from its record samples.meta.json" in message
    assert not (tmp_path / "all").exists()


def test_files_of_others_stay(folder, tmp_path, ihdm, ihdm_fails):
    state = tmp_path / "out/state"
    state.mkdir(parents=True)
    (state / "notes.txt").write_text("mine")
    draw(ihdm, folder, tmp_path / "out", 0, 1)
    assert [path.name for path in state.iterdir()] == ["notes.txt"]
    (state / "samples.npy").write_bytes(b"mine too")
    message = draw(ihdm_fails, folder, tmp_path / "out", 0, 1)
    assert "samples.npy: not from an unfinished run" in message
    assert (state / "samples.npy").read_bytes() == b"mine too"


def test_values_that_are_not_finite_are_refused(tmp_path):
    """Samples 0…2 are finished and kept; of the next batch, one image breaks."""
    calls = []

    def breaks(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        difference = -0.05 * images
        if len(calls) > SETTINGS.process.num_levels:
            difference[1, 0, 2, 2] = torch.nan
        return difference

    with pytest.raises(UserError, match=r"^sample 6: the network gives values that are not finite"):
        draw_samples(breaks, TRAIN, SETTINGS, range(2, 13), tmp_path / "state", origin="a")
    progress = json.loads((tmp_path / "state" / sample_state.PROGRESS_NAME).read_text())
    assert progress == {"done": 3, "origin": "a"}


@pytest.mark.parametrize("change", ["torch", "threads"])
def test_samples_with_other_threads_or_pytorch_are_not_resumed(folder, tmp_path, ihdm, monkeypatch, change):
    """Their sums differ in the last bits, so that a set of both would be neither's."""
    origins = []

    def stop(*_arguments, origin: str, **_more) -> None:
        origins.append(origin)
        raise StoppedError

    monkeypatch.setattr(sample_state, "draw_samples", stop)
    for _ in range(2):
        with pytest.raises(StoppedError):
            draw(ihdm, folder, tmp_path / "out", 0, 1)
    if change == "torch":
        monkeypatch.setattr(torch, "__version__", f"{torch.__version__}.other")
    else:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 7)
    with pytest.raises(StoppedError):
        draw(ihdm, folder, tmp_path / "out", 0, 1)
    assert origins[0] == origins[1] != origins[2]
