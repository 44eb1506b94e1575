import os
import signal
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from accelerate.state import AcceleratorState, GradientState

from ihdm.config.experiments import Experiment, NetworkSettings
from ihdm.config.settings import RunSettings

EXPERIMENT = {
    "dataset": {"source": "digits", "image_size": 8, "image_channels": 1},
    "network": {
        "image_size": 8,
        "image_channels": 1,
        "base_channels": 8,
        "channel_multipliers": (1, 2),
        "blocks_per_stage": 1,
        "attention_stages": (1,),
        "dropout": 0.0,
        "norm_groups": 4,
    },
    "process": {"kind": "heat", "sigma": 0.01, "num_levels": 10, "blur_sigma_min": 0.3, "blur_sigma_max": 4.0},
    "training": {"steps": 6, "batch_size": 8, "learning_rate": 0.001, "warmup_steps": 4, "ema_decay": 0.99},
    "seed": 3,
}


@pytest.fixture
def make_experiment() -> Callable[..., Experiment]:
    """A small experiment, with some of its training settings, its dropout or its number of levels changed."""

    def make(*, dropout: float = 0.0, num_levels: int = 10, **training: object) -> Experiment:
        return Experiment.model_validate(
            {
                **EXPERIMENT,
                "network": {**EXPERIMENT["network"], "dropout": dropout},
                "process": {**EXPERIMENT["process"], "num_levels": num_levels},
                "training": {**EXPERIMENT["training"], **training},
            }
        )

    return make


@pytest.fixture
def golden_preset(golden) -> NetworkSettings:
    """The authors' network of the reference values."""
    values = golden("network")
    return NetworkSettings(
        image_size=values["image"].shape[-1],
        image_channels=3,
        base_channels=int(values["base_channels"]),
        channel_multipliers=tuple(values["channel_mult"].tolist()),
        blocks_per_stage=int(values["res_blocks"]),
        attention_stages=tuple(values["attention_levels"].tolist()),
        dropout=0.1,
    )


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)


@pytest.fixture
def stop_at() -> Callable[..., Callable[[int, float], None]]:
    """What a training calls after every step, so that it gets a signal at one of them."""

    def at(last: int | None, number: int = signal.SIGTERM) -> Callable[[int, float], None]:
        return lambda step, _loss: os.kill(os.getpid(), number) if step == last else None

    return at


@pytest.fixture
def run() -> RunSettings:
    return RunSettings()


@pytest.fixture(autouse=True)
def no_accelerator_left_over() -> Iterator[None]:
    """Accelerate keeps precision and processes in one place for all; another test may want others."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()
