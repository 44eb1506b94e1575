import json
import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file
from typer.testing import CliRunner

from ihdm.__main__ import app
from ihdm.config.processes import DiffusionSettings, HeatSettings
from ihdm.config.settings import RunSettings
from ihdm.config.stages import ErrorSettings
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.metrics.heldout import held_out_errors
from ihdm.models.network import WEIGHTS_NAME, Deblurrer, save_network
from ihdm.models.state import FINISHED_NAME, HISTORY_NAME, PREVIOUS_NAME, STATE_NAME, History, finish
from ihdm.models.training import train
from ihdm.models.unet import UNet
from ihdm.models.weights import save_tensors
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record


def weights_hash(network: UNet, folder) -> str:
    save_network(network, folder, HeatSettings(kind="heat", sigma=0.01, num_levels=10, blur_sigma_max=4.0))
    return sha256(folder / WEIGHTS_NAME)


@pytest.fixture
def finished(make_experiment, images, run, tmp_path):
    """The weights and the history of a training with dropout that nothing interrupted."""
    network, history = train(make_experiment(dropout=0.1), images, tmp_path / "whole", run=run)
    return weights_hash(network, tmp_path / "reference"), history


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("stop_at", [1, 4])
def test_stopped_and_resumed_is_the_same(finished, make_experiment, images, run, tmp_path, number, stop_at):
    experiment, state = make_experiment(dropout=0.1), tmp_path / "state"

    def stop(step, _loss):
        if step == stop_at:
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptedTrainingError, match=f"stopped at step {stop_at};"):
        train(experiment, images, state, run=run, report=stop)
    steps = []
    network, history = train(experiment, images, state, run=run, report=lambda step, _: steps.append(step))
    assert steps == list(range(stop_at + 1, 7))
    assert (weights_hash(network, tmp_path / "resumed"), history) == finished


KILLED = """
    import sys, time
    from pathlib import Path
    import numpy as np, torch
    from ihdm.config.experiments import Experiment
    from ihdm.config.settings import RunSettings
    from ihdm.models.training import train

    torch.set_num_threads(1)
    settings, images, state = sys.argv[1:]

    def wait(step, _loss):
        if step == 4:
            time.sleep(2)  # meanwhile step 3 is saved, in a thread
            print("four", flush=True)
            time.sleep(600)

    train(
        Experiment.model_validate_json(settings), np.load(images), Path(state),
        run=RunSettings(save_minutes=0), report=wait,
    )
"""


