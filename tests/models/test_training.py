import json
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

from ihdm.config.processes import DiffusionSettings
from ihdm.config.settings import RunSettings
from ihdm.config.stages import ErrorSettings
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.metrics.heldout import dequantize, held_out_errors
from ihdm.models.network import WEIGHTS_NAME, Deblurrer, load_network, save_network
from ihdm.models.state import FINISHED_NAME, HISTORY_NAME, PREVIOUS_NAME, STATE_NAME, History, finish
from ihdm.models.training import train
from ihdm.models.unet import UNet
from ihdm.models.weights import save_tensors
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record


def weights(network: UNet) -> bytes:
    return b"".join(tensor.numpy().tobytes() for tensor in network.state_dict().values())


def names_in(folder):
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def going_on(make_experiment, images, run):
    """Train in a folder; return weights, history and the steps that were taken."""

    def go_on(state, run=run, report=lambda _step, _loss: None, more=None, **changes):
        steps = []

        def count(step, loss):
            steps.append(step)
            report(step, loss)

        network, history = train(make_experiment(**changes), images, state, run=run, report=count, **(more or {}))
        return weights(network), history, steps

    return go_on


@pytest.fixture
def finished(going_on, tmp_path):
    """The weights and the history of a training with dropout that nothing interrupted."""
    return going_on(tmp_path / "whole", dropout=0.1)[:2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("last", [1, 4])
def test_stopped_and_resumed_is_the_same(finished, going_on, stop_at, tmp_path, number, last):
    with pytest.raises(InterruptedTrainingError, match=f"stopped at step {last};"):
        going_on(tmp_path / "state", report=stop_at(last, number), dropout=0.1)
    *resumed, steps = going_on(tmp_path / "state", dropout=0.1)
    assert steps == list(range(last + 1, 7))
    assert tuple(resumed) == finished


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


@pytest.mark.pipeline
def test_killed_and_resumed_is_the_same(finished, going_on, make_experiment, images, tmp_path):
    """With dropout, 6 steps are the same bits as 3 steps, kill -9 of the process, and 3 steps in another."""
    np.save(tmp_path / "images.npy", images)
    settings = make_experiment(dropout=0.1).model_dump_json()
    command = [sys.executable, "-c", textwrap.dedent(KILLED), settings, tmp_path / "images.npy", tmp_path / "state"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "four\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    *resumed, steps = going_on(tmp_path / "state", dropout=0.1)
    assert steps == [4, 5, 6]
    assert tuple(resumed) == finished


@pytest.fixture
def stopped(going_on, stop_at, tmp_path):
    """The folder of a training that stopped after three of its six steps."""
    with pytest.raises(InterruptedTrainingError):
        going_on(tmp_path / "state", RunSettings(validate_every=2), stop_at(3))
    assert names_in(tmp_path / "state") == {STATE_NAME, PREVIOUS_NAME, HISTORY_NAME}
    return tmp_path / "state"


@pytest.fixture
def ended(going_on, tmp_path):
    """The folder of a finished training of six steps."""
    going_on(tmp_path / "ended")
    finish(tmp_path / "ended")
    return tmp_path / "ended"


@pytest.mark.parametrize(
    "damage",
    [
        *(
            lambda content, share=share: content[: int(share * len(content))]
            for share in (0, 0.0001, 0.02, 0.5, 0.9999)
        ),
        lambda _: b"something else altogether, long enough to hold a header",
        lambda _: save({"a": torch.zeros(1)}),
    ],
)
def test_a_damaged_state_is_named(stopped, going_on, damage):
    path = stopped / STATE_NAME
    path.write_bytes(damage(path.read_bytes()))
    (stopped / PREVIOUS_NAME).unlink()
    with pytest.raises(UserError, match=f"^{path}: damaged training state .*delete it to start over"):
        going_on(stopped)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_the_previous_state_replaces_a_damaged_one(stopped, going_on, tmp_path, capfd, damage):
    """The last one was of step 3, the one before of step 2: the end is the same, and nothing is left of them."""
    path = stopped / STATE_NAME
    content = path.read_bytes()
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    run = RunSettings(validate_every=2)
    found, _, steps = going_on(stopped, run)
    assert steps == [3, 4, 5, 6]
    assert found == going_on(tmp_path / "straight", run)[0]
    assert (f"{path}: damaged training state" in capfd.readouterr().err) == (damage == "truncated")
    finish(stopped)
    assert names_in(stopped) == {FINISHED_NAME, HISTORY_NAME}


def test_a_training_that_is_killed_while_it_is_marked_as_finished_is_not_taken_back(stopped, going_on, monkeypatch):
    """No state of before its end is left that another training would go on from."""
    going_on(stopped)
    (stopped / PREVIOUS_NAME).write_bytes(b"of before")
    monkeypatch.setattr("os.replace", lambda *_paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        finish(stopped)
    assert names_in(stopped) == {STATE_NAME, HISTORY_NAME}


def test_a_finished_training_that_is_damaged_is_named(ended, going_on):
    (ended / FINISHED_NAME).write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged training state"):
        going_on(ended, steps=9)


def test_a_state_of_before_a_setting_came_is_its_default(stopped, going_on):
    path = stopped / STATE_NAME
    with safe_open(path, "pt") as stored:
        header = json.loads(stored.metadata()["training"])
    assert header["identity"]["training"].pop("gradient_clip") == 1.0
    assert header["identity"].pop("num_train") is None
    del header["sha256"]
    save_file(load_file(path), path, {"training": json.dumps(header)})
    assert going_on(stopped)[2] == [4, 5, 6]


def test_snapshots_are_networks_of_the_way(stopped, going_on, make_experiment, tmp_path):
    """Those of a training that was stopped and went on are the same as of one that was asked for so many steps."""
    run, folder = RunSettings(snapshot_every=2), tmp_path / "milestones"
    (folder / "step1").mkdir(parents=True)
    kept, *_ = going_on(stopped, run, more={"milestones": folder})
    assert kept == going_on(tmp_path / "plain")[0]
    assert names_in(folder) == {"step1", "step4", "step6"}  # from step 3 on
    snapshot = load_network(folder / "step4", make_experiment().process, np.zeros((1, 8, 8, 1), np.uint8)).unet
    assert weights(snapshot) == going_on(tmp_path / "four", run, steps=4)[0]
    finish(stopped)
    going_on(stopped, more={"milestones": folder})
    assert not folder.exists()  # those of another training


def test_saving_does_not_wait_for_the_disk(going_on, stop_at, tmp_path, monkeypatch):
    """Steps go on while a state is written, and what is written is that of its own step."""
    release, stop = threading.Event(), stop_at(3)

    def slow(tensors, path, header):
        assert release.wait(60)
        save_tensors(tensors, path, header)

    def report(step, loss):
        if step == 3:
            release.set()
        stop(step, loss)

    monkeypatch.setattr("ihdm.models.state.save_tensors", slow)
    with pytest.raises(InterruptedTrainingError):
        going_on(tmp_path / "state", RunSettings(validate_every=2), report)
    monkeypatch.undo()
    going_on(tmp_path / "two", steps=2)
    with safe_open(tmp_path / "state" / PREVIOUS_NAME, "pt") as stored:
        assert json.loads(stored.metadata()["training"])["step"] == 2
    found, expected = (load_file(path) for path in (tmp_path / "state" / PREVIOUS_NAME, tmp_path / "two" / STATE_NAME))
    for name in found:
        assert torch.equal(found[name], expected[name]) or not name.startswith("weight")


@pytest.mark.parametrize(
    ("changes", "num_images", "told"),
    [
        ({"learning_rate": 0.5}, 20, "(training.learning_rate: 0.001 in the state, 0.5 now)"),
        (
            {"learning_rate_decay": "cosine"},
            20,
            "(training.steps: any in the state, 6 now, training.learning_rate_decay: none in the state, cosine now)",
        ),
        (
            {"dropout": 0.2, "levels": "stratified"},
            20,
            "(network.dropout: 0.0 in the state, 0.2 now, training.levels: uniform in the state, stratified now)",
        ),
        ({}, 19, "(images: [20, 8, 8, 1] in the state, [19, 8, 8, 1] now)"),
    ],
)
def test_a_state_of_another_training_is_refused_by_what_differs(
    stopped, make_experiment, images, changes, num_images, told
):
    before = (stopped / STATE_NAME).read_bytes()
    with pytest.raises(UserError) as caught:
        train(make_experiment(**changes), images[:num_images], stopped)
    assert str(caught.value) == (
        f"{stopped / STATE_NAME}: this state belongs to a training with other settings {told}; restore these settings "
        "to continue it, or delete the file to start over"
    )
    assert (stopped / STATE_NAME).read_bytes() == before


def test_how_a_training_runs_may_change_half_way_and_what_a_killed_saving_left_is_removed(stopped, going_on):
    leftover = stopped / f".{STATE_NAME}.abc"
    leftover.mkdir()
    (leftover / STATE_NAME).write_bytes(b"half of it")
    assert going_on(stopped, RunSettings(micro_batch=3, validate_every=1, save_minutes=0))[2] == [4, 5, 6]
    assert not leftover.exists()


def test_state_before_any_successful_step(going_on, stop_at, tmp_path, monkeypatch):
    """All steps so far were skipped, so there are no moments to store."""
    with monkeypatch.context() as patch:
        patch.setattr("ihdm.predictions.prediction.squared_error", lambda mean, _: torch.nan * mean.flatten(1).sum(1))
        with pytest.raises(InterruptedTrainingError):
            going_on(tmp_path / "state", report=stop_at(2))
    _, history, _ = going_on(tmp_path / "state")
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
    assert (weights(network), [row for row in history if "level" not in row]) == finished
    rows = [row for row in history if "level" in row]
    assert [(row["step"], row["level"]) for row in rows] == [(s, k) for s in (4, 6) for k in range(1, 11)]
    settings = ErrorSettings(process=experiment.process, seed=3, num_images=3, micro_batch=3)
    errors = held_out_errors(Deblurrer(network), dequantize(test[:3]), settings)
    np.testing.assert_allclose([row["loss"] for row in rows[10:]], errors.network.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose([row["baseline"] for row in rows[:10]], errors.baseline.mean((0, 1)), rtol=1e-5)
    assert names_in(tmp_path / "previews") == {"step4.png", "step6.png"}
    # The state was saved before the last look, so the same command looks again and ends with the same.
    again, repeated = train(experiment, images, state, run=run, test=test)
    assert repeated == history
    assert weights(again) == finished[0]


def test_a_finished_training_is_extended_to_the_same_as_a_straight_one(
    going_on, stop_at, images, tmp_path, monkeypatch
):
    """Weights and history, though its old end was no step at which one looks or logs."""
    monkeypatch.setattr("ihdm.models.training.LOG_EVERY", 10)
    run = RunSettings(validate_every=8, num_validation_images=2)

    def trained(state, steps, last=None):
        found = going_on(tmp_path / state, run, stop_at(last), {"test": images[:4]}, dropout=0.1, steps=steps)
        finish(tmp_path / state)
        return found

    *straight, _ = trained("straight", 24)
    assert trained("extended", 6)[2][0] == 1
    with pytest.raises(InterruptedTrainingError):
        trained("extended", 14, last=12)
    assert trained("extended", 14)[2][0] == 13
    *extended, steps = trained("extended", 24)
    assert steps[0] == 15
    assert extended == straight
    assert [row["step"] for row in straight[1] if "level" not in row] == [10, 20, 24]
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / state).iterdir()} for state in ("straight", "extended")
    ]
    assert files[0].keys() == {FINISHED_NAME, HISTORY_NAME}
    assert files[0] == files[1]


@pytest.mark.parametrize("name", [STATE_NAME, FINISHED_NAME])
def test_fewer_steps_than_were_taken_are_refused(ended, going_on, name):
    path = (ended / FINISHED_NAME).rename(ended / name)
    before = path.read_bytes()
    message = f"{path}: this training has taken 6 steps already, but training.steps is 5; raise training.steps"
    with pytest.raises(UserError, match=message):
        going_on(ended, steps=5)
    assert path.read_bytes() == before


@pytest.mark.parametrize("changes", [{}, {"learning_rate": 0.002}, {"learning_rate": 0.002, "steps": 9}])
def test_a_finished_training_restarts_if_requested_again_or_with_other_settings(ended, going_on, tmp_path, changes):
    found = going_on(ended, **changes)
    assert found[2][0] == 1
    assert names_in(ended) == {STATE_NAME, HISTORY_NAME}
    assert found == going_on(tmp_path / "straight", **changes)


def test_a_training_with_decay_is_not_extended(going_on, stop_at, tmp_path):
    """Its earlier steps would have had other learning rates."""
    with pytest.raises(InterruptedTrainingError):
        going_on(tmp_path, report=stop_at(3), learning_rate_decay="cosine")
    with pytest.raises(UserError, match=r"other settings \(training.steps: 6 in the state, 9 now\)"):
        going_on(tmp_path, learning_rate_decay="cosine", steps=9)
    assert going_on(tmp_path, learning_rate_decay="cosine")[2] == [4, 5, 6]


def test_a_training_that_was_stopped_while_its_network_was_written_is_not_done_again(ended, going_on):
    (ended / FINISHED_NAME).rename(ended / STATE_NAME)
    _, history, steps = going_on(ended)
    assert steps == []
    assert [row["step"] for row in history] == [6]


def test_command(make_experiment, images, ihdm, tmp_path):
    """From arrays to a folder that diffusers loads, with its tables and record; the state stays, to go on from."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/notes.txt").write_text("mine")
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", images[:4])
    ihdm(
        "models", "train", "--settings", make_experiment().model_dump_json(),
        "--run-settings", '{"validate_every": 3, "snapshot_every": 4}', "--train", tmp_path / "train.npy",
        "--test", tmp_path / "test.npy", "--state", tmp_path / "state", "--output", tmp_path / "model",
    )  # fmt: skip
    tables = {"held_out.csv", "history.csv"}
    assert names_in(tmp_path / "model") == {"config.json", WEIGHTS_NAME, "milestones", "model.meta.json"} | tables
    milestone = tmp_path / "model/milestones/step4"
    assert {str(milestone / name) for name in ("config.json", WEIGHTS_NAME)} < {
        *read_record(tmp_path / "model/model.meta.json")["outputs"]
    }
    assert names_in(tmp_path / "state") == {"notes.txt", FINISHED_NAME, HISTORY_NAME}
    assert (tmp_path / "model/history.csv").read_text().startswith("step,loss,skipped\n6,")
    assert len((tmp_path / "model/held_out.csv").read_text().splitlines()) == 1 + 2 * 10
    network = UNet2DModel.from_pretrained(tmp_path / "model").eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 8, 8), torch.tensor([4])).sample.any()


@pytest.fixture
def trained_model(make_experiment, images, tmp_path):
    """The folder of a trained network."""
    experiment = make_experiment()
    network, _ = train(experiment, images, tmp_path / "before")
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
def test_a_state_with_a_damaged_tensor_is_refused(stopped, going_on, kind, change):
    path, name = stopped / STATE_NAME, f"{kind}.conv_in.weight"
    (stopped / PREVIOUS_NAME).unlink()
    with safe_open(path, "pt") as stored:
        header = stored.metadata()
    tensors = load_file(path)
    save_file(tensors | {name: change(tensors[name]).contiguous()}, path, header)
    with pytest.raises(UserError, match=f"damaged training state \\({name} has another shape or holds"):
        going_on(stopped)


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_state_with_flipped_bits_is_refused(stopped, going_on, place):
    """Values that are still finite numbers of the right shapes: only a checksum finds them."""
    path = stopped / STATE_NAME
    (stopped / PREVIOUS_NAME).unlink()
    content = bytearray(path.read_bytes())
    content[int(place * len(content)) // 4 * 4] ^= 1  # the last bit of a mantissa
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged training state \(its checksum is wrong\); delete"):
        going_on(stopped)


@pytest.mark.parametrize("damage", ["missing", "another"])
def test_weights_of_another_network_are_refused(trained_model, make_experiment, images, tmp_path, damage):
    experiment, folder = make_experiment(), tmp_path / "nowhere"
    message = f"{folder}: cannot load a network"
    if damage == "another":
        folder = trained_model
        message = f"{folder}: weights do not fit: block_out_channels is \\[8, 16\\] in this network and"
        network = experiment.network.model_copy(update={"channel_multipliers": (1, 1)})
        experiment = experiment.model_copy(update={"network": network})
    with pytest.raises(UserError, match=message):
        train(experiment, images, tmp_path / "state", initial_weights=folder)
    assert not (tmp_path / "state").exists()


def test_held_out_images_of_another_shape_are_refused_before_training(make_experiment, images, ihdm_fails, tmp_path):
    np.save(tmp_path / "train.npy", images)
    np.save(tmp_path / "test.npy", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    message = ihdm_fails(
        "models", "train", "--settings", make_experiment().model_dump_json(), "--train", tmp_path / "train.npy",
        "--test", tmp_path / "test.npy", "--state", tmp_path / "state", "--output", tmp_path / "model",
    )  # fmt: skip
    assert f"{tmp_path / 'train.npy'} has images of 8×8×1, but {tmp_path / 'test.npy'} of 16×16×3" in message
    assert names_in(tmp_path) == {"train.npy", "test.npy"}


def test_mistyped_run_settings_are_named(make_experiment, images, ihdm_fails, tmp_path):
    np.save(tmp_path / "train.npy", images)
    message = ihdm_fails(
        "models", "train", "--settings", make_experiment().model_dump_json(), "--run-settings", '{"microbatch": 3}',
        "--train", tmp_path / "train.npy", "--state", tmp_path / "s", "--output", tmp_path / "o",
    )  # fmt: skip
    assert "microbatch: no setting has this name" in message


def test_losses_are_of_whole_images_for_every_process(make_experiment, images, tmp_path):
    """A network that starts at zero errs by the whole noise, one for each of an image's values."""
    experiment = make_experiment(steps=2, batch_size=16, warmup_steps=1000)
    noise = experiment.model_copy(update={"process": DiffusionSettings(kind="diffusion")})
    run = RunSettings(validate_every=2, num_validation_images=3, num_previews=2)
    _, history = train(noise, images, tmp_path / "state", run=run, test=images[:3], previews=tmp_path / "previews")
    losses = [row["loss"] for row in history if "level" not in row]
    assert losses == [pytest.approx(64, rel=0.1)]
    assert np.mean([row["loss"] for row in history if "level" in row]) == pytest.approx(64, rel=0.1)
