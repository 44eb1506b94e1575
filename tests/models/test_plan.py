"""What a scale is said to take is what it takes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from ihdm.calibration import Calibration, measure
from ihdm.config.reading import parse_config
from ihdm.config.scale import Config
from ihdm.config.settings import RunSettings
from ihdm.measures.errors import error_settings
from ihdm.measures.likelihood import joint_settings
from ihdm.measures.restoration import restoration_settings
from ihdm.metrics.asymptotics import Subject, network_rows
from ihdm.metrics.features import CosineFeatures
from ihdm.metrics.heldout import dequantize, held_out_errors
from ihdm.metrics.joints import joint_rows
from ihdm.models import work
from ihdm.models.footprint import inference
from ihdm.models.plan import GB, Machine, plan_rows, seconds_of
from ihdm.models.state import STATE_NAME, StateWriter
from ihdm.models.trainer import Trainer, make_accelerator
from ihdm.models.training import validate
from ihdm.models.work import Work
from ihdm.processes import build_process
from ihdm.restoration.problems import prior_moments
from ihdm.restoration.solvers import Restorer
from ihdm.restoration.study import study
from ihdm.runs import Run
from ihdm.samples.diagnostics import gradients, interpolations, trajectories, trees
from ihdm.samples.generation import Chain, generate, shard_numbers
from ihdm.storage.tensors import to_tensor

ROOT = Path(__file__).parents[2]
MACHINE = Machine(60.0, 120.0, 80 * GB)
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text()))


class Counted:
    """A network that costs nothing and counts the images that it sees."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        self.images += len(images)
        return -0.1 * images


@pytest.fixture
def network() -> Counted:
    return Counted()


def calibrated(config: Config, name: str) -> Calibration:
    found = config.calibration(name)
    process = build_process(found.process, 8)
    return measure(Counted(), process, to_tensor(IMAGES), found.levels, 0, found.micro_batch)


@pytest.mark.parametrize("name", ["digits", "digits_diffusion"])
def test_samples_pass_the_network_as_often_as_planned(config, network, name):
    settings, sampling = config.evaluation, config.sampling(name)
    for part in range(settings.num_shards):
        numbers = shard_numbers(settings.num_samples, part, settings.num_shards)
        list(generate(network, IMAGES, sampling, starts=numbers, noises=numbers))
    assert Work(network.images) == work.samples(config, name)


@pytest.mark.parametrize(("name", "least"), [("digits", 0.5), ("digits_diffusion", 1.0)])
def test_restoration_passes_the_network_as_often_as_planned(name, least, network):
    """At most: one that starts half-way takes fewer steps. The last batch is filled up."""
    values = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    values["restoration"] = {name: values["restoration"]["digits"]}
    values["evaluation"]["micro_batch"] = 3  # of 8 and 4 samples
    values["figures"].pop("restoration")
    config = parse_config(values)
    settings = restoration_settings(Run(config, name))
    assert (settings.num_images * settings.num_draws) % settings.micro_batch
    mean, power = prior_moments(to_tensor(IMAGES))
    process = build_process(settings.process, 8)
    restorer = Restorer(network, process, calibrated(config, name), mean, power, settings.sampler, 0)
    assert list(study(restorer, IMAGES, settings, CosineFeatures(64)))
    planned = work.metrics_restoration(config, name).evaluated
    assert least * planned <= network.images <= planned


def test_probes_pass_the_network_as_often_as_planned(config, network):
    sampling, diagnostics = config.sampling("digits"), config.evaluation.diagnostics
    chain, size = Chain.of(network, IMAGES, sampling), sampling.micro_batch
    interpolations(chain, diagnostics.num_pairs, diagnostics.num_positions, size)
    trees(chain, diagnostics.num_trees, diagnostics.num_splits, size)
    trajectories(chain, diagnostics.num_trajectories, diagnostics.num_stages, diagnostics.num_ranges, size)
    gradients(chain, diagnostics.num_gradients)
    stages, back = work.NUM_STAGES_OF_GRADIENTS, 2 * work.GRID**2
    assert Work(network.images + diagnostics.num_gradients * stages * back) == work.samples_diagnose(config, "digits")


def test_measures_pass_the_network_as_often_as_planned(config, network):
    errors, calibration, joints = (
        error_settings(Run(config, "digits")),
        config.calibration("digits"),
        joint_settings(Run(config, "digits")),
    )
    process = build_process(errors.process, 8)

    def passed() -> Work:
        count, network.images = network.images, 0
        return Work(count)

    held_out_errors(network, dequantize(IMAGES[: errors.num_images]), errors)
    assert passed() == work.metrics_errors(config, "digits")
    images = to_tensor(np.resize(IMAGES, (calibration.num_images, 8, 8, 1)))
    measured = measure(network, process, images, calibration.levels, 0, calibration.micro_batch)
    assert passed() == work.models_calibration(config, "digits")
    joint_rows(network, measured, IMAGES, IMAGES, joints)
    assert passed() == work.metrics_joints(config, "digits")
    subject = Subject(network, process, to_tensor(IMAGES[: errors.num_images]), 0, errors.micro_batch)
    network_rows(subject, measured, errors)
    assert passed() == work.metrics_asymptotics(config, "digits")


