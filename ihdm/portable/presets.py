"""Presets for training on a folder of images: sizes of images and network, and steps."""

from typing import Literal

from ihdm.config.experiments import Experiment, NetworkSettings
from ihdm.config.processes import HeatSettings
from ihdm.config.settings import DatasetSettings, TrainingSettings

Preset = Literal["quick", "small", "medium", "large"]

SIZES: dict[Preset, int] = {"quick": 32, "small": 32, "medium": 64, "large": 128}
"""Height and width of images in pixels."""
LEVELS: dict[Preset, int] = {"quick": 40, "small": 50, "medium": 100, "large": 200}
"""K."""
MAX_BLUR = 0.75
"""Largest blur width as a share of the images' side, the paper's for 32 pixels; from 128 on it is half of the side."""


def preset_network(preset: Preset, image_size: int, channels: Literal[1, 3]) -> NetworkSettings:
    """Return the network of a preset for an image size that it can halve often enough.

    Raises:
        ValidationError: if it cannot.
    """
    shapes = {
        "quick": (16, (1, 2, 2), 1, (), 0.0, 8),
        "small": (32, (1, 2, 2), 1, (2,), 0.1, 8),
        "medium": (64, (1, 2, 2, 2), 2, (3,), 0.1, 32),
        "large": (128, (1, 2, 2, 3, 4), 2, (3, 4), 0.1, 32),
    }
    base, multipliers, blocks, attention, dropout, groups = shapes[preset]
    return NetworkSettings(
        image_size=image_size,
        image_channels=channels,
        base_channels=base,
        channel_multipliers=multipliers,
        blocks_per_stage=blocks,
        attention_stages=attention,
        dropout=dropout,
        norm_groups=groups,
    )


def preset_experiment(preset: Preset, dataset: DatasetSettings, steps: int | None, seed: int) -> Experiment:
    """Return the experiment of a preset.

    Args:
        preset: name of the preset.
        dataset: the data set.
        steps: training steps; by default those of the preset.
        seed: training seed.
    """
    lengths = {"quick": (1500, 32, 1e-3, 100, 0.995), "small": (10_000, 64, 5e-4, 500, 0.999)}
    usual, batch_size, rate, warm_up, decay = lengths.get(preset, (200_000, 64, 1e-4, 5000, 0.9999))
    size = dataset.image_size
    return Experiment(
        dataset=dataset,
        network=preset_network(preset, size, dataset.image_channels),
        process=HeatSettings(
            kind="heat",
            sigma=0.01,
            num_levels=LEVELS[preset],
            blur_sigma_max=(MAX_BLUR if size < 128 else 0.5) * size,
        ),
        training=TrainingSettings(
            steps=steps or usual,
            batch_size=batch_size,
            learning_rate=rate,
            warmup_steps=warm_up,
            ema_decay=decay,
        ),
        seed=seed,
    )
