import json
import os
import signal

import numpy as np
import pytest
import torch

from ihdm.config import Experiment
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.training import batch_indices, train

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


def experiment(**training) -> Experiment:
    values = {"steps": 12, "batch_size": 4, "learning_rate": 0.01, "warmup_steps": 3, "ema_decay": 0.9, **training}
    return Experiment.model_validate_json(
        json.dumps(
            {
                "dataset": {"source": "digits", "image_size": 8, "image_channels": 1},
                "network": {
                    "image_size": 8,
                    "image_channels": 1,
                    "base_channels": 8,
                    "channel_multipliers": [1, 2],
                    "blocks_per_level": 1,
                    "attention_levels": [1],
                    "dropout": 0.1,
                    "norm_groups": 4,
                },
                "process": {"kind": "heat", "sigma": 0.01, "num_levels": 6, "blur_sigma_max": 4.0},
                "training": values,
                "seed": 0,
            }
        )
    )


def stop_at(step: int):
    def report(done: int, _loss: float) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


def test_an_epoch_visits_every_image_once():
    drawn = np.concatenate([batch_indices(0, step, 4, 10) for step in range(5)])
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_interrupted_training_ends_with_the_same_bits(tmp_path):
    network, history = train(experiment(), IMAGES, tmp_path / "straight")
    for step in (5, 9):
        with pytest.raises(InterruptedTrainingError, match=f"stopped at step {step}"):
            train(experiment(), IMAGES, tmp_path / "broken", report=stop_at(step))
    resumed, resumed_history = train(experiment(), IMAGES, tmp_path / "broken")
    assert resumed_history == history
    for (name, expected), (_, found) in zip(network.state_dict().items(), resumed.state_dict().items(), strict=True):
        assert torch.equal(expected, found), name


def test_training_lowers_the_loss(tmp_path):
    _, history = train(experiment(steps=200), IMAGES, tmp_path)
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def test_state_of_other_settings_is_refused(tmp_path):
    with pytest.raises(InterruptedTrainingError):
        train(experiment(), IMAGES, tmp_path, report=stop_at(5))
    with pytest.raises(UserError, match=r"state\.safetensors: this training state was made with other settings"):
        train(experiment(learning_rate=0.02), IMAGES, tmp_path)


def test_truncated_state_is_refused(tmp_path):
    with pytest.raises(InterruptedTrainingError):
        train(experiment(), IMAGES, tmp_path, report=stop_at(5))
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"state\.safetensors: damaged training state"):
        train(experiment(), IMAGES, tmp_path)
