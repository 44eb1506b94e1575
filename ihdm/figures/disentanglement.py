"""Effects of start and noise: samples of every start with every noise (paper, figure 8).

Look at: Images of a column share their color, images of a row their structure; the bars measure both. Table:
[disentanglement](metrics.md#disentanglement).
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import panels, read_tables, show_images, title
from ihdm.storage.reading import read_array

INPUTS = {
    "grid": Input("samples/{experiment}/starts_noises.npy"),
    "shares": Input("metrics/disentanglement/{experiment}.csv"),
}

SHOWN_STARTS = 8
SHOWN_NOISES = 5


def draw(inputs: Inputs) -> Figure:
    """Draw per experiment a grid of starts × noises, and the share of variance that each explains."""
    tables = read_tables(inputs["shares"])
    figure, grid = panels(len(tables), 2, 2.4 * len(tables), width_ratios=(SHOWN_STARTS / SHOWN_NOISES, 1), layout=None)
    for row, (name, table) in zip(grid, tables.items(), strict=True):
        images = read_array(inputs["grid"][name][""])[:SHOWN_STARTS, :SHOWN_NOISES].swapaxes(0, 1)
        show_images(row[0], images, heading=title(name, 44))
        row[0].set(xlabel="one start per column", ylabel="one noise per row")

        shares = table.set_index("quantity")
        places, left = np.arange(len(shares)), np.zeros(len(shares))
        for source in ("start", "noise", "interaction"):
            row[1].barh(places, shares[source], left=left, label=source)
            left += shares[source].to_numpy()
        # The intervals of the start's end and of the interaction's beginning may overlap, so one is above the other.
        for end, source, above in ((shares["start"], "start", 0.2), (1 - shares["interaction"], "interaction", -0.2)):
            error = 1.96 * shares[f"{source}_error"]
            row[1].errorbar(end, places - above, xerr=error, fmt="none", ecolor="0.1", elinewidth=1, capsize=2)
        row[1].set_yticks(places, shares.index.str.replace("mean colour", "mean color"))
        row[1].set(xlim=(0, 1), xlabel="share of variance")
        row[1].invert_yaxis()
        row[1].legend(
            frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0), columnspacing=1, handlelength=1
        )
    figure.tight_layout()
    return figure