def test_killed_and_resumed_is_the_same(finished, make_experiment, images, run, tmp_path):
    """With dropout, 6 steps are the same bits as 3 steps, kill -9 of the process, and 3 steps in another."""
    experiment, state = make_experiment(dropout=0.1), tmp_path / "state"
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", textwrap.dedent(KILLED)]
    arguments = [experiment.model_dump_json(), str(tmp_path / "images.npy"), str(state)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "four\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    steps = []
    network, history = train(experiment, images, state, run=run, report=lambda step, _: steps.append(step))
    assert steps == [4, 5, 6]
    assert (weights_hash(network, tmp_path / "resumed"), history) == finished


@pytest.fixture
def stopped(make_experiment, images, tmp_path):
    """The folder of a training that stopped after three of its six steps."""

    def stop(step, _loss):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(InterruptedTrainingError):
        train(make_experiment(), images, tmp_path / "state", run=RunSettings(validate_every=2), report=stop)
    assert {path.name for path in (tmp_path / "state").iterdir()} == {STATE_NAME, PREVIOUS_NAME, HISTORY_NAME}
    return tmp_path / "state"


@pytest.mark.parametrize("share", [0, 0.0001, 0.02, 0.5, 0.9999])
def test_truncated_state_is_named(stopped, make_experiment, images, run, share):
    path = stopped / STATE_NAME
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    (stopped / PREVIOUS_NAME).unlink()
    with pytest.raises(UserError) as caught:
        train(make_experiment(), images, stopped, run=run)
    assert str(caught.value).startswith(f"{path}: damaged training state")
    assert "delete it to start over" in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_the_previous_state_replaces_a_damaged_one(stopped, make_experiment, images, tmp_path, capfd, damage):
    """The last one was of step 3, the one before of step 2: the end is the same, and nothing is left of them."""
    path = stopped / STATE_NAME
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    steps = []
    run = RunSettings(validate_every=2)
    network, _ = train(make_experiment(), images, stopped, run=run, report=lambda step, _: steps.append(step))
    assert steps == [3, 4, 5, 6]
    straight, _ = train(make_experiment(), images, tmp_path / "straight", run=run)
    assert weights_hash(network, tmp_path / "one") == weights_hash(straight, tmp_path / "other")
    told = f"{path}: damaged training state"
    assert (told in capfd.readouterr().err) == (damage == "truncated")
    finish(stopped)
    assert {path.name for path in stopped.iterdir()} == {FINISHED_NAME, HISTORY_NAME}


def test_a_training_that_is_killed_while_it_is_marked_as_finished_is_not_taken_back(
    stopped, make_experiment, images, run, monkeypatch
):
    """No state of before its end is left that another training would go on from."""
    train(make_experiment(), images, stopped, run=run)
    (stopped / PREVIOUS_NAME).write_bytes(b"of before")
    monkeypatch.setattr("os.replace", lambda *_paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        finish(stopped)
    assert {path.name for path in stopped.iterdir()} == {STATE_NAME, HISTORY_NAME}


def test_a_finished_training_that_is_damaged_is_named(ended, make_experiment, images, run):
    (ended / FINISHED_NAME).write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged training state"):
        train(make_experiment(steps=9), images, ended, run=run)


def test_a_state_of_before_a_setting_came_is_its_default(stopped, make_experiment, images, run):
    path = stopped / STATE_NAME
    with safe_open(path, "pt") as stored:
        header = json.loads(stored.metadata()["training"])
    assert header["identity"]["training"].pop("gradient_clip") == 1.0
    assert header["identity"].pop("num_train") is None
    del header["sha256"]
    save_file(load_file(path), path, {"training": json.dumps(header)})
    steps = []
    train(make_experiment(), images, stopped, run=run, report=lambda step, _: steps.append(step))
    assert steps == [4, 5, 6]


def test_milestones_are_networks_of_the_way(stopped, make_experiment, images, tmp_path):
    """Those of a training that was stopped and went on are the same as of one that was asked for so many steps."""
    run, folder = RunSettings(snapshot_every=2), tmp_path / "milestones"
    (folder / "step1").mkdir(parents=True)
    kept, _ = train(make_experiment(), images, stopped, run=run, milestones=folder)
    plain, _ = train(make_experiment(), images, tmp_path / "plain")
    assert weights_hash(kept, tmp_path / "kept") == weights_hash(plain, tmp_path / "without")
    assert {path.name for path in folder.iterdir()} == {"step1", "step4", "step6"}  # from step 3 on
    network, _ = train(make_experiment(steps=4), images, tmp_path / "four", run=run)
    assert weights_hash(network, tmp_path / "reference") == sha256(folder / "step4" / WEIGHTS_NAME)
    finish(stopped)
    train(make_experiment(), images, stopped, milestones=folder)
    assert not folder.exists()  # those of another training


def test_saving_does_not_wait_for_the_disk(make_experiment, images, tmp_path, monkeypatch):
    """Steps go on while a state is written, and what is written is that of its own step."""
    step_two, release = {}, threading.Event()

    def slow(tensors, path, header):
        assert release.wait(60)
        save_tensors(tensors, path, header)

    def report(step, _loss):
        if step == 3:
            release.set()
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("ihdm.models.state.save_tensors", slow)
    with pytest.raises(InterruptedTrainingError):
        train(make_experiment(), images, tmp_path / "state", run=RunSettings(validate_every=2), report=report)
    with safe_open(tmp_path / "state" / PREVIOUS_NAME, "pt") as stored:
        assert json.loads(stored.metadata()["training"])["step"] == 2
        step_two = {name: stored.get_tensor(name) for name in [*stored.keys()] if name.startswith("weight")}
    monkeypatch.undo()
    train(make_experiment(steps=2), images, tmp_path / "two")
    with safe_open(tmp_path / "two" / STATE_NAME, "pt") as stored:
        assert all(torch.equal(stored.get_tensor(name), tensor) for name, tensor in step_two.items())


@pytest.mark.parametrize(
    ("changes", "num_images", "told"),
    [
        ({"learning_rate": 0.5}, 20, "(training.learning_rate: 0.001 in the state, 0.5 now)"),
        (
            {"dropout": 0.2, "levels": "stratified"},
            20,
            "(network.dropout: 0.0 in the state, 0.2 now, training.levels: uniform in the state, stratified now)",
        ),
        ({}, 19, "(images: [20, 8, 8, 1] in the state, [19, 8, 8, 1] now)"),
    ],
)
def test_a_state_of_another_training_is_refused_by_what_differs(
    stopped, make_experiment, images, run, changes, num_images, told
):
    before = (stopped / STATE_NAME).read_bytes()
    with pytest.raises(UserError) as caught:
        train(make_experiment(**changes), images[:num_images], stopped, run=run)
    assert str(caught.value) == (
        f"{stopped / STATE_NAME}: this state belongs to a training with other settings {told}; restore these settings "
        "to continue it, or delete the file to start over"
    )
    assert (stopped / STATE_NAME).read_bytes() == before


def test_something_else_than_a_state_is_named(stopped, make_experiment, images, run):
    (stopped / PREVIOUS_NAME).unlink()
    for content in (b"something else altogether, long enough to hold a header", save({"a": torch.zeros(1)})):
        (stopped / STATE_NAME).write_bytes(content)
        with pytest.raises(UserError, match=f"{stopped / STATE_NAME}: damaged training state"):
            train(make_experiment(), images, stopped, run=run)


def test_how_a_training_runs_may_change_half_way(stopped, make_experiment, images):
    steps = []
    run = RunSettings(micro_batch=3, validate_every=1, save_minutes=0)
    train(make_experiment(), images, stopped, run=run, report=lambda step, _: steps.append(step))
    assert steps == [4, 5, 6]


def test_what_a_killed_saving_left_is_removed(stopped, make_experiment, images, run):
    leftover = stopped / f".{STATE_NAME}.abc"
    leftover.mkdir()
    (leftover / STATE_NAME).write_bytes(b"half of it")
    train(make_experiment(), images, stopped, run=run)
    assert not leftover.exists()


def test_state_before_any_successful_step(make_experiment, images, tmp_path, monkeypatch):
    """All steps so far were skipped, so there are no moments to store."""
    experiment, state = make_experiment(), tmp_path / "state"

    def stop(step, _loss):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr("ihdm.predictions.prediction.squared_error", lambda mean, _: torch.nan * mean.flatten(1).sum(1))
        with pytest.raises(InterruptedTrainingError):
            train(experiment, images, state, run=RunSettings(), report=stop)
    _, history = train(experiment, images, state, run=RunSettings())
    assert [row["skipped"] for row in history] == [2]
    assert np.isfinite(history[0]["loss"])


def test_history_survives_a_kill(tmp_path):
    path = tmp_path / "history.jsonl"
    rows = [{"step": 2, "loss": 1.0}, {"step": 2, "level": 1, "loss": 3.0}, {"step": 4, "loss": 0.5}]
    History(path, 0).append(*rows)
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows
    with path.open("a") as stream:
        stream.write('{"step": 6, "lo')
    # Held-out losses at the step gone on from are made again; what came after it is forgotten.
    assert History(path, 3).rows == rows[:2]
    assert History(path, 2).rows == rows[:1]
    for damaged in (b"\xff\xfe", b"[]", b"{}", b"3"):
        whole = path.read_bytes()
        path.write_bytes(whole + damaged + b"\n")
        assert History(path, 2).rows == rows[:1]
        assert path.read_bytes() == whole
    History(path, 2).append({"step": 4, "loss": 0.4})
    assert path.read_text() == '{"step": 2, "loss": 1.0}\n{"step": 4, "loss": 0.4}\n'


def test_validation_during_training(finished, make_experiment, images, tmp_path):
    """Held-out losses are those of the averaged weights; looking changes nothing, and is repeated after a kill."""
    experiment, state = make_experiment(dropout=0.1), tmp_path / "state"
    test = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    run = RunSettings(validate_every=4, num_validation_images=3, num_previews=2)
    network, history = train(experiment, images, state, run=run, test=test, previews=tmp_path / "previews")
    expected = finished[0], [row for row in history if "level" not in row]
    assert (weights_hash(network, tmp_path / "looked"), expected[1]) == finished
    rows = [row for row in history if "level" in row]
    assert [(row["step"], row["level"]) for row in rows] == [(s, k) for s in (4, 6) for k in range(1, 11)]
    settings = ErrorSettings(process=experiment.process, seed=3, num_images=3, micro_batch=3)
    errors = held_out_errors(Deblurrer(network), test[:3], settings)
    np.testing.assert_allclose([row["loss"] for row in rows[10:]], errors.network.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose([row["baseline"] for row in rows[:10]], errors.baseline.mean((0, 1)), rtol=1e-5)
    assert sorted(path.name for path in (tmp_path / "previews").iterdir()) == ["step4.png", "step6.png"]
    # The state was saved before the last look, so the same command looks again and ends with the same.
    again, repeated = train(experiment, images, state, run=run, test=test)
    assert repeated == history
    assert weights_hash(again, tmp_path / "again") == finished[0]


def test_a_finished_training_is_extended_to_the_same_as_a_straight_one(make_experiment, images, tmp_path, monkeypatch):
    """Weights and history, though its old end was no step at which one looks or logs."""
    monkeypatch.setattr("ihdm.models.training.LOG_EVERY", 10)
    test, run = images[:4], RunSettings(validate_every=8, num_validation_images=2)

    def trained(state, steps, stop_at=None):
        taken = []

        def report(step, _loss):
            taken.append(step)
            if step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)

        experiment = make_experiment(dropout=0.1, steps=steps)
        network, history = train(experiment, images, tmp_path / state, run=run, test=test, report=report)
        finish(tmp_path / state)
        return weights_hash(network, tmp_path / f"{state}{steps}"), history, taken[0]

    *straight, _ = trained("straight", 24)
    assert trained("extended", 6)[2] == 1
    with pytest.raises(InterruptedTrainingError):
        trained("extended", 14, stop_at=12)
    assert trained("extended", 14)[2] == 13
    *extended, first = trained("extended", 24)
    assert first == 15
    assert extended == straight
    assert [row["step"] for row in straight[1] if "level" not in row] == [10, 20, 24]
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / state).iterdir()} for state in ("straight", "extended")
    ]
    assert files[0].keys() == {FINISHED_NAME, HISTORY_NAME}
    assert files[0] == files[1]


