"""Sampling with a trained network's folder and a count alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ihdm.models.network import CONFIG_NAME, RECORD_NAME
from ihdm.storage.files import sha256

EXPERIMENT = {
    "dataset": {"source": "digits", "image_size": 8, "image_channels": 1},
    "network": {
        "image_size": 8,
        "image_channels": 1,
        "base_channels": 8,
        "channel_multipliers": [1],
        "blocks_per_stage": 1,
        "attention_stages": [],
        "dropout": 0.0,
        "norm_groups": 4,
    },
    "process": {"kind": "heat", "sigma": 0.02, "num_levels": 4, "blur_sigma_max": 3.0},
    "training": {"steps": 2, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 0, "ema_decay": 0.5},
    "seed": 7,
    "num_train": 12,
}


@pytest.fixture
def folder(tmp_path, ihdm) -> Path:
    """Images, and a network trained on the first of them."""
    np.save(tmp_path / "train.npy", np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8))
    ihdm(
        "models", "train", "--settings", json.dumps(EXPERIMENT), "--train", tmp_path / "train.npy",
        "--state", tmp_path / "state", "--output", tmp_path / "model",
    )  # fmt: skip
    return tmp_path


def settings(**changes) -> str:
    """What the network's folder and the defaults come to, with some of it changed."""
    whole = {"process": EXPERIMENT["process"], "seed": 7, "num_train": 12, "delta_ratio": 1.25, "prior_noise": "delta"}
    return json.dumps({**whole, "micro_batch": 16, **changes})


@pytest.fixture
def draw(folder) -> list[object]:
    """The command that draws two samples, without settings."""
    return ["samples", "draw", "--model", folder / "model", "--count", 2, "--output", folder / "samples"]


@pytest.mark.parametrize("changes", [{}, {"delta_ratio": 0.5, "seed": 3}])
def test_a_networks_folder_and_a_count_are_enough(folder, ihdm, changes):
    """The same bytes as with every setting given, and as one sheet."""
    ihdm(
        "samples", "draw", "--settings", settings(**changes), "--model", folder / "model", "--train",
        folder / "train.npy", "--num-samples", 5, "--state", folder / "part", "--output", folder / "explicit",
    )  # fmt: skip
    short = ["--settings", json.dumps(changes)] if changes else []
    for output in ("brief", "sheet.png"):
        ihdm("samples", "draw", *short, "--model", folder / "model", "--count", 5, "--output", folder / output)
    for name in ("samples.npy", "starts.npy", "samples.csv"):
        assert sha256(folder / "brief" / name) == sha256(folder / "explicit" / name)
    records = [json.loads((folder / name / "samples.meta.json").read_text()) for name in ("brief", "explicit")]
    assert records[0]["settings"] == records[1]["settings"]
    with Image.open(folder / "sheet.png") as sheet:
        first = np.asarray(sheet)[4 : 4 + 8 * 4 : 4, 4 : 4 + 8 * 4 : 4]
    np.testing.assert_array_equal(first, np.load(folder / "brief/samples.npy")[0, :, :, 0])
    assert {path.name for path in folder.iterdir()} == {
        *("train.npy", "state", "model", "explicit", "brief", "sheet.png", "sheet.meta.json")
    }


def test_other_commands_complete_their_settings_too(folder, ihdm):
    ihdm("samples", "sequence", "--model", folder / "model", "--output", folder / "sequence.npz", "--rows", 2)
    numbers = ["--starts", 2, "--noises", 3]
    ihdm("samples", "grid", "--model", folder / "model", "--output", folder / "grid.npy", *numbers)
    assert np.load(folder / "grid.npy").shape == (2, 3, 8, 8, 1)


def test_missing_or_changed_training_images_are_named(folder, draw, ihdm, ihdm_fails):
    (folder / "train.npy").rename(folder / "moved.npy")
    message = ihdm_fails(*draw)
    assert f"{folder}/train.npy: training images of {folder}/model not found" in message
    assert "or give others with --train" in message
    np.save(folder / "train.npy", np.zeros((20, 8, 8, 1), dtype=np.uint8))
    assert f"{folder}/train.npy: changed since {folder}/model was trained on it" in ihdm_fails(*draw)
    assert not (folder / "samples").exists()
    ihdm(*draw, "--train", folder / "moved.npy")
    assert len(np.load(folder / "samples/samples.npy")) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (RECORD_NAME, None, "model.meta.json: no record can be read from it"),
        (RECORD_NAME, '{"settings": {}, "inputs": {}}', "model: no complete record of the training"),
        (CONFIG_NAME, "{}", "model: no complete record of the training"),
    ],
)
def test_a_folder_without_a_training_record_is_refused(folder, draw, ihdm_fails, name, content, message):
    (folder / "model" / name).unlink()
    if content is not None:
        (folder / "model" / name).write_text(content)
    assert message in ihdm_fails(*draw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "--settings: Invalid JSON"),
        ('{"delta": 1}', "--settings: delta: no setting has this name"),
        ('{"delta_ratio": -1}', "--settings: delta_ratio: Input should be greater than or equal to 0, not -1"),
        # The sampler, which depends on the process by default, is not reported too.
        ('{"process": [], "seed": 0}', "--settings: process: a block of settings belongs here, not []\n"),
    ],
)
def test_wrong_settings_are_named(draw, ihdm_fails, text, message):
    assert message in f"{ihdm_fails(*draw, '--settings', text).strip()}\n"


def test_diagnostics_need_only_the_network_folder(folder, ihdm):
    """Every file of the probes is there, of the numbers that were asked for, and the same when asked again."""
    diagnostics = {
        "num_pairs": 2, "num_positions": 3, "num_trees": 2, "num_splits": 2, "num_trajectories": 3, "num_stages": 5,
        "num_ranges": 2, "num_gradients": 2,
    }  # fmt: skip
    chosen = json.dumps({"sampling": json.loads(settings()), "diagnostics": diagnostics})
    for output in ("probes", "again"):
        ihdm(
            "samples", "diagnose", "--settings", chosen, "--model", folder / "model", "--train", folder / "train.npy",
            "--output", folder / output,
        )  # fmt: skip
    image = (8, 8, 1)
    assert np.load(folder / "probes/interpolations.npy").shape == (2, 3, *image)
    shapes = {
        "tree": {"levels": (2,), "leaves": (2, 4, *image), "shown": (3, 4, *image)},
        "trajectories": {
            "levels": (5,), "states": (5, 3, *image), "estimates": (4, 3, *image), "forward": (5, 8, *image)
        },
        "sums": {"edges": (3,), "sums": (2, 3, *image)},
        "gradients": {"levels": (4,), "pixels": (9, 2), "residual": (4, 9, 2, 8, 8), "clean": (4, 9, 2, 8, 8)},
    }  # fmt: skip
    for name, expected in shapes.items():
        with np.load(folder / f"probes/{name}.npz") as stored:
            assert {key: stored[key].shape for key in stored} == expected
        assert sha256(folder / f"probes/{name}.npz") == sha256(folder / f"again/{name}.npz")
    record = json.loads((folder / "probes/probes.meta.json").read_text())
    assert len(record["outputs"]) == 5
