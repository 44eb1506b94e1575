"""What generation starts from, and the samples that come of it (paper, figure of prior samples)."""

from typing import TYPE_CHECKING

import numpy as np

from ihdm.figures import Input, Inputs
from ihdm.storage.reading import open_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INPUTS = {
    "starts": Input("samples/{experiment}/delta{default_ratio}/starts.npy"),
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
}

COLUMNS = 12


def draw(inputs: Inputs) -> "Figure":
    """Draw two rows for each experiment: starts, and below each the sample from it."""
    import matplotlib.pyplot as plt

    from ihdm.figures.style import SMALL, WIDTH, label_rows, show_images

    names = list(inputs["starts"])
    figure, grid = plt.subplots(
        len(names), 1, figsize=(WIDTH, (WIDTH / COLUMNS * 2 + 0.3) * len(names)), squeeze=False, layout="constrained"
    )
    for axes, name in zip(grid[:, 0], names, strict=True):
        pair = [open_images(inputs[kind][name][""])[:COLUMNS] for kind in ("starts", "samples")]
        show_images(axes, np.concatenate(pair), len(pair[0]))
        label_rows(axes, ["start", "sample"], pair[0].shape[1])
        axes.tick_params(labelsize=SMALL)
        axes.set_title(name)
    return figure
