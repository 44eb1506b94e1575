"""What start and noise decide: every start with every noise (paper, figure 8).

Look at: Columns that share a color, rows that share a structure. The bars are the same in numbers. Table:
[disentanglement](metrics.md#disentanglement).
"""

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_array, read_table

INPUTS = {
    "grid": Input("samples/{experiment}/starts_noises.npy"),
    "shares": Input("metrics/disentanglement/{experiment}.csv"),
}

SHOWN_STARTS = 8
SHOWN_NOISES = 5


def draw(inputs: Inputs) -> Figure:
    """Draw for each experiment a grid of starts × noises, and the shares of variance each explains, with errors."""
    from ihdm.figures.style import panels, show_images, to_stored

    names = list(inputs["grid"])
    figure, grid = panels(len(names), 2, 2.4 * len(names), width_ratios=(SHOWN_STARTS / SHOWN_NOISES, 1), layout=None)
    for row, name in zip(grid, names, strict=True):
        images = read_array(inputs["grid"][name][""])[:SHOWN_STARTS, :SHOWN_NOISES].swapaxes(0, 1)
        show_images(row[0], to_stored(images.reshape(-1, *images.shape[2:])), images.shape[1])
        row[0].set_title(name)
        row[0].set_xlabel("one start in each column")
        row[0].set_ylabel("one noise in each row")

        shares = read_table(inputs["shares"][name][""]).set_index("quantity")
        left = np.zeros(len(shares))
        for source in ("start", "noise", "interaction"):
            row[1].barh(shares.index, shares[source], left=left, label=source)
            left += shares[source].to_numpy()
        # Where the start's part ends, and where the interaction's begins, one above the other as they may overlap.
        place = np.arange(len(shares))
        for end, source, above in ((shares["start"], "start", 0.2), (1 - shares["interaction"], "interaction", -0.2)):
            error = 1.96 * shares[f"{source}_error"]
            row[1].errorbar(end, place - above, xerr=error, fmt="none", ecolor="0.1", elinewidth=1, capsize=2)
        row[1].set_xlim(0, 1)
        row[1].invert_yaxis()
        row[1].set_xlabel("share of variance")
        row[1].legend(
            frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1.0), columnspacing=1, handlelength=1
        )
    figure.tight_layout()
    return figure
