"""What programs outside call and read: a name, a signature or a column that is lost here breaks them.

Arguments with defaults and columns may be added, but none of these may go or change its meaning.
"""

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import typer
import yaml

from ihdm import load_results
from ihdm.__main__ import app
from ihdm.config.experiments import NetworkSettings
from ihdm.heat import HeatProcess, blur_schedule
from ihdm.likelihood import prior_kl_bound
from ihdm.measures import reported
from ihdm.models.network import build_network

ROOT = Path(__file__).parents[1]

FUNCTIONS = {
    ("ihdm.heat", "blur_schedule"): ["sigma_min", "sigma_max", "num_levels"],
    ("ihdm.heat", "HeatProcess"): ["blur_sigmas", "height", "width"],
    ("ihdm.heat", "HeatProcess.blur"): ["self", "images", "levels"],
    ("ihdm.objective", "deblurring_loss"): ["network", "heat", "images", "levels", "noise", "sigma"],
    ("ihdm.sampling", "reverse_process"): ["network", "start", "noise", "delta"],
    ("ihdm.likelihood", "prior_kl_bound"): ["train", "test", "heat", "sigma", "delta"],
    ("ihdm.models.network", "build_network"): ["preset"],
}

COLUMNS = {
    "distance": [
        *("dataset", "reference", "set", "metric", "extractor", "extractor_sha256", "n", "n_reference"),
        *("value", "standard_error", "low", "high", "note", "experiment", "delta_ratio"),
    ],
    "likelihood": [
        *(
            "experiment",
            "joint",
            "variance",
            "delta_ratio",
            "n",
            "bits_per_dim",
            "standard_error",
            "monte_carlo_error",
            "nats",
            "nats_error",
        ),
        *("prior_nats", "prior_nats_error", "transition_nats", "transition_nats_error", "reconstruction_nats"),
        *("reconstruction_nats_error", "transition_nats_monte_carlo_error", "reconstruction_nats_monte_carlo_error"),
        "nats_best_levels",
    ],
    "evaluations": ["experiment", "sampler", "evaluations", "metric", "value", "standard_error", "low", "high"],
    "restoration": [
        *("experiment", "problem", "method", "parameter", "result", "metric", "extractor", "n"),
        *("value", "standard_error", "low", "high"),
    ],
    "disentanglement": [
        *("experiment", "quantity", "num_starts", "num_noises", "start", "noise", "interaction"),
        *("start_error", "noise_error", "interaction_error"),
    ],
    "data_spectrum": ["dataset", "quantity", "low_frequency", "high_frequency", "n", "value", "standard_error"],
    "forward": ["dataset", "quantity", "process", "strength", "frequency", "n", "value", "standard_error"],
    "sweep": [
        *("dataset", "experiment", "base", "swept", "sigma", "num_levels", "blur_sigma_max", "num_train", "seed"),
        *("levels", "prior_noise", "rounding", "is_departure", "delta_ratio", "set", "metric", "extractor"),
        *("extractor_sha256", "reference", "n", "value", "standard_error"),
    ],
}


@pytest.mark.parametrize(("module", "name"), FUNCTIONS, ids=str)
def test_functions_take_these_arguments_in_this_order(module, name):
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    parameters = list(inspect.signature(found).parameters.values())
    expected = FUNCTIONS[module, name]
    assert [parameter.name for parameter in parameters[: len(expected)]] == expected
    assert all(parameter.default is not parameter.empty for parameter in parameters[len(expected) :])


def test_the_prior_bound_is_one_value_in_nats_for_each_test_image(golden):
    """From unblurred float images; against the released code's values."""
    reference = golden("prior_kl")
    widths = (float(reference["blur_sigma_min"]), float(reference["blur_sigma_max"]), int(reference["num_levels"]))
    found = prior_kl_bound(
        torch.as_tensor(reference["train"]),
        torch.as_tensor(reference["test"]),
        HeatProcess(blur_schedule(*widths), 16, 16),
        float(reference["sigma"]),
        float(reference["delta"]),
    )
    np.testing.assert_allclose(found.numpy(), reference["prior_kl_nats"], rtol=1e-4)


