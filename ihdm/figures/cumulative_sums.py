"""What the network adds over ranges of levels, as images and spectra (paper, figure of cumulative sums).

Look at: Whether darker lines lie further to the left than lighter ones. Table:
[cumulative_sums](metrics.md#cumulative_sums).
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "sums": Input("samples/{experiment}/probes/sums.npz"),
    "shares": Input("metrics/cumulative_sums/{experiment}.csv"),
}

SHOWN = 3


def draw(inputs: Inputs) -> Figure:
    """Draw for each experiment rows of sums, a column for each range, and each range's share of power by frequency."""
    from ihdm.figures.style import SMALL, label_columns, panels, show_images

    names = list(inputs["sums"])
    figure, grid = panels(len(names), 2, 2.2 * len(names), width_ratios=(1.2, 1))
    for row, name in zip(grid, names, strict=True):
        stored = read_archive(inputs["sums"][name][""], ("edges", "sums"))
        edges, sums = stored["edges"], stored["sums"][:, :SHOWN].swapaxes(0, 1)
        show_images(row[0], _contrast(sums.reshape(-1, *sums.shape[2:])), sums.shape[1])
        ranges = [f"{high}–{low}" for high, low in pairwise(edges)]
        label_columns(row[0], ranges, sums.shape[3])
        row[0].tick_params(labelsize=SMALL)
        row[0].set_xlabel("levels", fontsize=SMALL)
        row[0].set_title(name)
        _draw_shares(row[1], read_table(inputs["shares"][name][""]))
    grid[-1, 1].set_xlabel("frequency (radians per pixel)", fontsize=SMALL)
    return figure


def _contrast(sums: np.ndarray) -> StoredImages:
    """Return each sum as an image: nothing is mid-gray, its largest value of either sign white or black."""
    from ihdm.figures.style import to_stored

    largest = np.abs(sums).max(axis=(1, 2, 3), keepdims=True)
    return to_stored(0.5 + 0.5 * sums / np.maximum(largest, np.finfo(np.float32).tiny))


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    import seaborn as sns

    from ihdm.figures.style import SMALL, SMALLEST

    ranges = list(table.groupby("range"))
    for color, (_, rows) in zip(sns.color_palette("viridis", len(ranges)), ranges, strict=True):
        rows = rows.sort_values("frequency")
        label = f"{rows['level_from'].iloc[0]}–{rows['level_to'].iloc[0]}"
        axes.plot(rows["frequency"], rows["value"], ".-", color=color, lw=1.2, label=label)
        axes.fill_between(rows["frequency"], rows["low"], rows["high"], color=color, alpha=0.2, lw=0)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of power", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.legend(
        title="levels", fontsize=SMALLEST, title_fontsize=SMALLEST, frameon=False, loc="center left",
        bbox_to_anchor=(1, 0.5), handlelength=1,
    )  # fmt: skip