@pytest.fixture
def ended(make_experiment, images, run, tmp_path):
    """The folder of a finished training of six steps."""
    train(make_experiment(), images, tmp_path / "ended", run=run)
    finish(tmp_path / "ended")
    return tmp_path / "ended"


@pytest.mark.parametrize("name", [STATE_NAME, FINISHED_NAME])
def test_fewer_steps_than_were_taken_are_refused(ended, make_experiment, images, run, name):
    path = (ended / FINISHED_NAME).rename(ended / name)
    before = path.read_bytes()
    message = f"{path}: this training has taken 6 steps already, but training.steps is 5; raise training.steps"
    with pytest.raises(UserError, match=message):
        train(make_experiment(steps=5), images, ended, run=run)
    assert path.read_bytes() == before


@pytest.mark.parametrize("changes", [{}, {"learning_rate": 0.002}, {"learning_rate": 0.002, "steps": 9}])
def test_a_finished_training_restarts_if_requested_again_or_with_other_settings(
    ended, make_experiment, images, run, tmp_path, changes
):
    steps = []
    network, history = train(
        make_experiment(**changes), images, ended, run=run, report=lambda step, _: steps.append(step)
    )
    assert steps[0] == 1
    assert {path.name for path in ended.iterdir()} == {STATE_NAME, HISTORY_NAME}
    straight, expected = train(make_experiment(**changes), images, tmp_path / "straight", run=run)
    assert weights_hash(network, tmp_path / "again") == weights_hash(straight, tmp_path / "once")
    assert history == expected


