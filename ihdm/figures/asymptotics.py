"""Limits of many levels: deblurring becomes denoising, and δ = √2 σ Langevin dynamics (paper, appendix A.4).

Look at: How close the lines come to the dotted line at one as K grows. Table:
[asymptotics](metrics.md#asymptotics).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Inputs
from ihdm.figures.style import SMALL, SMALLEST, draw_estimates, label_log, palette, panels, read_tables, title
from ihdm.measures import measured

INPUTS = {"asymptotics": measured("asymptotics")}

TITLES = ("loss, all levels", "network: loss by level", "toy: power", "network: power")


def draw(inputs: Inputs) -> Figure:
    """Draw four panels per experiment: ratios of losses, then of power, for the toy and for the network."""
    tables = read_tables(inputs["asymptotics"])
    figure, grid = panels(len(tables), 4, 1.9 * len(tables) + 0.2)
    for row, (name, table) in zip(grid, tables.items(), strict=True):
        parts = dict(iter(table.groupby("part")))
        _draw_ratio(row[0], parts["toy_loss"], "num_levels", "0.5", "s--", "toy")
        if "network_losses" in parts:
            _draw_ratio(row[0], parts["network_losses"], "num_levels", "k", "o-", "network")
        row[0].set(xscale="log", yscale="log", xlabel="$K$")
        label_log(row[0].xaxis)
        label_log(row[0].yaxis)
        _draw_ratio(row[1], parts["network_loss"], "level", "k", "o-")
        row[1].set_xlabel("level $k$")
        for band, line, color in (("live", "o-", "k"), ("dead", "s--", "0.5")):
            rows = parts["toy_langevin"].query("band == @band").sort_values("delta_ratio")
            row[2].plot(rows["delta_ratio"], rows["value"], line, color=color, ms=3.5, lw=1.2, label=f"{band} modes")
        row[2].axvline(np.sqrt(2), color="0.8", lw=1, zorder=0)
        row[2].set_xlabel(r"$\delta/\sigma$")
        _draw_network_power(row[3], parts["network_langevin"])
        for axes, heading in zip(row, TITLES, strict=True):
            axes.axhline(1, color="0.6", ls=":", lw=1, zorder=0)
            axes.set_title(heading, fontsize=SMALL + 1)
            axes.xaxis.label.set_size(SMALL)
            axes.tick_params(labelsize=SMALL)
        row[0].set_ylabel(f"{title(name)}\nratio to the limit", fontsize=SMALL)
        for axes in (row[0], row[2]):
            axes.legend(fontsize=SMALLEST, framealpha=0.85, edgecolor="none", handlelength=1.4)
        row[3].legend(fontsize=SMALLEST, frameon=False, handlelength=1.4, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _draw_ratio(axes: Axes, rows: pd.DataFrame, column: str, color: object, line: str, label: str = "") -> None:
    draw_estimates(axes, rows.sort_values(column), column, line, color=color, ms=3.5, lw=1.2, label=label or None)


def _draw_network_power(axes: Axes, table: pd.DataFrame) -> None:
    """Draw power against the band, a line for each level and δ/σ, solid for the largest δ/σ."""
    levels, ratios = sorted(table["level"].unique()), sorted(table["delta_ratio"].unique())
    table = table.assign(band=table["band"].astype(float))
    for level, color in zip(levels, palette("viridis", len(levels)), strict=True):
        for ratio in ratios:
            rows = table[(table["level"] == level) & (table["delta_ratio"] == ratio)]
            is_last = ratio == ratios[-1]
            _draw_ratio(axes, rows, "band", color, "o-" if is_last else "s:", f"$k={level:g}$" if is_last else "")
    dotted = ", ".join(f"{ratio:.3g}" for ratio in ratios[:-1])
    axes.set_xlabel(f"frequency band (δ/σ = {ratios[-1]:.3g};\ndotted: {dotted})")
