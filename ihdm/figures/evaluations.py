"""Sample quality against the number of function evaluations (NFE) for every sampler, with diffusion as the baseline.

Look at: The fewest evaluations at which a sampler is in the gray band and has relative power one. Table:
[evaluations](metrics.md#evaluations).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import draw_estimates, draw_floor, label_log, palette, panels, read_tables, shared_legend, title

INPUTS = {
    "evaluations": Input("metrics/evaluations/{experiment}.csv"),
    "real": Input("metrics/distance/real/{dataset}.csv"),
}
PANELS = {
    ("frechet_distance", "fid"): "Fréchet distance",
    ("kernel_distance", "kid"): "kernel distance",
    ("relative_power_highest",): "power, finest band",
}
SAMPLERS = {
    "paper": "paper, default δ",
    "paper_best": "paper, best δ",
    "ancestral": "DDPM",
    "ddim": "DDIM",
    "markov": "Markov",
    "second": "second order",
}
MARKERS = "osD^vP*X"
LINES = ("-", "--", ":", "-.")


class Curve(NamedTuple):
    """Rows of one curve, sorted by x, of a process and sampler, which is empty where processes have one each.

    ``final``: rows of the fully trained network, or None.
    """

    process: str
    sampler: str
    table: pd.DataFrame
    final: pd.DataFrame | None = None

    @property
    def label(self) -> str:
        """What the legend says."""
        return f"{self.process}: {self.sampler}" if self.sampler else self.process


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set and a column per measure, with 95 % intervals and the value of real images."""
    curves: dict[str, list[Curve]] = {}
    real, floors = read_tables(inputs["real"]), {}
    for name, table in read_tables(inputs["evaluations"]).items():
        dataset = str(table["dataset"].iloc[0])
        floors[dataset] = real[name]
        found = curves.setdefault(dataset, [])
        process, _, details = title(name).removeprefix(f"{dataset}, ").partition(" (")
        if details.startswith("whitened"):
            process = f"{process}, whitened"
        if any(curve.process == process for curve in found):
            process = title(name)
        for sampler, rows in table.groupby("sampler", sort=False):
            found.append(Curve(process, SAMPLERS.get(str(sampler), str(sampler)), rows.sort_values("evaluations")))
    figure, grid = draw_measures(curves, floors, "evaluations")
    for row, found in zip(grid, curves.values(), strict=True):
        counts = sorted({int(count) for curve in found for count in curve.table["evaluations"]})
        for axes in row:
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [str(count) for count in counts])
            axes.minorticks_off()
    for axes in grid[-1]:
        axes.set_xlabel("function evaluations (NFE)")
    return figure


def draw_measures(
    curves: Mapping[str, list[Curve]], real: Mapping[str, pd.DataFrame], column: str
) -> tuple[Figure, np.ndarray]:
    """Draw a row per data set and a column per measure, with the value of real images; for the power a line at one.

    A sampler has one color, a process one marker and line; without samplers, a process has one color and marker.

    Args:
        curves: curves by data set.
        real: distances of real images by data set, whose 95 % interval is a gray band.
        column: column of the x axis.

    Returns:
        The figure and its panels.
    """
    drawn = [curve for found in curves.values() for curve in found]
    colored = list(dict.fromkeys(curve.sampler or curve.process for curve in drawn))
    processes = list(dict.fromkeys(curve.process for curve in drawn))
    colors = dict(zip(colored, palette("colorblind", len(colored)), strict=True))
    figure, grid = panels(len(curves), len(PANELS), 2.1 * len(curves) + 0.4)
    for line, (dataset, found) in zip(grid, curves.items(), strict=True):
        for axes, (metrics, heading) in zip(line, PANELS.items(), strict=True):
            for curve in found:
                number, color = processes.index(curve.process), colors[curve.sampler or curve.process]
                style = MARKERS[number % len(MARKERS)] + (LINES[number % len(LINES)] if curve.sampler else "-")
                rows = curve.table[curve.table["metric"].isin(metrics)]
                draw_estimates(axes, rows, column, style, ms=4, lw=1.1, color=color, label=curve.label)
                final = curve.final
                for _, row in [] if final is None else final[final["metric"].isin(metrics)].iterrows():
                    axes.axhspan(row["low"], row["high"], color=color, alpha=0.2, lw=0)
                    axes.axhline(row["value"], color=color, lw=1, ls="--", label=f"{curve.label}, fully trained")
            axes.set_title(f"{dataset}: {heading}")
            if metrics != ("kernel_distance", "kid"):  # without bias, and so sometimes below zero
                axes.set_yscale("log")
                label_log(axes.yaxis)
            if metrics == ("relative_power_highest",):
                axes.axhline(1, color="0.4", lw=1)
            else:
                draw_floor(axes, real[dataset], metrics)
    shared_legend(figure, grid.flat)
    return figure, grid
