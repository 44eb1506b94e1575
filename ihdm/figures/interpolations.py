"""Interpolations between samples, including DDPM and DDIM, and how even they are (paper, interpolations).

Look at: A value near one is a straight or even path; the gray tick is the value of unrelated images. Table:
[interpolation](metrics.md#interpolation).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, evenly_spaced, label_log, panels, read_tables, show_images, title
from ihdm.storage.reading import read_array

INPUTS = {
    "images": Input("samples/{experiment}/probes/interpolations.npy"),
    "measures": Input("metrics/interpolation/{experiment}.csv"),
}

SHOWN = 2
COLUMNS = 10
MEASURES = {
    ("path_ratio", "pixels"): "length, pixels",
    ("path_ratio", "features"): "length, features",
    ("largest_step", "pixels"): "largest step, pixels",
    ("largest_step", "features"): "largest step, features",
}


def draw(inputs: Inputs) -> Figure:
    """Draw per experiment two interpolations, one per row, and the measures of all interpolations."""
    tables = read_tables(inputs["measures"])
    figure, grid = panels(len(tables), 2, 1.25 * len(tables) + 0.35, width_ratios=(3.2, 1))
    for row, (name, table) in zip(grid, tables.items(), strict=True):
        images = read_array(inputs["images"][name][""])[:SHOWN]
        show_images(row[0], images[:, evenly_spaced(images.shape[1], COLUMNS)], heading=title(name))
        _draw_measures(row[1], table)
    grid[-1, 1].set_xlabel("ratio (1 = straight, even)", fontsize="small")
    return figure


def _draw_measures(axes: Axes, table: pd.DataFrame) -> None:
    rows = table.set_index(["quantity", "space"]).reindex(list(MEASURES))
    places = np.arange(len(rows))
    errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axes.plot(rows["null"], places, "|", color="0.5", ms=9, mew=2)
    axes.errorbar(rows["value"], places, xerr=errors, fmt="ko", ms=3.5, capsize=2, lw=1.2)
    axes.axvline(1, color="0.8", lw=1, zorder=0)
    axes.set_xscale("log")
    label_log(axes.xaxis)
    axes.set_yticks(places, list(MEASURES.values()))
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.tick_params(labelsize=SMALL)
    axes.tick_params(axis="y", length=0)
