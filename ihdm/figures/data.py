"""The data sets: images, their mean, colors and spectrum.

Look at: Check for wrong images, and for histograms with few gray levels. Table:
[data_spectrum](metrics.md#data_spectrum).
"""

from pathlib import Path

import numpy as np

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, panels, show_images
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images, read_table

INPUTS = {
    "train": Input("data/{dataset}/train.npy"),
    "test": Input("data/{dataset}/test.npy"),
    "spectrum": Input("metrics/data_spectrum/{dataset}.csv"),
}

GRID = 6
MAX_IMAGES = 2000
"""Number of images for the mean and the histogram."""
HISTOGRAM_BINS = 32
COLORS = {1: ["0.3"], 3: ["#c44e52", "#55a868", "#4c72b0"]}


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set: images, the mean image, the histogram of each channel, and the spectrum with α."""
    # Experiments may share a data set, whose folder has its name.
    sets = {files[""].parent.name: experiment for experiment, files in inputs["train"].items()}
    figure, grid = panels(len(sets), 4, 1.6 * len(sets) + 0.4)
    for row, (name, experiment) in zip(grid, sets.items(), strict=True):
        train = open_images(inputs["train"][experiment][""])
        num_test = len(open_images(inputs["test"][experiment][""]))
        shown = train[:MAX_IMAGES]
        show_images(row[0], shown[: GRID**2], GRID)
        row[0].set_ylabel(name)
        row[0].set_xlabel(f"{len(train):,} train + {num_test:,} test", fontsize=SMALL)
        show_images(row[1], np.rint(shown.mean(axis=0, keepdims=True)).astype(np.uint8), 1)
        row[1].set_xlabel(f"{train.shape[1]}×{train.shape[2]} pixels", fontsize=SMALL)
        _draw_histogram(row[2], shown)
        _draw_spectrum(row[3], inputs["spectrum"][experiment][""])
        for axes in row[2:]:
            axes.set_box_aspect(1)
            axes.tick_params(labelsize=SMALL)
    for axes, heading in zip(grid[0], ("training images", "mean image", "share of pixels", "power"), strict=True):
        axes.set_title(heading)
    grid[-1, 2].set_xlabel("pixel value")
    grid[-1, 3].set_xlabel("frequency (rad/pixel)")
    return figure


def _draw_histogram(axes: Axes, images: StoredImages) -> None:
    edges = np.linspace(0, 256, HISTOGRAM_BINS + 1)
    for channel, color in enumerate(COLORS[images.shape[-1]]):
        counts, _ = np.histogram(images[..., channel], edges)
        axes.stairs(counts / counts.sum(), edges / 256, color=color, lw=1.2)
    axes.set(yscale="log", xlim=(0, 1), xticks=(0, 0.5, 1), ylim=(1e-3, 1))


def _draw_spectrum(axes: Axes, path: Path) -> None:
    from matplotlib.ticker import NullFormatter

    table = read_table(path)
    power = table[table["quantity"] == "power"]
    alpha = table[table["quantity"] == "alpha"].iloc[0]
    frequencies, values = power["low_frequency"].to_numpy(), power["value"].to_numpy()
    low, high = alpha["low_frequency"], alpha["high_frequency"]
    axes.loglog(frequencies, values, "k", lw=1.4)
    # On the logarithmic axis, intervals that reach below zero end at a tenth of the value.
    axes.fill_between(frequencies, np.maximum(power["low"], values / 10), power["high"], color="0.8", lw=0)
    fitted = (frequencies >= low) & (frequencies <= high)
    line = frequencies[fitted] ** -alpha["value"]
    level = np.exp(np.mean(np.log(values[fitted] / line)))
    axes.loglog(frequencies[fitted], level * line, color="#c44e52", ls="--", lw=1.1)
    text = rf"$\alpha = {alpha['value']:.2f}$"
    text += f"\n{alpha['low']:.2f} … {alpha['high']:.2f}\n$f$ {low:.2f} … {high:.2f}"
    axes.text(0.05, 0.04, text, transform=axes.transAxes, va="bottom", fontsize=SMALL)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
