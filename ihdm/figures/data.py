"""What the data sets look like: images, their mean, their colours and their spectrum."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ihdm.figures import Inputs
from ihdm.figures.style import WIDTH, show_images
from ihdm.images import StoredImages

GRID = 6
MAX_IMAGES = 2000
"""Images behind mean and histogram."""

HISTOGRAM_BINS = 32
COLOURS = {1: ["0.3"], 3: ["#c44e52", "#55a868", "#4c72b0"]}


def draw(inputs: Inputs) -> Figure:
    """Draw a row for each data set: some images, the mean image, the histogram of each channel, the spectrum with α."""
    # Experiments may share a data set; its folder is its name.
    sets = {paths[0].parent.name: experiment for experiment, paths in inputs["train"].items()}
    figure, grid = plt.subplots(
        len(sets), 4, figsize=(WIDTH, 1.75 * len(sets) + 0.2), width_ratios=(1, 1, 1.15, 1.3), squeeze=False
    )
    for row, (name, experiment) in zip(grid, sets.items(), strict=True):
        train = np.load(inputs["train"][experiment][0], mmap_mode="r")
        num_test = len(np.load(inputs["test"][experiment][0], mmap_mode="r"))
        shown = train[:MAX_IMAGES]
        show_images(row[0], shown[: GRID**2], GRID)
        row[0].set_ylabel(f"{name}\n{len(train):,} + {num_test:,}\nat {train.shape[1]}×{train.shape[2]}")
        show_images(row[1], np.rint(shown.mean(axis=0, keepdims=True)).astype(np.uint8), 1)
        _draw_histogram(row[2], shown)
        _draw_spectrum(row[3], inputs["spectrum"][experiment][0])
    for axes, title in zip(grid[0], ("training images", "mean", "values of each channel", "spectrum"), strict=True):
        axes.set_title(title)
    grid[-1, 2].set_xlabel("value")
    grid[-1, 3].set_xlabel("frequency (radians per pixel)")
    figure.tight_layout()
    return figure


def _draw_histogram(axes: Axes, images: StoredImages) -> None:
    edges = np.linspace(0, 256, HISTOGRAM_BINS + 1)
    for channel, colour in enumerate(COLOURS[images.shape[-1]]):
        counts, _ = np.histogram(images[..., channel], edges)
        axes.stairs(counts / counts.sum(), edges / 255, color=colour, lw=1.2)
    axes.set(yscale="log", xlim=(0, 1), ylabel="share of pixels")


def _draw_spectrum(axes: Axes, path: Path) -> None:
    table = pd.read_csv(path)
    power = table[table["quantity"] == "power"]
    alpha = table[table["quantity"] == "alpha"].iloc[0]
    frequencies = power["low_frequency"].to_numpy()
    axes.loglog(frequencies, power["value"], "k", lw=1.4)
    axes.fill_between(frequencies, power["low"].clip(lower=power["value"] / 10), power["high"], color="0.8", lw=0)
    fitted = (frequencies >= alpha["low_frequency"]) & (frequencies <= alpha["high_frequency"])
    logarithms = np.log(frequencies[fitted])
    level = np.mean(np.log(power["value"][fitted]) + alpha["value"] * logarithms)
    label = (
        rf"$\alpha = {alpha['value']:.2f}$ ({alpha['low']:.2f} … {alpha['high']:.2f})"
        "\n"
        rf"for $f = {alpha['low_frequency']:.2f}$ … ${alpha['high_frequency']:.2f}$"
    )
    axes.loglog(
        frequencies[fitted], np.exp(level - alpha["value"] * logarithms), color="#c44e52", ls="--", lw=1.1, label=label
    )
    axes.set_ylabel("power")
    axes.legend(frameon=False, fontsize=6, loc="lower left", handlelength=1.2)