def test_a_training_that_was_stopped_while_its_network_was_written_is_not_done_again(
    ended, make_experiment, images, run
):
    (ended / FINISHED_NAME).rename(ended / STATE_NAME)
    steps = []
    _, history = train(make_experiment(), images, ended, run=run, report=lambda step, _: steps.append(step))
    assert steps == []
    assert [row["step"] for row in history] == [6]


def test_command(make_experiment, images, tmp_path):
    """From arrays to a folder that diffusers loads, with its tables and record; the state stays, to go on from."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/notes.txt").write_text("mine")
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", images[:4])
    arguments = {
        "--settings": make_experiment().model_dump_json(),
        "--run-settings": '{"validate_every": 3, "snapshot_every": 4}',
        "--train": tmp_path / "train.npy",
        "--test": tmp_path / "test.npy",
        "--state": tmp_path / "state",
        "--output": tmp_path / "model",
    }
    flat = [str(part) for item in arguments.items() for part in item]
    result = CliRunner().invoke(app, ["models", "train", *flat], catch_exceptions=False)
    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
        "held_out.csv",
        "history.csv",
        "milestones",
        "model.meta.json",
    ]
    milestone = tmp_path / "model/milestones/step4"
    assert {str(milestone / name) for name in ("config.json", WEIGHTS_NAME)} < {
        *read_record(tmp_path / "model/model.meta.json")["outputs"]
    }
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"notes.txt", FINISHED_NAME, HISTORY_NAME}
    assert (tmp_path / "model/history.csv").read_text().startswith("step,loss,skipped\n6,")
    assert len((tmp_path / "model/held_out.csv").read_text().splitlines()) == 1 + 2 * 10
    network = UNet2DModel.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 8, 8), torch.tensor([4])).sample.any()


@pytest.fixture
def trained_model(make_experiment, images, run, tmp_path):
    """The folder of a trained network."""
    experiment = make_experiment()
    network, _ = train(experiment, images, tmp_path / "before", run=run)
    save_network(network, tmp_path / "model", experiment.process)
    return tmp_path / "model"


def test_training_starts_from_another_networks_weights(trained_model, make_experiment, images, ihdm, tmp_path):
    """Another process may be meant. The record names them, and a state knows whose they were."""
    np.save(tmp_path / "train.npy", images)
    experiment = make_experiment(num_levels=5, learning_rate=1e-9, steps=2)
    arguments = ["--settings", experiment.model_dump_json(), "--train", tmp_path / "train.npy"]
    arguments += ["--initial-weights", trained_model]
    ihdm("models", "train", *arguments, "--state", tmp_path / "state", "--output", tmp_path / "tuned")
    source, tuned = (load_file(folder / WEIGHTS_NAME) for folder in (trained_model, tmp_path / "tuned"))
    for name, tensor in source.items():
        torch.testing.assert_close(tuned[name], tensor, atol=1e-7, rtol=0)
    record = read_record(tmp_path / "tuned/model.meta.json")
    assert record["inputs"][str(trained_model / WEIGHTS_NAME)] == sha256(trained_model / WEIGHTS_NAME)
    (tmp_path / "state" / FINISHED_NAME).rename(tmp_path / "state" / STATE_NAME)
    with pytest.raises(UserError, match=r"\(initial_weights: \w{64} in the state, None now\)"):
        train(experiment, images, tmp_path / "state")


@pytest.mark.parametrize("change", [lambda tensor: tensor.flatten()[:1], lambda tensor: tensor * torch.nan])
@pytest.mark.parametrize("kind", ["weight", "average", "moment1", "moment2"])
def test_a_state_with_a_damaged_tensor_is_refused(make_experiment, images, tmp_path, kind, change):
    train(make_experiment(), images, tmp_path)
    path = tmp_path / STATE_NAME
    (tmp_path / PREVIOUS_NAME).unlink(missing_ok=True)
    with safe_open(path, "pt") as stored:
        header = stored.metadata()
    tensors = load_file(path)
    name = f"{kind}.conv_in.weight"
    save_file(tensors | {name: change(tensors[name]).contiguous()}, path, header)
    with pytest.raises(UserError, match=f"damaged training state \\({name} has another shape or holds"):
        train(make_experiment(), images, tmp_path)


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_state_with_flipped_bits_is_refused(make_experiment, images, tmp_path, place):
    """Values that are still finite numbers of the right shapes: only a checksum finds them."""
    train(make_experiment(), images, tmp_path)
    path = tmp_path / STATE_NAME
    (tmp_path / PREVIOUS_NAME).unlink(missing_ok=True)
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) // 4 * 4] ^= 1  # the last bit of a mantissa
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged training state \(its checksum is wrong\); delete"):
        train(make_experiment(), images, tmp_path)


@pytest.mark.parametrize("damage", ["missing", "another"])
def test_weights_of_another_network_are_refused(trained_model, make_experiment, images, run, tmp_path, damage):
    experiment, folder = make_experiment(), tmp_path / "nowhere"
    message = f"{folder}: cannot load a network"
    if damage == "another":
        folder = trained_model
        message = f"{folder}: weights do not fit: block_out_channels is \\[8, 16\\] in this network and"
        network = experiment.network.model_copy(update={"channel_multipliers": (1, 1)})
        experiment = experiment.model_copy(update={"network": network})
    with pytest.raises(UserError, match=message):
        train(experiment, images, tmp_path / "state", run=run, initial_weights=folder)
    assert not (tmp_path / "state").exists()


def test_held_out_images_of_another_shape_are_refused_before_training(make_experiment, images, ihdm_fails, tmp_path):
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    message = ihdm_fails(
        "models", "train", "--settings", make_experiment().model_dump_json(), "--train", tmp_path / "train.npy",
        "--test", tmp_path / "test.npy", "--state", tmp_path / "state", "--output", tmp_path / "model",
    )  # fmt: skip
    assert f"{tmp_path / 'train.npy'} has images of 8×8×1, but {tmp_path / 'test.npy'} of 16×16×3" in message
    assert {path.name for path in tmp_path.iterdir()} == {"train.npy", "test.npy"}


def test_mistyped_run_settings_are_named(make_experiment, images, tmp_path):
    np.save(tmp_path / "train.npy", images)
    arguments = ["--settings", make_experiment().model_dump_json(), "--run-settings", '{"microbatch": 3}']
    places = ["--train", str(tmp_path / "train.npy"), "--state", str(tmp_path / "s"), "--output", str(tmp_path / "o")]
    with pytest.raises(UserError, match="microbatch: no setting has this name"):
        CliRunner().invoke(app, ["models", "train", *arguments, *places], catch_exceptions=False)


def test_losses_are_of_whole_images_for_every_process(make_experiment, images, tmp_path):
    """A network that starts at zero errs by the whole noise, one for each of an image's values."""
    experiment = make_experiment(steps=2, batch_size=16, warmup_steps=1000)
    noise = experiment.model_copy(update={"process": DiffusionSettings(kind="diffusion")})
    run = RunSettings(validate_every=2, num_validation_images=3, num_previews=2)
    _, history = train(noise, images, tmp_path / "state", run=run, test=images[:3], previews=tmp_path / "previews")
    losses = [row["loss"] for row in history if "level" not in row]
    assert losses == [pytest.approx(64, rel=0.1)]
    assert np.mean([row["loss"] for row in history if "level" in row]) == pytest.approx(64, rel=0.1)
