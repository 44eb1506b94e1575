"""The same samples at growing sampling noise δ, too smooth and then too grainy (paper, effect of δ).

Look at: Follow one column from the first row to the last: from smooth to grainy.
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import open_images

INPUTS = {"samples": Input("samples/{experiment}/delta{ratio}/samples.npy")}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw one block for each experiment: a row for each δ/σ, a column for each start."""
    from ihdm.figures.style import WIDTH, label_rows, panels, show_images

    blocks = {
        name: {ratio: open_images(path)[:COLUMNS] for ratio, path in files.items()}
        for name, files in inputs["samples"].items()
    }
    heights = [len(block) for block in blocks.values()]
    figure, grid = panels(
        len(blocks), 1, WIDTH / COLUMNS * sum(heights) + 0.3 * len(blocks), height_ratios=heights, layout=None
    )
    for axes, (name, block) in zip(grid[:, 0], blocks.items(), strict=True):
        show_images(axes, np.concatenate(list(block.values())), COLUMNS)
        label_rows(axes, [rf"$\delta/\sigma={ratio}$" for ratio in block], next(iter(block.values())).shape[1])
        axes.set_title(name)
    figure.tight_layout()
    return figure
