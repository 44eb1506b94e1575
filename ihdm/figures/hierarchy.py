"""Trees of samples: paths from one start that share their noise down to a level (paper, figure 7).

Look at: Samples that split at lower levels are more alike; their distance falls from the dashed line towards zero.
Table: [hierarchy](metrics.md#hierarchy).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, WIDTH, draw_estimates, label_small, panels, place_image, title
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "tree": Input("samples/{experiment}/probes/tree.npz"),
    "hierarchy": Input("metrics/hierarchy/{experiment}.csv"),
}

IMAGE, ROW = 0.86, 1.3
"""Width of an image and distance between rows, where leaves are one apart."""


def draw(inputs: Inputs) -> Figure:
    """Draw per experiment its first tree, and the distance between leaves against the level of their split."""
    trees = {name: read_archive(files[""], ("levels", "shown")) for name, files in inputs["tree"].items()}
    heights = [WIDTH * 0.6 * len(tree["shown"]) * ROW / tree["shown"].shape[1] + 0.3 for tree in trees.values()]
    figure, grid = panels(len(trees), 2, sum(heights), height_ratios=heights, width_ratios=(2.1, 1))
    for row, (name, tree) in zip(grid, trees.items(), strict=True):
        _draw_tree(row[0], tree["shown"], [f"$k={level}$" for level in tree["levels"]])
        _draw_distances(row[1], read_table(inputs["hierarchy"][name][""]))
        row[0].set_title(title(name))
    return figure


def _draw_tree(axes: Axes, shown: StoredImages, labels: list[str]) -> None:
    """Draw the image of each state once, with lines to its two children; the last row has the leaves."""
    num_rows, num_leaves = shown.shape[:2]
    places = [(np.arange(2**row) + 0.5) * num_leaves / 2**row for row in range(num_rows)]
    for row, centers in enumerate(places):
        for number, center in enumerate(centers):
            place_image(axes, shown[row, number * num_leaves // 2**row], center, row * ROW, IMAGE)
            if row:
                axes.plot((places[row - 1][number // 2], center), ((row - 1) * ROW, row * ROW), "0.6", lw=1, zorder=1)
    axes.set(xlim=(0, num_leaves), ylim=((num_rows - 1) * ROW + 0.5, -0.5), xticks=[])
    axes.set_yticks(np.arange(num_rows) * ROW, [*labels, "samples"])
    axes.tick_params(length=0, labelsize=SMALL)
    axes.set_frame_on(False)


def _draw_distances(axes: Axes, table: pd.DataFrame) -> None:
    table = table.sort_values("level")
    draw_estimates(axes, table, "level", "ko-", ms=4, lw=1.2)
    null = table["null"].mean()
    axes.axhline(null, color="0.5", ls="--", lw=1)
    axes.set_ylim(0, 1.15 * max(null, table["high"].max()))
    axes.annotate("samples of other starts", (0.03, null), (0, 2), xycoords=axes.get_yaxis_transform(),
                  textcoords="offset points", fontsize=SMALL, color="0.4")  # fmt: skip
    label_small(axes, "level $k$ of the split", "RMS distance per pixel")
