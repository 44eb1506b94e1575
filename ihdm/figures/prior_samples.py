"""The starts of generation, and the samples made from them (paper, figure of prior samples).

Look at: How much of a sample its start holds already.
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import open_images

INPUTS = {
    "starts": Input("samples/{experiment}/delta{default_ratio}/starts.npy"),
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw two rows for each experiment: starts, and below each the sample from it."""
    from ihdm.figures.style import SMALL, WIDTH, label_rows, panels, show_images

    names = list(inputs["starts"])
    figure, grid = panels(len(names), 1, (WIDTH / COLUMNS * 2 + 0.3) * len(names))
    for axes, name in zip(grid[:, 0], names, strict=True):
        pair = [open_images(inputs[kind][name][""])[:COLUMNS] for kind in ("starts", "samples")]
        show_images(axes, np.concatenate(pair), len(pair[0]))
        label_rows(axes, ["start", "sample"], pair[0].shape[1])
        axes.tick_params(labelsize=SMALL)
        axes.set_title(name)
    return figure
