import json
import sys
import types

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ihdm.config.settings import RunSettings
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.models import training
from ihdm.models.state import HISTORY_NAME, finish
from ihdm.models.training import train


@pytest.fixture(autouse=True)
def log_often(monkeypatch):
    monkeypatch.setattr(training, "LOG_EVERY", 2)


@pytest.fixture
def train_on(make_experiment, images, stop_at, tmp_path):
    """Train with validation on the way; stop after a step if one is given."""

    def start(last: int | None = None, tracker: str = "tensorboard", validate_every: int = 4, **changes) -> None:
        train(
            make_experiment(**changes), images, tmp_path / "state", test=images[:4], previews=tmp_path / "previews",
            run=RunSettings(tracker=tracker, validate_every=validate_every, num_previews=4, num_validation_images=4),
            report=stop_at(last),
        )  # fmt: skip

    return start


def shown(folder) -> tuple[dict[str, list[tuple[int, float]]], list[int]]:
    """The values that TensorBoard shows by name, with their steps, and the steps of images."""
    events = EventAccumulator(str(folder / "state/tracking"))
    events.Reload()
    values = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return values, [event.step for event in events.Images("samples")]


def test_tensorboard_shows_the_history_the_learning_rate_and_samples(train_on, tmp_path):
    train_on()
    values, images = shown(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "state" / HISTORY_NAME).read_text().splitlines()]
    losses = [(row["step"], row["loss"]) for row in rows if "level" not in row]
    assert [step for step, _ in losses] == [2, 4, 6]
    np.testing.assert_allclose(values["train/loss"], losses, rtol=1e-5)
    rates = [(2, 0.0005), (4, 0.001), (6, 0.001)]  # 4 steps of warm-up
    np.testing.assert_allclose(values["train/learning_rate"], rates, rtol=1e-5)
    looks = {
        step: {row["level"]: row["loss"] for row in rows if "level" in row and row["step"] == step} for step in (4, 6)
    }
    means = [(step, np.mean(list(by.values()))) for step, by in looks.items()]
    np.testing.assert_allclose(values["held_out/mean"], means, rtol=1e-5)
    tags = {tag.removeprefix("held_out/level") for tag in values if tag.startswith("held_out/level")}
    assert tags == {"1", "3", "5", "8", "10"}
    np.testing.assert_allclose(values["held_out/level8"], [(step, by[8]) for step, by in looks.items()], rtol=1e-5)
    assert images == [4, 6]


@pytest.mark.parametrize("last", [3, 5])
def test_a_resumed_training_logs_each_step_once(train_on, tmp_path, last):
    with pytest.raises(InterruptedTrainingError):
        train_on(last)
    train_on()
    found, images = shown(tmp_path)
    for tag, values in found.items():
        steps = [step for step, _ in values]
        assert steps == sorted(set(steps)), tag
    assert [step for step, _ in found["train/loss"]] == [2, 4, 6]
    assert images == [4, 6]
    assert len(list((tmp_path / "state/tracking").glob("events*"))) == 1


def test_a_new_training_logs_nothing_of_the_previous_one(train_on, tmp_path):
    train_on()
    finish(tmp_path / "state")
    train_on(steps=6, learning_rate=0.5)
    values, _ = shown(tmp_path)
    np.testing.assert_allclose(values["train/learning_rate"], [(2, 0.25), (4, 0.5), (6, 0.5)], rtol=1e-5)


def test_no_tracker_writes_nothing_and_none_changes_the_training(train_on, tmp_path):
    histories = []
    for tracker in ("none", "tensorboard"):
        train_on(tracker=tracker)
        histories.append((tmp_path / "state" / HISTORY_NAME).read_text())
        assert (tmp_path / "state/tracking").exists() == (tracker != "none")
        finish(tmp_path / "state")
    assert histories[0] == histories[1]


class FakeRun:
    """Takes what Weights & Biases would, and refuses what it drops: a step before the last of the same run."""

    def __init__(self, last: dict[str, int], **settings: object) -> None:
        self.last, self.settings, self.logged, self.is_finished = last, settings, [], False

    def log(self, values: dict, step: int) -> None:
        name = self.settings["id"]
        if step < self.last.get(name, 0):
            raise ValueError(f"step {step} comes after step {self.last[name]}")
        self.last[name] = step
        self.logged.append((step, values))

    def finish(self) -> None:
        self.is_finished = True


@pytest.fixture
def wandb(monkeypatch) -> list[FakeRun]:
    runs: list[FakeRun] = []
    last: dict[str, int] = {}
    module = types.ModuleType("wandb")
    module.init = lambda **settings: runs.append(FakeRun(last, **settings)) or runs[-1]
    module.Image = lambda pixels: pixels.shape
    monkeypatch.setitem(sys.modules, "wandb", module)
    return runs


def test_weights_and_biases_resumes_the_same_run(train_on, tmp_path, wandb):
    """By the calls that its package would get; the package itself and its server are not tested."""
    with pytest.raises(InterruptedTrainingError):
        train_on(3, "wandb")
    train_on(tracker="wandb")
    first, second = wandb
    assert first.settings == second.settings
    assert [first.settings[name] for name in ("project", "name", "resume")] == ["ihdm", "state", "allow"]
    assert first.is_finished
    assert second.is_finished
    losses = [[step for step, values in one.logged if "train/loss" in values] for one in wandb]
    assert losses == [[2], [4, 6]]
    assert [step for step, values in second.logged if "samples" in values] == [4, 6]
    finish(tmp_path / "state")
    train_on(tracker="wandb")
    assert wandb[2].settings["id"] != first.settings["id"]


def test_a_tracker_that_is_switched_on_midway_shows_what_was_before_in_order(train_on, wandb):
    with pytest.raises(InterruptedTrainingError):
        train_on(5, "none", validate_every=2)
    assert not wandb
    train_on(tracker="wandb", validate_every=2)
    (shown_by,) = wandb
    for name in ("train/loss", "held_out/mean", "samples"):
        assert [step for step, values in shown_by.logged if name in values] == [2, 4, 6], name


@pytest.mark.parametrize(
    ("tracker", "module", "advice"),
    [
        ("tensorboard", "torch.utils.tensorboard", r"pip install 'ihdm\[trackers\]'"),
        ("wandb", "wandb", "pip install wandb"),
    ],
)
def test_a_missing_tracker_is_reported_before_anything_is_written(
    train_on, tmp_path, monkeypatch, tracker, module, advice
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=advice):
        train_on(tracker=tracker)
    assert list(tmp_path.iterdir()) == []
