import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from ihdm.__main__ import app
from ihdm.config.reading import read_config

ROOT = Path(__file__).parents[2]
DIGITS = {"source": "digits", "image_size": 8, "image_channels": 1}
SPECTRUM = '{"num_images": 2, "num_resamples": 20}'


@pytest.mark.parametrize(
    "stage", [(), ("data",), ("models",), ("samples",), ("metrics",), ("figures",), ("report",), ("config",)]
)
def test_every_stage_explains_itself(stage):
    result = CliRunner().invoke(app, [*stage, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output
    if not stage:
        assert all(name in result.output for name in ("train", "sample", "interpolate", "evaluate", "restore"))


def test_an_interruption_while_a_command_starts_has_no_traceback(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    result = subprocess.run(
        [sys.executable, "-m", "ihdm", "data", "sources"],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}, cwd=ROOT,
    )  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def test_the_encoding_of_the_locale_does_not_matter():
    """Output is UTF-8 and hashes of code stay, where Python would read and print ASCII."""
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    code = "from ihdm.storage.code import code_sha256; print(code_sha256('metrics samples'), flush=True)"
    code += "; import sys; sys.argv = ['ihdm', 'config', 'page']; from ihdm.__main__ import main; main()"
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, env=os.environ | more, cwd=ROOT, check=True)
        for more in ({}, ascii_locale)
    ]
    assert "δ/σ" in outputs[0].stdout.decode("utf-8")
    assert outputs[0].stdout == outputs[1].stdout


def test_user_errors_have_no_traceback():
    arguments = ["data", "prepare", "--settings", '{"source": "digits"}', "--output", "unused"]
    result = subprocess.run([sys.executable, "-m", "ihdm", *arguments], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr == (
        "ihdm: --settings: 2 mistakes\n  image_size: Field required\n  image_channels: Field required\n"
    )


def test_config_check_reports_a_missing_path(ihdm_fails, tmp_path):
    text = (ROOT / "workflow/config/smoke.yaml").read_text()
    mine = "datasets:\n  mine: {source: folder, path: pictures, image_size: 8, image_channels: 3}\n"
    (tmp_path / "config.yaml").write_text(text.replace("datasets:\n", mine) + f"data: {{root: {tmp_path}}}\n")
    message = ihdm_fails("config", "check", tmp_path / "config.yaml")
    assert f"datasets.mine: {tmp_path}/pictures: folder not found; set 'path' to the folder" in message


def test_user_errors_name_what_is_wrong(ihdm_fails, tmp_path):
    unknown, figure = json.dumps(DIGITS | {"source": "digit"}), tmp_path / "x.png"
    for command, options, message in (
        ("data prepare", ("--settings", "gone.json", "--output", "unused"), "No such file"),
        ("data prepare", ("--settings", unknown, "--state", tmp_path / "state", "--output", tmp_path), "known are"),
        ("figures draw mona_lisa", ("--input", "a:b=c", "--output", figure), "there is no figure 'mona_lisa'"),
        ("figures draw psd", ("--input", "psd:a=gone.csv", "--output", figure), "does not exist"),
        ("figures draw psd", ("--input", "psd.csv", "--output", figure), "write KIND:EXPERIMENT=PATH"),
        (
            "report page",
            ("--settings", "{}", "--results", "/gone", "--output", tmp_path / "x.html"),
            "there is no such folder",
        ),
        ("config show", (ROOT / "config.yaml", "x"), "there is no experiment 'x'"),
    ):
        assert message in ihdm_fails(*command.split(), *options)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def page(tmp_path) -> list[object]:
    """The command of a page of results that hold one table, without a column that is needed."""
    (tmp_path / "results/metrics").mkdir(parents=True)
    pd.DataFrame({"experiment": ["a"]}).to_csv(tmp_path / "results/metrics/levels.csv")
    settings = read_config(ROOT / "workflow/config/smoke.yaml").model_dump_json()
    return ["report", "page", "--settings", settings, "--results", tmp_path / "results", "--output"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),  # the system may not say for which file
            "ihdm: output: no space is left on the disk; free some and run the same command again",
        ),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
            "ihdm: out of GPU memory; for training, lower run.micro_batch of the experiment or set "
            "run.gradient_checkpointing; otherwise",
        ),
    ],
    ids=["disk", "GPU"],
)
def test_a_full_disk_or_gpu_is_reported_in_one_line(ihdm_fails, monkeypatch, tmp_path, page, error, message):
    monkeypatch.setattr("ihdm.report.page.report_page", Mock(side_effect=error))
    assert ihdm_fails(*page, tmp_path / "x.html").startswith(message)
    assert not (tmp_path / "x.html").exists()


