"""How σ lets forward paths merge and reverse paths branch: a toy, computed exactly (paper, figure 3).

Look at: Read it from left to right for the forward process, and back for the reverse. Where entropy rises late, images
are decided late. Table: [paths](metrics.md#paths).
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_archive, read_table

INPUTS = {"paths": Input("metrics/paths/toy.npz"), "measures": Input("metrics/paths/toy.csv")}

PANELS = {"merged": "forward paths merge", "branched": "reverse paths branch"}


def draw(inputs: Inputs) -> Figure:
    """Draw forward paths above and reverse paths below, a column for each σ, and beside them how far they merge."""
    from ihdm.figures.style import SMALL, SMALLEST, panels, process_colors

    # One toy for all experiments.
    stored = read_archive(
        next(iter(inputs["paths"].values()))[""], ("levels", "points", "sigmas", "forward", "reverse")
    )
    table = read_table(next(iter(inputs["measures"].values()))[""])
    sigmas, levels = stored["sigmas"], stored["levels"] / stored["levels"].max()
    colors = process_colors([True] * len(sigmas))[::-1]
    figure, grid = panels(2, len(sigmas) + 1, 3.4, width_ratios=(*[1] * len(sigmas), 1.4), sharex=True)
    for place, (sigma, color, paths) in enumerate(zip(sigmas, colors, stored["reverse"], strict=True)):
        column = grid[:, place]
        for mean in stored["forward"]:
            column[0].fill_between(levels, mean - sigma, mean + sigma, color=color, alpha=0.35, lw=0)
            column[0].plot(levels, mean, color=color, lw=1)
        column[1].plot(levels, paths.T, color=color, lw=0.5, alpha=0.7)
        column[0].set_title(rf"$\sigma={sigma:g}$")
        limit = 1.15 * np.abs(stored["points"]).max() + max(sigmas)
        for axes in column:
            axes.plot(np.zeros(len(stored["points"])), stored["points"], "k.", ms=5, clip_on=False, zorder=3)
            axes.set_ylim(-limit, limit)
            if place:
                axes.set_yticklabels([])
    for axes, (quantity, title) in zip(grid[:, -1], PANELS.items(), strict=True):
        for sigma, color in zip(sigmas, colors, strict=True):
            rows = table[(table["quantity"] == quantity) & np.isclose(table["sigma"], sigma)].sort_values("fraction")
            axes.plot(rows["fraction"], rows["value"], color=color, lw=1.4, label=rf"$\sigma={sigma:g}$")
            axes.fill_between(rows["fraction"], rows["low"], rows["high"], color=color, alpha=0.25, lw=0)
        axes.axhline(np.log2(len(stored["points"])), color="0.5", ls="--", lw=1)
        axes.set_ylim(bottom=-0.05)
        axes.set_title(title)
        axes.set_ylabel("entropy (bits)", fontsize=SMALL)
    grid[0, -1].legend(fontsize=SMALLEST, frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9))
    for axes, words in zip(grid[:, 0], ("forward", "reverse"), strict=True):
        axes.set_ylabel(f"{words} $u_k$", fontsize=SMALL)
    for axes in grid.flat:
        axes.tick_params(labelsize=SMALL)
        axes.set_xlim(0, 1)
    for axes in grid[-1]:
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_xlabel("level $k/K$", fontsize=SMALL)
    return figure
