"""Paths between samples, beside those of DDPM and DDIM, and how even they are (paper, interpolations).

Look at: A curve near one is an even way. The gray tick is what a way that leads nowhere would score. Table:
[interpolation](metrics.md#interpolation).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.storage.reading import read_array, read_table

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
    """Draw for each experiment two rows of images, from one sample to another, and the measures of all such rows."""
    from ihdm.figures.style import panels, show_images, to_stored

    names = list(inputs["images"])
    figure, grid = panels(len(names), 2, 1.25 * len(names) + 0.35, width_ratios=(3.2, 1))
    for row, name in zip(grid, names, strict=True):
        images = read_array(inputs["images"][name][""])[:SHOWN]
        kept = np.linspace(0, images.shape[1] - 1, min(COLUMNS, images.shape[1])).round().astype(int)
        shown = images[:, kept]
        show_images(row[0], to_stored(shown.reshape(-1, *shown.shape[2:])), len(kept))
        row[0].set_title(name)
        _draw_measures(row[1], read_table(inputs["measures"][name][""]))
    grid[-1, 1].set_xlabel("1 = straight, even", fontsize="small")
    return figure


def _draw_measures(axes: Axes, table: pd.DataFrame) -> None:
    from ihdm.figures.style import SMALL, label_log

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