def test_a_network_is_built_from_a_preset_of_the_configuration():
    presets = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["networks"]
    network = build_network(NetworkSettings.model_validate_json(json.dumps(presets["digits"])))
    assert network(torch.zeros(2, 1, 8, 8), torch.tensor([1, 2])).shape == (2, 1, 8, 8)


def test_results_are_objects_with_these_names(smoke_results):
    results = load_results(smoke_results)
    assert {"distance", "likelihood"} <= set(results.tables)
    samples = results.samples["digits", 1.25]
    assert len(samples.images) == len(samples.starts) == len(samples.table)
    assert results.figures["psd"].is_file()
    assert (results.models["digits"] / "config.json").is_file()
    assert results.data["digits"].train.dtype == np.uint8
    assert "verdict" in results.claims
    for path in (results.figures["psd"], results.models["digits"], samples.folder, results.tables.path("distance")):
        origin = results.origin(path)
        for name in ("command", "settings", "seed", "inputs", "outputs", "code_sha256", "commit", "versions", "device"):
            assert hasattr(origin, name)
        assert origin.finished.tzinfo is not None
        assert origin.seconds > 0


@pytest.mark.parametrize("table", COLUMNS)
def test_tables_have_these_columns(smoke_results, table):
    assert set(COLUMNS[table]) <= set(pd.read_csv(smoke_results / f"metrics/{table}.csv").columns)


def test_tables_name_joints_and_samplers_so(smoke_results):
    likelihood = pd.read_csv(smoke_results / "metrics/likelihood.csv")
    assert set(likelihood["joint"]) == {"independent", "markov"}
    assert set(likelihood["variance"]) == {"one", "level", "mode"}
    paper = likelihood[(likelihood["joint"] == "independent") & (likelihood["variance"] == "one")]
    assert paper.loc[paper["experiment"] == "digits", "delta_ratio"].tolist() == [1.25]
    evaluations = pd.read_csv(smoke_results / "metrics/evaluations.csv")
    digits = evaluations[evaluations["experiment"] == "digits"]
    assert set(digits["sampler"]) == {"paper", "markov"}  # one δ > 0: nothing to choose the best of
    assert set(digits["evaluations"]) == {3, 6}
    assert {"frechet_distance", "kernel_distance", "relative_power_highest", "seconds"} == set(digits["metric"])


def test_experiments_of_the_quick_scale_have_these_names():
    experiments = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())["experiments"]
    assert {"digits", "photos", "digits_diffusion", "photos_diffusion", "digits_blurring"} <= set(experiments)


def test_claims_have_these_columns_first_and_this_form_of_json(smoke_results):
    columns = ["id", "claim", "experiment", "verdict", "value", "low", "high", "rule"]
    table = pd.read_csv(smoke_results / "report/claims.csv")
    assert table.columns.tolist()[: len(columns)] == columns
    assert set(table["verdict"]) <= {"reproduced", "not reproduced", "inconclusive", "not run"}
    content = json.loads((smoke_results / "report/claims.json").read_text())
    assert list(content) == ["version", "tested", "claims", "borders"]
    assert content["version"] == 1
    assert content["tested"] == (table["verdict"] != "not run").sum()
    more = [
        "paper",
        "table",
        "reference",
        "p",
        "holm",
        "ours",
        "how_to_rerun",
        "reason",
        "kind",
        "rule_set",
        "trainings",
    ]
    assert all(list(row) == [*columns, *more] for row in content["claims"])
    assert [row["id"] for row in content["claims"]] == table["id"].tolist()


def test_every_table_and_column_is_documented(smoke_results):
    """In the table's section, or once for all tables."""
    shared, *sections = re.split(r"^## (?=\w+$)", (ROOT / "docs/metrics.md").read_text(), flags=re.MULTILINE)
    sections = {section.partition("\n")[0]: section for section in sections}
    tables = sorted((smoke_results / "metrics").glob("*.csv"))
    assert tables
    for path in tables:
        known = set(re.findall(r"`(\w+)`", shared + sections[path.stem]))
        assert set(pd.read_csv(path, nrows=0).columns) <= known, path.stem
    assert {*reported(), "sweep"} == set(sections)


