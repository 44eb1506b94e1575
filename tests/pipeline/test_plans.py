"""What is planned of results that are not there yet, and mistakes that stop a run before any job."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).parents[2]
DIGITS = {"source": "folder", "image_size": 8, "image_channels": 1}


def test_claims_are_a_target(tmp_path, snakemake):
    """Planned without a warning: Snakemake's default for the disk would need the sizes of inputs."""
    planned = snakemake(tmp_path / "results", "-n", "claims")
    assert planned.status == 0
    assert planned.jobs["claims"] == planned.jobs["metrics_forward"] == planned.jobs["metrics_data_spectrum"] == 1
    assert not any(rule.startswith("figure") for rule in planned.jobs)
    assert "RuntimeWarning" not in planned.text


def test_initial_weights_are_trained_first_and_references_are_named(tmp_path, snakemake):
    """Images that were not cut are measured from the training images, also where the reference is the released one."""
    fine = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())["experiments"]["digits"]
    folder = tmp_path / "results"
    planned = snakemake(
        folder, "-n", "-p", folder / "models/fine/history.csv", folder / "metrics/distance/real/digits.csv",
        experiments__fine={**fine, "initial_weights": "digits"}, evaluation__reference="as_released",
    )  # fmt: skip
    assert (planned.jobs["data"], planned.jobs["models"]) == (1, 2)
    assert planned.text.count(f"--initial-weights {folder}/models/digits") == 1
    assert '"dataset": "digits", "reference": "training"' in planned.text


def test_a_classifier_is_trained_on_labels(tmp_path, snakemake):
    folder = tmp_path / "results"
    planned = snakemake(
        folder, "-n", "-p", folder / "metrics/distance/real/digits.csv", evaluation__extractors__digits="classifier"
    )
    assert (planned.jobs["data"], planned.jobs["labels"], planned.jobs["metrics_extractor"]) == (1, 1, 1)
    assert f"--input labels={folder}/data/digits/labels.npz" in planned.text


@pytest.mark.parametrize("profile", ["workstation", "slurm"])
def test_every_profile_can_be_planned_with(profile, tmp_path, snakemake):
    """Whether or not there is such a machine. More GPUs for a training are more memory, up to the limit of a job."""

    def resources(gpus):
        planned = snakemake(
            tmp_path / "results", "-n", "--workflow-profile", f"profiles/{profile}",
            "--set-resources", f"models:gpu={gpus}",
        )  # fmt: skip
        assert planned.status == 0, planned.text
        of_trainings = re.findall(
            r"^rule models(?:_whitened)?:$.*?^    resources: (.*?)$", planned.text, re.MULTILINE | re.DOTALL
        )
        assert len(of_trainings) == 4
        assert len(set(of_trainings)) == 1
        return dict(item.split("=", 1) for item in of_trainings[0].split(", "))

    one, two, many = resources(1), resources(2), resources(1000)
    assert (one["gpu"], two["gpu"]) == ("1", "2")
    assert int(two["mem_mb"]) == 2 * int(one["mem_mb"])
    limits = yaml.safe_load((ROOT / f"profiles/{profile}/config.yaml").read_text())["resources"]
    assert int(many["mem_mb"]) == limits["mem_mb"]
    if profile == "slurm":
        assert (one["nodes"], one["cpus_per_gpu"], one["runtime"]) == ("1", "4", str(limits["runtime"]))


@pytest.mark.parametrize(
    ("config", "networks"), [("config.yaml", 18), ("workflow/config/desk.yaml", 11), ("workflow/config/seeds.yaml", 33)]
)
def test_every_scale_can_be_planned(config, networks, plan):
    """But the quick scale, which `make quick` runs."""
    planned = plan("--forceall", "--configfile", config)
    assert planned.status == 0, planned.text
    assert planned.jobs["models"] + planned.jobs["models_whitened"] == networks


def test_a_new_scale_can_be_planned(tmp_path, plan, ihdm):
    """Of images of one's own; without these it has one experiment less to plan."""
    pictures = tmp_path / "pic {1}"
    pictures.mkdir()
    for number in range(30):
        Image.new("RGB", (48 + number, 40), (8 * number, 0, 0)).save(pictures / f"{number}.png")
    for name, arguments in (("photos", ()), ("pictures", (pictures,))):
        path = tmp_path / f"my {name}.yaml"
        ihdm("config", "new", path, *arguments)
        planned = plan("--configfile", path)
        assert planned.status == 0, planned.text
        assert planned.jobs["models"] == 1


