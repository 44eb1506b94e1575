"""Sums of the network's steps over ranges of levels, as images and spectra (paper, figure of cumulative sums).

Look at: The lines of early ranges (dark) peak at lower frequencies than those of late ranges. Table:
[cumulative_sums](metrics.md#cumulative_sums).
"""

from itertools import pairwise

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, SMALLEST, draw_band, label_small, palette, panels, read_tables, show_images, title
from ihdm.storage.reading import read_archive

INPUTS = {
    "sums": Input("samples/{experiment}/probes/sums.npz"),
    "shares": Input("metrics/cumulative_sums/{experiment}.csv"),
}

SHOWN = 3


def draw(inputs: Inputs) -> Figure:
    """Draw sums per experiment, a column for each range, and each range's share of power by frequency."""
    tables = read_tables(inputs["shares"])
    figure, grid = panels(len(tables), 2, 2.2 * len(tables), width_ratios=(1.2, 1))
    for row, (name, table) in zip(grid, tables.items(), strict=True):
        stored = read_archive(inputs["sums"][name][""], ("edges", "sums"))
        sums = stored["sums"][:, :SHOWN].swapaxes(0, 1)
        # Zero is mid-gray, and the largest magnitude of each sum black or white.
        largest = np.maximum(np.abs(sums).max(axis=(2, 3, 4), keepdims=True), np.finfo(np.float32).tiny)
        ranges = [f"{high}–{low}" for high, low in pairwise(stored["edges"])]
        show_images(row[0], 0.5 + 0.5 * sums / largest, column_labels=ranges, heading=title(name, 44))
        row[0].set_xlabel("levels", fontsize=SMALL)
        _draw_shares(row[1], table)
    grid[-1, 1].set_xlabel("frequency (radians per pixel)", fontsize=SMALL)
    return figure


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    ranges = list(table.groupby("range"))
    for color, (_, rows) in zip(palette("viridis", len(ranges)), ranges, strict=True):
        label = f"{rows['level_from'].iloc[0]}–{rows['level_to'].iloc[0]}"
        draw_band(axes, rows.sort_values("frequency"), "frequency", color, ".-", lw=1.2, label=label)
    axes.set_ylim(bottom=0)
    label_small(axes, y="share of power")
    axes.legend(
        title="levels", fontsize=SMALLEST, title_fontsize=SMALLEST, frameon=False, loc="center left",
        bbox_to_anchor=(1, 0.5), handlelength=1,
    )  # fmt: skip
