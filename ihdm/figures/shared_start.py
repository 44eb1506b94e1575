"""Many samples of one start, each with its own noise (paper, figure of a shared start).

Look at: Within a side, what is alike comes from the start. Across sides, what is alike at one place comes from the
noise. Table: [disentanglement](metrics.md#disentanglement).
"""

import math

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_array

INPUTS = {"grid": Input("samples/{experiment}/starts_noises.npy")}

SHOWN_STARTS = 2
SHOWN_NOISES = 16
COLUMNS = 8
"""Most images in a row of a sheet."""


def draw(inputs: Inputs) -> Figure:
    """Draw two sheets for each experiment: of the first start with every noise, and of the second with the same."""
    from ihdm.figures.style import SMALL, WIDTH, panels, show_images, to_stored

    sheets = {name: read_array(files[""])[:SHOWN_STARTS, :SHOWN_NOISES] for name, files in inputs["grid"].items()}
    counts = [images.shape[1] for images in sheets.values()]
    rows = [math.ceil(count / COLUMNS) for count in counts]
    columns = [math.ceil(count / number) for count, number in zip(counts, rows, strict=True)]
    heights = [WIDTH / SHOWN_STARTS / across * down + 0.4 for across, down in zip(columns, rows, strict=True)]
    figure, grid = panels(len(sheets), SHOWN_STARTS, sum(heights), height_ratios=heights)
    for row, (name, images), across in zip(grid, sheets.items(), columns, strict=True):
        for axes, sheet, start in zip(
            row, images, ("one start, {} noises", "another, the same {} noises"), strict=True
        ):
            show_images(axes, to_stored(sheet), across)
            axes.set_title(name)
            axes.set_xlabel(start.format(len(sheet)), fontsize=SMALL)
    return figure
