"""Starts of generation, and the samples from them (paper, figure of prior samples).

Look at: How much of a sample its start already contains.
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import WIDTH, panels, show_images, title
from ihdm.storage.reading import open_images

INPUTS = {
    "starts": Input("samples/{experiment}/delta{default_ratio}/starts.npy"),
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw two rows per experiment: starts, and below each its sample."""
    names = list(inputs["starts"])
    figure, grid = panels(len(names), 1, (WIDTH / COLUMNS * 2 + 0.3) * len(names))
    for axes, name in zip(grid[:, 0], names, strict=True):
        pair = [open_images(inputs[kind][name][""])[:COLUMNS] for kind in ("starts", "samples")]
        show_images(axes, np.stack(pair), row_labels=["start", "sample"], heading=title(name))
    return figure
