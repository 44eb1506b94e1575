"""Effect of σ on merging forward paths and branching reverse paths, in an exactly computed toy (paper, figure 3).

Look at: The larger σ is, the closer to the image paths merge and branch. Table: [paths](metrics.md#paths).
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import SMALLEST, draw_band, label_small, panels, process_colors
from ihdm.storage.reading import read_archive, read_table

INPUTS = {"paths": Input("metrics/paths/toy.npz"), "measures": Input("metrics/paths/toy.csv")}

PANELS = {"merged": "forward paths merge", "branched": "reverse paths branch"}


def draw(inputs: Inputs) -> Figure:
    """Draw forward paths above and reverse paths below, a column for each σ, and the entropy of both on the right."""
    # All experiments share one toy.
    path, measures = (next(iter(inputs[kind].values()))[""] for kind in ("paths", "measures"))
    stored = read_archive(path, ("levels", "points", "sigmas", "forward", "reverse"))
    table, points = read_table(measures), stored["points"]
    sigmas, levels = stored["sigmas"], stored["levels"] / stored["levels"].max()
    colors = process_colors([True] * len(sigmas))[::-1]
    figure, grid = panels(2, len(sigmas) + 1, 3.4, width_ratios=(*[1] * len(sigmas), 1.4), sharex=True)
    limit = 1.15 * np.abs(points).max() + max(sigmas)
    for column, sigma, color, reverse in zip(grid.T, sigmas, colors, stored["reverse"], strict=False):
        for mean in stored["forward"]:
            column[0].fill_between(levels, mean - sigma, mean + sigma, color=color, alpha=0.35, lw=0)
            column[0].plot(levels, mean, color=color, lw=1)
        column[1].plot(levels, reverse.T, color=color, lw=0.5, alpha=0.7)
        column[0].set_title(rf"$\sigma={sigma:g}$")
        for axes in column:
            axes.plot(np.zeros(len(points)), points, "k.", ms=5, clip_on=False, zorder=3)
            axes.set_ylim(-limit, limit)
    for axes in grid[:, 1:-1].flat:
        axes.set_yticklabels([])
    for axes, (quantity, heading) in zip(grid[:, -1], PANELS.items(), strict=True):
        for sigma, color in zip(sigmas, colors, strict=True):
            rows = table[(table["quantity"] == quantity) & np.isclose(table["sigma"], sigma)].sort_values("fraction")
            draw_band(axes, rows, "fraction", color, lw=1.4, label=rf"$\sigma={sigma:g}$")
        axes.axhline(np.log2(len(points)), color="0.5", ls="--", lw=1)
        axes.set_ylim(bottom=-0.05)
        axes.set_title(heading)
        axes.set_ylabel("entropy (bits)")
    grid[0, -1].legend(fontsize=SMALLEST, frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9))
    for axes, words in zip(grid[:, 0], ("forward", "reverse"), strict=True):
        axes.set_ylabel(f"{words} $u_k$")
    for axes in grid[-1]:
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_xlabel("level $k/K$")
    for axes in grid.flat:
        label_small(axes)
        axes.set_xlim(0, 1)
    return figure
