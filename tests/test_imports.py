"""Commands import what they use and nothing else: what each command of the smoke run had imported when it ended."""

import json
import re
import subprocess
import sys
from collections import defaultdict

import pytest

HEAVY = {"diffusers", "transformers", "accelerate", "torch", "torch._dynamo", "torchvision", "scipy.stats", "sklearn"}
WITH_TORCH = {
    *("models train", "models calibrate", "models export"),
    *("samples draw", "samples sequence", "samples grid", "samples diagnose"),
    *(
        "metrics errors",
        "metrics levels",
        "metrics likelihood",
        "metrics likelihood-cost",
        "metrics minimum-likelihood",
    ),
    *("metrics joints", "metrics evaluations", "metrics milestones", "metrics restoration", "metrics asymptotics"),
    *("metrics forward", "metrics psd", "metrics paths"),
}
"""What evaluates a network or a process; all other commands work on arrays and tables."""
WITHOUT_PANDAS = {
    *("models calibrate", "samples sequence", "samples grid", "samples diagnose"),
    *("metrics extractor", "metrics features", "metrics moments", "metrics mean-power", "metrics errors"),
}
WITH_SEABORN = {"evaluations", "sweep_curves", "training", "training_efficiency", "asymptotics", "cumulative_sums"}
"""Figures with a palette of seaborn's, which imports scipy.stats."""


@pytest.fixture(scope="module")
def imported(smoke_results) -> dict[str, set[str]]:
    """The notable modules that each command had imported, by its name; a figure's holds its own name."""
    found = defaultdict(set)
    for path in (smoke_results.parent / "imports").glob("*.json"):
        note = json.loads(path.read_text())
        line = " ".join(note["arguments"])
        words = re.sub(r"^(?:--(?:threads|gpus) \S+ |--gpus-optional )*", "", line).split()
        found[" ".join(words[: 3 if words[0] == "figures" else 2])] |= set(note["modules"])
    return found


def test_every_kind_of_command_is_seen(imported):
    assert len(imported) > 50
    assert {"data prepare", "models train", "samples draw", "metrics samples", "report page"} <= imported.keys()
    assert WITH_TORCH - {"metrics milestones", "metrics minimum-likelihood"} <= imported.keys()


def test_only_the_export_imports_diffusers(imported):
    for command, modules in imported.items():
        assert not modules & {"diffusers", "torchvision"} or command == "models export", command
        assert "transformers" not in modules
        # torch's optimizers import it as well.
        assert "torch._dynamo" not in modules or command in ("models export", "models train"), command


def test_only_training_imports_accelerate(imported):
    assert {command for command, modules in imported.items() if "accelerate" in modules} <= {
        "models train",
        "models export",  # through diffusers
    }


def test_only_networks_and_processes_need_torch(imported):
    assert {command for command, modules in imported.items() if "torch" in modules} <= WITH_TORCH


def test_only_data_sets_need_scikit_learn(imported):
    assert {command for command, modules in imported.items() if modules & {"sklearn", "skimage"}} <= {
        "data prepare",
        "metrics restoration",  # its baselines are those of scikit-image
    }


def test_only_figures_need_plotting(imported):
    for command, modules in imported.items():
        assert "matplotlib" not in modules or command.startswith("figures draw")
        if modules & {"seaborn", "scipy.stats"}:
            allowed = {"models export", "data prepare", *(f"figures draw {name}" for name in WITH_SEABORN)}
            assert command in allowed, command  # scikit-learn imports scipy.stats too
        assert "altair" not in modules or command == "report page"


def test_arrays_are_written_without_pandas(imported):
    assert not {command for command in WITHOUT_PANDAS if "pandas" in imported[command]}


def test_the_network_needs_torch_alone():
    """And so starts about as soon as torch does."""
    code = f"import sys, ihdm.models.network; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == ["torch"]