def test_a_place_that_cannot_be_written_is_found_at_once(ihdm_fails, page):
    message = ihdm_fails(*page, "/proc/x.html")  # before the missing column is
    assert "/proc/x.html: no file can be created in /proc" in message


def test_missing_columns_are_named(ihdm_fails, tmp_path, page):
    path = tmp_path / "results/metrics/levels.csv"
    message = ihdm_fails(*page, tmp_path / "x.html")
    assert f"{path}: no column or array" in message
    message = ihdm_fails("figures", "draw", "psd", "--input", f"psd:a={path}", "--output", tmp_path / "x.png")
    assert f"{path}: no column or array 'process'" in message
    message = ihdm_fails("metrics", "minimum-distance", "--distance", path, "--output", tmp_path / "x.csv")
    assert f"{path}: no .csv table can be read from it (its columns are" in message
    assert "but no set and no metric" in message


@pytest.fixture
def spectrum(ihdm, tmp_path) -> list[object]:
    """The command of a spectrum of random training and test images, and of their mean power."""
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}.npy", np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8))
    power = tmp_path / "power.npz"
    ihdm("metrics", "mean-power", "--train", tmp_path / "train.npy", "--output", power)
    files = [f"power={power}", *(f"{split}={tmp_path / split}.npy" for split in ("train", "test"))]
    inputs = [word for file in files for word in ("--input", file)]
    return ["metrics", "spectrum-real", *inputs, "--settings", SPECTRUM, "--output", f"spectrum={tmp_path / 'x.csv'}"]


@pytest.mark.parametrize("name", ["train.npy", "test.npy"])
def test_damaged_arrays_are_named_by_commands(ihdm_fails, tmp_path, spectrum, name):
    """An empty file makes NumPy raise what click takes for the end of the input."""
    (tmp_path / name).write_bytes(b"")
    assert f"{tmp_path / name}: no .npy array can be read from it" in ihdm_fails(*spectrum)


def test_sets_of_images_of_other_sizes_are_refused(ihdm_fails, tmp_path, spectrum):
    np.save(tmp_path / "test.npy", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    message = f"{tmp_path / 'test.npy'} has images of 16×16×3, but the power to compare with is of 8×8×1"
    assert message in ihdm_fails(*spectrum)


def test_state_folders_hold_other_files_but_no_output(ihdm, ihdm_fails, tmp_path):
    prepare = ("data", "prepare", "--settings", json.dumps(DIGITS), "--output", tmp_path / "data", "--state")
    assert f"--state {tmp_path / 'data'}: is the output folder too" in ihdm_fails(*prepare, tmp_path / "data")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/notes.txt").write_text("mine")
    ihdm(*prepare, tmp_path / "state")
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["notes.txt"]
    assert (tmp_path / "data/data.meta.json").exists()


def test_missing_network(ihdm_fails, tmp_path):
    process = {"kind": "heat", "sigma": 0.01, "num_levels": 4, "blur_sigma_max": 4.0}
    settings = json.dumps({"process": process, "seed": 0, "num_images": 2, "micro_batch": 2})
    np.save(tmp_path / "test.npy", np.zeros((4, 8, 8, 1), dtype=np.uint8))
    found = ihdm_fails(
        "metrics", "errors", "--settings", settings, "--model", tmp_path, "--test", tmp_path / "test.npy",
        "--output", tmp_path / "errors.npz",
    )  # fmt: skip
    assert "config.json: input file not found" in found


def test_an_experiment_can_be_shown_and_trained_manually(ihdm, capfd, tmp_path):
    ihdm("config", "show", ROOT / "workflow/config/smoke.yaml", "digits")
    shown = capfd.readouterr().out
    (tmp_path / "digits.json").write_text(shown)
    dataset = json.dumps(json.loads(shown)["dataset"])
    ihdm("data", "prepare", "--settings", dataset, "--state", tmp_path / "part", "--output", tmp_path / "data")
    ihdm(
        "models", "train", "--settings", tmp_path / "digits.json", "--train", tmp_path / "data/train.npy",
        "--state", tmp_path / "state", "--output", tmp_path / "model",
    )  # fmt: skip
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "config.json", "diffusion_pytorch_model.safetensors", "history.csv", "model.meta.json",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"finished.safetensors", "history.jsonl"}
