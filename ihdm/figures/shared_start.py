"""Many samples of one start, each with different noise (paper, figure of a shared start).

Look at: Similarity within a side comes from the start; similarity between the two sides at one place comes from the
noise. Table: [disentanglement](metrics.md#disentanglement).
"""

import math

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import SMALL, WIDTH, panels, show_images, title
from ihdm.storage.reading import read_array

INPUTS = {"grid": Input("samples/{experiment}/starts_noises.npy")}

SHOWN_STARTS = 2
SHOWN_NOISES = 16
COLUMNS = 8
"""Maximum number of images in a row."""


def draw(inputs: Inputs) -> Figure:
    """Draw two sheets per experiment: two starts, each with the same noises."""
    sheets = {name: read_array(files[""])[:SHOWN_STARTS, :SHOWN_NOISES] for name, files in inputs["grid"].items()}
    counts = [images.shape[1] for images in sheets.values()]
    rows = [math.ceil(count / COLUMNS) for count in counts]
    columns = [math.ceil(count / number) for count, number in zip(counts, rows, strict=True)]
    heights = [WIDTH / SHOWN_STARTS / across * down + 0.4 for across, down in zip(columns, rows, strict=True)]
    figure, grid = panels(len(sheets), SHOWN_STARTS, sum(heights), height_ratios=heights)
    for row, (name, images), across in zip(grid, sheets.items(), columns, strict=True):
        labels = (f"one start, {images.shape[1]} noises", "another start, the same noises")
        for axes, sheet, label in zip(row, images, labels, strict=True):
            show_images(axes, sheet, across, heading=title(name, 44))
            axes.set_xlabel(label, fontsize=SMALL)
    return figure
