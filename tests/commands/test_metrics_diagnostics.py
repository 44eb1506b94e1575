"""The commands that measure what was probed, on small arrays as `samples diagnose` writes them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from ihdm.config.experiments import NetworkSettings
from ihdm.config.processes import HeatSettings
from ihdm.models.network import build_network, save_network

ROOT = Path(__file__).parents[2]
TABLES = ("interpolation", "hierarchy", "generation", "cumulative_sums", "input_gradients")
FILES = {
    **{"interpolations": "interpolations.npy", "tree": "tree.npz", "trajectories": "trajectories.npz"},
    **{"sums": "sums.npz", "gradients": "gradients.npz"},
}
ESTIMATE = ["n", "value", "standard_error", "low", "high", "degrees", "error_parts"]
COLUMNS = {
    "interpolation": ["space", "quantity", *ESTIMATE, "null"],
    "hierarchy": ["split", "level", "fraction", *ESTIMATE, "null"],
    "generation": ["band", "frequency", "level", *ESTIMATE],
    "cumulative_sums": ["range", "level_from", "level_to", "band", "frequency", *ESTIMATE],
    "input_gradients": ["stage", "level", "output", "quantity", *ESTIMATE, "null"],
}


@pytest.fixture
def probed(tmp_path, ihdm):
    rng = np.random.default_rng(0)

    def images(*shape):
        return rng.random((*shape, 8, 8, 1), dtype=np.float32)

    folder = tmp_path / "probes"
    folder.mkdir()
    np.save(folder / "interpolations.npy", images(3, 5))
    shown = np.zeros((3, 4, 8, 8, 1), dtype=np.uint8)
    np.savez(folder / "tree.npz", levels=np.array([6, 2]), leaves=images(3, 4), shown=shown)
    np.savez(folder / "trajectories.npz", levels=np.array([6, 3, 1, 0]), states=images(4, 5), estimates=images(3, 5))
    np.savez(folder / "sums.npz", edges=np.array([6, 3, 0]), sums=images(2, 5) - 0.5)
    pixels = np.array([[row, column] for row in (2, 4, 6) for column in (2, 4, 6)])
    gradients = {name: rng.normal(size=(5, 9, 4, 8, 8)).astype(np.float32) for name in ("residual", "clean")}
    np.savez(folder / "gradients.npz", levels=np.array([6, 5, 3, 2, 1]), pixels=pixels, **gradients)
    np.save(tmp_path / "train.npy", rng.integers(0, 256, (4, 8, 8, 1), dtype=np.uint8))
    ihdm(
        "metrics",
        "extractor",
        "--settings",
        '{"kind": "dct"}',
        "--train",
        tmp_path / "train.npy",
        "--output",
        tmp_path / "extractor.npz",
    )
    return folder


def arguments(probed, output):
    files = [option for role, name in FILES.items() for option in (f"--{role}", probed / name)]
    outputs = [option for name in TABLES for option in ("--output", f"{name}={output / name / 'e.csv'}")]
    settings = ["--settings", '{"num_resamples": 20, "labels": {"experiment": "e"}}']
    return ["metrics", "diagnostics", *files, "--extractor", probed.parent / "extractor.npz", *settings, *outputs]


def test_one_process_writes_all_tables_of_the_diagnostics(ihdm, probed, tmp_path):
    ihdm(*arguments(probed, tmp_path / "metrics"))
    tables = {name: pd.read_csv(tmp_path / f"metrics/{name}/e.csv") for name in TABLES}
    assert {name: table.columns.tolist() for name, table in tables.items()} == {
        name: ["experiment", *columns] for name, columns in COLUMNS.items()
    }
    lengths = {"interpolation": 4, "hierarchy": 2, "generation": 7, "cumulative_sums": 12, "input_gradients": 60}
    assert {name: len(table) for name, table in tables.items()} == lengths
    assert all((table["experiment"] == "e").all() for table in tables.values())
    meta = json.loads((tmp_path / "metrics/cumulative_sums/e.meta.json").read_text())
    assert len(meta["outputs"]) == 5
    assert len(meta["inputs"]) == 6


def test_features_of_paths_are_those_of_the_extractor(ihdm, probed, tmp_path):
    """Coefficients of the cosine transform are pixels turned around: distances are the same, up to 8 bits."""
    ihdm(*arguments(probed, tmp_path / "metrics"))
    table = pd.read_csv(tmp_path / "metrics/interpolation/e.csv").set_index(["space", "quantity"])
    np.testing.assert_allclose(table.loc["features", "value"], table.loc["pixels", "value"], rtol=0.01)


def test_damaged_diagnostics_are_named_and_nothing_is_written(ihdm_fails, probed, tmp_path):
    np.savez(probed / "sums.npz", edges=np.array([6, 3, 0]), sums=np.zeros((2, 5)))
    message = ihdm_fails(*arguments(probed, tmp_path / "metrics"))
    assert f"{probed / 'sums.npz'}: sums is of shape (2, 5), not of 5 dimensions" in message
    (probed / "sums.npz").unlink()
    assert f"{probed / 'sums.npz'}: input file not found" in ihdm_fails(*arguments(probed, tmp_path / "metrics"))
    assert not list(tmp_path.glob("metrics/**/*.csv"))


def test_asymptotics_have_the_toys_and_the_network_of_a_heat_process(ihdm, ihdm_fails, monkeypatch, tmp_path):
    monkeypatch.setattr("ihdm.metrics.asymptotics.NUM_STEPS", 4)
    process = {"kind": "heat", "sigma": 0.01, "num_levels": 6, "blur_sigma_max": 4.0}
    presets = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["networks"]
    torch.manual_seed(0)
    network = build_network(NetworkSettings.model_validate_json(json.dumps(presets["digits"])))
    save_network(network, tmp_path / "model", HeatSettings.model_validate(process))
    np.save(tmp_path / "test.npy", np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8))
    np.save(tmp_path / "train.npy", np.random.default_rng(1).integers(0, 256, (12, 8, 8, 1), dtype=np.uint8))
    measured = {"process": process, "seed": 0, "levels": [*range(1, 7)], "num_images": 12, "micro_batch": 8}
    ihdm(
        "models", "calibrate", "--settings", json.dumps(measured), "--model", tmp_path / "model", "--train",
        tmp_path / "train.npy",
    )  # fmt: skip

    def asymptotics(process: dict[str, object]) -> list[object]:
        settings = {"process": process, "seed": 0, "num_images": 3, "micro_batch": 2, "num_draws": 2}
        settings["labels"] = {"experiment": "e"}
        return [
            "metrics", "asymptotics", "--settings", json.dumps(settings), "--model", tmp_path / "model", "--test",
            tmp_path / "test.npy", "--output", tmp_path / "e.csv",
        ]  # fmt: skip

    message = ihdm_fails(*asymptotics({"kind": "diffusion", "num_levels": 25}))
    assert "a process of kind 'diffusion' has no δ" in message
    ihdm(*asymptotics(process))
    table = pd.read_csv(tmp_path / "e.csv")
    named = ["experiment", "part", "num_levels", "level", "delta_ratio", "band"]
    assert table.columns.tolist() == [*named, *ESTIMATE, "expected"]
    counts = {"toy_loss": 7, "toy_langevin": 8, "network_loss": 6, "network_losses": 3, "network_langevin": 3 * 2 * 6}
    assert table[table["part"] == "network_losses"]["num_levels"].tolist() == [2, 3, 6]
    losses = table[table["part"] == "network_loss"]
    assert losses["level"].tolist() == [1, 2, 3, 4, 5, 6]
    assert (losses["value"] > 1).all()
    assert (losses["n"] == 3).all()
    assert table.groupby("part", sort=False).size().to_dict() == counts
    assert table["value"].notna().all()


def test_paths_are_tabulated_and_stored_for_the_figure(ihdm, monkeypatch, tmp_path):
    monkeypatch.setattr("ihdm.measures.paths.ROW_EVERY", 50)
    table, arrays = tmp_path / "paths.csv", tmp_path / "arrays.npz"
    ihdm("metrics", "paths", "--output", f"paths={table}", "--output", f"arrays={arrays}")
    table = pd.read_csv(table)
    assert table.columns.tolist() == ["sigma", "level", "fraction", "quantity", *ESTIMATE]
    assert len(table) == 3 * 2 * 2
    with np.load(arrays) as stored:
        assert set(stored.files) == {"levels", "scales", "points", "sigmas", "forward", "reverse"}
    assert json.loads((tmp_path / "paths.meta.json").read_text())["seed"] == 0