@pytest.mark.parametrize(
    ("arguments", "changes", "message"),
    [
        ((), {"evaluation__num_sampels": 3}, "evaluation.num_sampels: no setting has this name"),
        (
            ("--set-resources", "models:gpu=abc"),
            {},
            "--set-resources RULE:gpu=abc: the number of GPUs must be an integer",
        ),
    ],
    ids=["misspelled", "GPUs"],
)
def test_mistakes_stop_before_any_job(tmp_path, snakemake, arguments, changes, message):
    planned = snakemake(tmp_path / "results", "-n", *arguments, **changes)
    assert planned.status != 0
    assert message in planned.text
    assert "Traceback (most recent call last)" not in planned.text
    assert not (tmp_path / "results").exists()


def test_scales_are_never_merged(plan):
    planned = plan("--configfile", "workflow/config/quick.yaml", "config.yaml")
    assert planned.status != 0
    assert "a scale is one complete file, but 2 are given" in planned.text


def test_a_missing_path_is_reported_before_any_job_until_its_data_are_prepared(tmp_path, snakemake):
    pictures, folder = tmp_path / "pictures", tmp_path / "results"
    dataset = DIGITS | {"path": str(pictures)}

    def run(*options, **changes):
        return snakemake(folder, folder / "data/digits/train.npy", *options, datasets__digits=dataset | changes)

    message = f"datasets.digits: {pictures}: folder not found; set 'path' to the folder of the images"
    missing = run()
    assert missing.status != 0
    assert message in missing.text
    assert "Traceback" not in missing.text
    assert not folder.exists()
    pictures.mkdir()
    for number in range(2):
        Image.new("L", (8, 8), number).save(pictures / f"{number}.png")
    assert run().status == 0
    shutil.rmtree(pictures)
    assert "Nothing to be done" in run().text
    changed = run("-n", skip_broken=True)  # they would have to be prepared again
    assert changed.status != 0
    assert message in changed.text


@pytest.mark.parametrize("renamed", ["", " as ihdm_*"])
def test_another_workflow_can_import_this_one_as_a_module(tmp_path, renamed):
    """Paths and names of rules are those of this workflow, not of the one that imports it."""
    shutil.copy(ROOT / "workflow/config/smoke.yaml", tmp_path / "config.yaml")
    (tmp_path / "Snakefile").write_text(
        'configfile: "config.yaml"\n\nmodule ihdm:\n'
        f'    snakefile: "{ROOT}/Snakefile"\n    config: config\n\nuse rule * from ihdm{renamed}\n'
    )
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    planned = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert f"rule {'ihdm_' if renamed else ''}models:" in planned.stdout + planned.stderr


def test_lowered_steps_are_refused_before_anything_is_deleted(tmp_path, snakemake):
    meta = tmp_path / "results/models/digits/model.meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"settings": {"training": {"steps": 10**6}}, "inputs": {}}))
    planned = snakemake(tmp_path / "results", "-n")
    assert planned.status != 0
    assert "trained for 1000000 steps, but training.steps is" in planned.text


def test_results_of_other_settings_are_named(tmp_path, snakemake):
    """As after results were moved, where Snakemake does not know what they were made with."""
    results = tmp_path / "results"
    meta = results / "data/digits/data.meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(
        json.dumps({"settings": {"source": "digits", "image_size": 4}, "inputs": {}, "command": "data prepare"})
    )
    printed = snakemake(results, "-n").text
    assert f"{meta}: its result was made with other settings than the present" in printed
    assert f"--forcerun {meta} to regenerate it" in printed


def test_the_statistics_of_a_network_are_an_output_and_an_input(tmp_path, snakemake):
    """Where they are missing, the network is trained again; networks without them are left alone."""
    folder = tmp_path / "results"
    files = [folder / f"data/digits/{name}" for name in ("train.npy", "test.npy", "data.json", "data.meta.json")]
    names = ("config.json", "diffusion_pytorch_model.safetensors", "history.csv", "held_out.csv", "model.meta.json")
    files += [folder / f"models/{network}/{name}" for network in ("digits", "digits_whitened") for name in names]
    statistics = folder / "models/digits_whitened/statistics.safetensors"
    for second, path in enumerate([*files, statistics]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (second, second))
    targets = [folder / f"samples/{name}/samples.npy" for name in ("digits/delta1.25", "digits_whitened/delta0")]
    targets += [folder / f"metrics/errors/{name}.npz" for name in ("digits", "digits_whitened")]

    def planned_jobs():
        planned = snakemake(folder, "-n", *targets)
        assert planned.status == 0, planned.text
        reading = re.findall(r"^rule (\w+):\n    input: .*statistics\.safetensors", planned.text, re.MULTILINE)
        assert sorted(reading) == ["metrics_errors", "samples"]
        return {rule: number for rule, number in planned.jobs.items() if rule != "total"}

    assert planned_jobs() == {"samples": 2, "metrics_errors": 2}
    statistics.unlink()
    assert planned_jobs() == {"samples": 2, "metrics_errors": 2, "models_whitened": 1}