@pytest.mark.parametrize("name", ["digits", "digits_diffusion"])
def test_validation_evaluates_the_network_as_often_as_planned(config, name, tmp_path, monkeypatch):
    experiment, run, seen = config.variants[name].experiment, config.run(name), []
    trainer = Trainer(experiment, IMAGES, make_accelerator("no"), run)
    unet = trainer.averaged_network()
    unet.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(trainer, "averaged_network", lambda: unet)
    test = np.resize(IMAGES, (run.num_validation_images, 8, 8, 1))
    for _ in {*range(run.validate_every, experiment.training.steps, run.validate_every), experiment.training.steps}:
        validate(trainer, run, test, tmp_path)
    assert Work(validated=sum(seen)) == work.validation(config, name)


def test_the_state_on_disk_is_of_the_size_that_is_planned(make_experiment, images, tmp_path):
    experiment = make_experiment(dropout=0.1)
    trainer = Trainer(experiment, images, make_accelerator("no"), RunSettings())
    writer = StateWriter(tmp_path)
    writer.save(trainer)
    writer.wait()
    tensors = load_file(tmp_path / STATE_NAME)
    assert len(tensors.pop("unlogged_losses")) == 0
    parameters = inference(experiment.network).parameters
    assert sum(tensor.nbytes for tensor in tensors.values()) == 4 * 4 * parameters


def test_time_is_operations_over_speed(config):
    digits = inference(config.networks["digits"]).flops
    assert seconds_of(config, MACHINE, "digits", Work(1000, 100)) == pytest.approx(digits * 1300 / 60e12)
    values = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    values["experiments"]["digits"]["run"]["gradient_checkpointing"] = True  # one more forward pass
    assert seconds_of(parse_config(values), MACHINE, "digits", Work(0, 100)) == pytest.approx(digits * 400 / 60e12)
    values["experiments"]["digits"].setdefault("training", {})["mixed_precision"] = "bf16"
    mixed, expected = parse_config(values), digits * (1000 / 60e12 + 400 / 120e12)
    assert seconds_of(mixed, MACHINE, "digits", Work(1000, 100)) == pytest.approx(expected)
    assert seconds_of(mixed, MACHINE, "digits", Work(validated=1000)) == pytest.approx(digits * 1000 / 120e12)


@pytest.mark.parametrize(("memory", "expected"), [(80, 8), (40, 4), (3, 0), (1000, 32)])
def test_micro_batches_are_the_largest_powers_of_two_that_fit_beside_the_margin(memory, expected):
    machine = Machine(60.0, 120.0, memory * GB)
    assert machine.largest(2 * GB, 6 * GB, 32) == expected


def test_every_network_has_a_row_with_the_samples_of_its_variants(config):
    rows = plan_rows(config, MACHINE).set_index("experiment")
    assert list(rows.index) == [name for name, variant in config.variants.items() if variant.is_trained]
    sets = dict.fromkeys(rows.index, 0)
    for variant in config.variants.values():
        sets[variant.model] += len(variant.delta_ratios)
    for name, count in sets.items():
        size = config.variants[name].experiment.dataset
        values = config.evaluation.num_samples * size.image_size**2 * size.image_channels
        assert rows.loc[name, "samples_gb"] == pytest.approx(2 * count * values / GB)
    assert (rows["checkpointed_gb"] < rows["training_gb"]).all()
    stages = [column for column in rows if column.endswith("_hours") and column != "gpu_hours"]
    assert rows[stages].sum(axis=1).to_numpy() == pytest.approx(rows["gpu_hours"].to_numpy())


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_totals_of_the_documentation_are_sums():
    told = (ROOT / "docs/cluster.md").read_text()
    table: list[list[float]] = []
    for line in told[told.index("| data set") :].splitlines()[2:]:
        name, *values = cells(line)
        if name == "all":
            assert np.sum(table, axis=0) == pytest.approx(np.array(values, dtype=float), abs=0.5)
            return
        table.append([float(value) for value in values])
    pytest.fail("there is no total")


def test_the_command_prints_what_it_assumes_and_writes_a_table(ihdm, tmp_path, capsys):
    output = tmp_path / "plan.csv"
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    values["datasets"]["photos"] |= {"source": "folder", "path": str(tmp_path)}
    path = tmp_path / "folder.yaml"
    path.write_text(yaml.safe_dump(values))
    ihdm("models", "plan", path, "--tflops", 10, 20, "--gpu-memory", 24, "--output", output)
    told = capsys.readouterr().out
    assert "a GPU with 24 GB that reaches 10 TFLOP/s" in told
    assert told.count("| experiment") == 2
    (photos,) = [cells(line) for line in told.splitlines() if line.startswith("| photos ") and "unknown" in line]
    assert (photos[1], photos[-1]) == ("unknown", "unknown")  # as many as there are pictures
    table = pd.read_csv(output)
    assert {"digits", "photos"} <= set(table["experiment"])


def test_wrong_options_are_reported_in_one_line(ihdm_fails, tmp_path):
    path = ROOT / "workflow/config/smoke.yaml"
    assert "must be above 0" in ihdm_fails("models", "plan", path, "--tflops", 0, 20)
    assert "No such file" in ihdm_fails("models", "plan", tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("results: [\n")
    assert "not valid YAML" in ihdm_fails("models", "plan", broken)
