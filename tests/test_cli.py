import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ihdm.__main__ import app, main

ROOT = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "ihdm", *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize(
    "stage", [(), ("data",), ("models",), ("samples",), ("metrics",), ("figures",), ("report",), ("config",)]
)
def test_every_stage_explains_itself(stage):
    result = CliRunner().invoke(app, [*stage, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_help_is_quick_because_imports_are_lazy():
    code = (
        "import sys, ihdm.__main__; print([m for m in ('torch', 'pandas', 'sklearn', 'diffusers') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"


def fail(monkeypatch, *arguments: str) -> str:
    """Run a command that must fail for the user's fault; return its one line."""
    monkeypatch.setattr(sys, "argv", ["ihdm", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    message = str(caught.value)
    assert message.startswith("ihdm: ")
    assert "\n" not in message
    return message


def test_user_errors_have_no_traceback():
    result = run("data", "prepare", "--settings", '{"source": "digits"}', "--state", "unused", "--output", "unused")
    assert result.returncode == 1
    assert result.stderr == "ihdm: configuration: image_size: Field required (and 1 more)\n"


def test_user_errors_name_what_is_wrong(monkeypatch, tmp_path):
    digits = json.dumps({"source": "digits", "image_size": 8, "image_channels": 1})
    assert "No such file" in fail(
        monkeypatch, "data", "prepare", "--settings", "gone.json", "--state", "unused", "--output", "unused"
    )
    assert "known are" in fail(
        monkeypatch,
        "data",
        "prepare",
        "--settings",
        digits.replace("digits", "digit"),
        "--state",
        str(tmp_path),
        "--output",
        str(tmp_path),
    )
    assert "there is no figure 'mona_lisa'" in fail(
        monkeypatch, "figures", "draw", "mona_lisa", "--input", "a:b=c", "--output", str(tmp_path / "x.png")
    )
    assert "does not exist" in fail(
        monkeypatch, "figures", "draw", "psd", "--input", "psd:a=gone.csv", "--output", str(tmp_path / "x.png")
    )
    assert "write it as KIND:EXPERIMENT=PATH" in fail(
        monkeypatch, "figures", "draw", "psd", "--input", "psd.csv", "--output", str(tmp_path / "x.png")
    )
    assert "the summary has no such table" in fail(
        monkeypatch, "report", "write", "other.csv", "--output", str(tmp_path / "x.html")
    )
    assert "no experiment is named 'x'" in fail(monkeypatch, "config", "show", str(ROOT / "config.yaml"), "x")
    assert list(tmp_path.iterdir()) == []


def test_missing_network(monkeypatch, tmp_path):
    settings = json.dumps(
        {
            "process": {"kind": "heat", "sigma": 0.01, "num_levels": 4, "blur_sigma_max": 4.0},
            "seed": 0,
            "num_images": 2,
            "micro_batch": 2,
        }
    )
    np.save(tmp_path / "test.npy", np.zeros((4, 8, 8, 1), dtype=np.uint8))
    found = fail(
        monkeypatch, "metrics", "errors", "--settings", settings, "--model", str(tmp_path), "--test",
        str(tmp_path / "test.npy"), "--output", str(tmp_path / "errors.npz"),
    )  # fmt: skip
    assert "diffusion_pytorch_model.safetensors: this input does not exist" in found


def test_an_experiment_can_be_shown_and_used_by_hand(tmp_path):
    shown = run("config", "show", str(ROOT / "workflow/config/smoke.yaml"), "digits")
    assert shown.returncode == 0
    (tmp_path / "digits.json").write_text(shown.stdout)
    dataset = json.dumps(json.loads(shown.stdout)["dataset"])
    assert (
        run(
            "data",
            "prepare",
            "--settings",
            dataset,
            "--state",
            str(tmp_path / "part"),
            "--output",
            str(tmp_path / "data"),
        ).returncode
        == 0
    )
    trained = run(
        "models", "train", "--settings", str(tmp_path / "digits.json"), "--data", str(tmp_path / "data/train.npy"),
        "--state", str(tmp_path / "state"), "--output", str(tmp_path / "model"),
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "config.json", "diffusion_pytorch_model.safetensors", "history.csv", "model.meta.json",
    }  # fmt: skip
    assert not (tmp_path / "state").exists()