@pytest.mark.parametrize(
    ("group", "name", "options"),
    [
        ("models", "plan", ["path", "tflops", "gpu_memory", "output"]),
        ("models", "train", ["settings", "train", "state", "output", "run_settings"]),
        ("metrics", "milestones", ["settings", "model", "train", "output"]),
        ("data", "download", ["settings"]),
        ("results", "crate", ["folder", "output", "license_name", "include_data", "project"]),
        ("results", "show", ["folder"]),
    ],
)
def test_commands_for_clusters_have_these_names_and_options(group, name, options):
    command = typer.main.get_command(app)
    assert {"threads", "gpus", "gpus_optional"} <= {parameter.name for parameter in command.params}
    found = command.commands[group].commands[name]
    assert {*options} <= {parameter.name for parameter in found.params}


def test_profiles_and_targets_of_clusters_have_these_names():
    for profile in ("default", "workstation", "slurm"):
        assert yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())
    assert re.search(r"^test-slurm:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "rule downloads:" in (ROOT / "workflow/rules/data.smk").read_text()


def test_models_are_loaded_and_sampled_by_these_names():
    package = importlib.import_module("ihdm")
    options = inspect.signature(package.IHDMPipeline.__call__).parameters
    wanted = ["batch_size", "evaluations", "generator", "output_type", "shared_start", "shared_noise"]
    assert {*wanted, "callback_on_step_end"} <= set(options)
    assert [*options][1:4] == wanted[:3]
    assert hasattr(package.IHDMPipeline, "from_pretrained")
    assert hasattr(package.IHDMPipeline, "interpolate")
    for name in ("set_timesteps", "add_noise", "step", "scale_model_input", "from_pretrained", "save_pretrained"):
        assert hasattr(package.IHDMScheduler, name)
    steps = inspect.signature(package.IHDMScheduler.step).parameters
    assert [*steps][1:5] == ["model_output", "timestep", "sample", "generator"]
    settings = inspect.signature(package.IHDMScheduler.__init__).parameters
    assert {"process", "coupling", "noise", "evaluations", "spacing", "delta_ratio"} <= set(settings)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sample", ["model", "num_samples", "sampler", "evaluations", "output", "seed"]),
        ("interpolate", ["model", "output", "sampler"]),
        ("evaluate", ["model", "data", "num_samples", "output", "card"]),
        ("train", ["pictures", "preset", "output", "image_size", "steps"]),
        ("convert", ["checkpoint", "preset", "output", "config", "weights"]),
        ("restore", ["model", "pictures", "problem", "output", "measured", "num_draws"]),
    ],
)
def test_commands_without_a_workflow_have_these_names_and_options(name, options):
    found = typer.main.get_command(app).commands[name]
    assert {*options} <= {parameter.name for parameter in found.params}
    short = {text for parameter in found.params for text in parameter.opts}
    assert "-o" in short
    assert ("-n" in short) == (name in ("sample", "evaluate", "restore"))


def test_the_workflow_writes_models_here(smoke_results):
    folder = smoke_results / "portable/digits"
    index = json.loads((folder / "model_index.json").read_text())
    assert index["_class_name"] == "IHDMPipeline"
    assert index["scheduler"] == ["ihdm.portable.scheduler", "IHDMScheduler"]
    assert index["prior"] == ["ihdm.portable.prior", "CoefficientPrior"]
    assert index["unet"] == ["diffusers", "UNet2DModel"]


def test_restoration_has_these_settings_and_columns(smoke_results):
    table = pd.read_csv(smoke_results / "metrics/restoration.csv")
    assert {"psnr", "ssim", "consistency", "spread", "frechet_distance"} == set(table["metric"])
    assert {"truth", "estimate", "sample", "mean"} == set(table["result"])
    methods = {"wiener", "richardson_lucy", "total_variation", "bicubic", "biharmonic", "start", "map", "posterior"}
    assert methods <= set(table["method"])
    problems = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())["restoration"]["digits"]["problems"]
    assert {problem["kind"] for problem in problems.values()} == {"blur", "pooling", "mask", "noise"}
