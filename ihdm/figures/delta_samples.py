"""The same samples at growing sampling noise δ, from over-smoothed to noisy (paper, effect of δ).

Look at: Follow one column from the first row to the last.
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import WIDTH, panels, show_images, title
from ihdm.storage.reading import open_images

INPUTS = {"samples": Input("samples/{experiment}/delta{ratio}/samples.npy")}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw a block per experiment: a row for each δ/σ, a column for each start."""
    heights = [len(files) for files in inputs["samples"].values()]
    height = WIDTH / COLUMNS * sum(heights) + 0.3 * len(heights)
    figure, grid = panels(len(heights), 1, height, height_ratios=heights, layout=None)
    for axes, (name, files) in zip(grid[:, 0], inputs["samples"].items(), strict=True):
        images = np.stack([open_images(path)[:COLUMNS] for path in files.values()])
        show_images(axes, images, row_labels=[rf"$\delta/\sigma={ratio}$" for ratio in files], heading=title(name))
    figure.tight_layout()
    return figure
