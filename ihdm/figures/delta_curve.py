"""Distance to real images and bound on the negative log-likelihood against δ/σ (paper, figure on δ).

Look at: Whether the green range around each minimum excludes δ = σ. If it is hatched, sweep further. Table:
[minimum](metrics.md#minimum).
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import DISTANCES, draw_estimates, draw_floor, label_log, panels, shared_legend, title
from ihdm.measures import measured
from ihdm.metrics.quality import NAMES, ranking_distance
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import read_table

INPUTS = {
    "distance": Input("metrics/distance/{experiment}/delta{ratio}.csv"),
    "real": Input("metrics/distance/real/{dataset}.csv"),
    "likelihood": measured("likelihood"),
    "likelihood_curve": measured("minimum_likelihood", "curve"),
    "minimum": Input("metrics/minimum.csv", lambda run: run.variant.has_curve),
}

STORED_BITS = 8
"""Bits of a stored pixel value."""


def draw(inputs: Inputs) -> Figure:
    """Draw a column per experiment: distance above, bits per dimension below, with 95 % intervals.

    The distance is the one that claims use: the kernel distance where there are fewer than 20 images per feature. A
    shaded range of δ/σ is the 95 % interval of a curve's minimum, hatched where the minimum may be outside the swept
    range; a curve that is flat within its error has none. Panels of one data set share their axes.
    """
    names, bounds = list(inputs["distance"]), inputs.get("likelihood", {})
    num_rows = 1 + bool(bounds)
    figure, grid = panels(num_rows, len(names), 2.2 * num_rows, sharex="col")
    datasets = []
    for column, name in zip(grid.T, names, strict=True):
        table = pd.concat([read_table(path) for path in inputs["distance"][name].values()])
        datasets.append(str(table["dataset"].iloc[0]))
        metric = _draw_distance(column[0], name, table, read_table(inputs["real"][name][""]))
        if name in bounds:
            curve = inputs.get("likelihood_curve", {}).get(name, {}).get("")
            _draw_bound(column[1], read_table(bounds[name][""]), read_table(curve) if curve else None)
        elif bounds:
            column[1].text(0.5, 0.5, "no likelihood", transform=column[1].transAxes, ha="center")
            column[1].set_yticks([])
        if minimum := inputs.get("minimum", {}).get(name, {}).get(""):
            _shade_minimum(column[0], minimum, name, metric)
            _shade_minimum(column[-1], minimum, name, "bits_per_dim")
        column[-1].set_xlabel(r"$\delta/\sigma$")
    for row in grid:
        drawn = [place for place, axes in enumerate(row) if axes.has_data()]
        _share_limits([row[place] for place in drawn], [datasets[place] for place in drawn])
    for axes in grid[0]:
        if axes.get_yscale() == "log":
            label_log(axes.yaxis)
    if bounds:
        grid[1, 0].set_ylabel("bound (bits/dim)")
    shared_legend(figure, grid.flat)
    return figure


def _draw_distance(axes: Axes, name: str, table: pd.DataFrame, real: pd.DataFrame) -> str:
    """Draw the distance that may rank samples, and return its name in tables."""
    table = with_most_images(table[(table["set"] == "samples") & table["metric"].isin(DISTANCES)])
    number, extractor = int(table["n"].iloc[0]), str(table["extractor"].iloc[0])
    metric = ranking_distance(extractor, number)
    samples = table[table["metric"] == metric].sort_values("delta_ratio")
    draw_estimates(axes, samples, "delta_ratio", "o-", ms=4, color="C0", label="samples")
    draw_floor(axes, real.assign(low=real["low"].clip(lower=0)), (metric,), number)
    if metric in NAMES["frechet_distance"]:
        axes.set_yscale("log")  # kernel distances may be zero or negative
    axes.set_ylabel(DISTANCES[metric])
    axes.set_title(f"{title(name, 44)}\n{extractor}, n = {number}")
    return metric


def _draw_bound(axes: Axes, bound: pd.DataFrame, curve: pd.DataFrame | None) -> None:
    """Draw the bound at the sampled δ/σ, and its curve between them."""
    axes.axhline(STORED_BITS, color="0.4", lw=1, ls=":", label=f"{STORED_BITS} bits, as stored")
    bound = bound.rename(columns={"bits_per_dim": "value"})
    draw_estimates(axes, bound, "delta_ratio", "s", ms=4, color="C1", label="bound")
    if curve is not None:
        axes.plot(curve["delta_ratio"], curve["value"], color="C1")


def _shade_minimum(axes: Axes, path: Path, experiment: str, metric: str) -> None:
    table = read_table(path)
    for row in table[(table["experiment"] == experiment) & (table["metric"] == metric)].to_dict("records"):
        if row["verdict"] == "flat":
            axes.text(0.5, 0.9, "flat within error", transform=axes.transAxes, ha="center", fontsize="small")
        elif row["verdict"] == "edge":
            axes.axvspan(
                row["low"], row["high"], fc="none", ec="C2", alpha=0.4, hatch="////", lw=0, label="minimum, or beyond"
            )
        else:
            axes.axvspan(row["low"], row["high"], color="C2", alpha=0.2, lw=0, label="minimum")


def _share_limits(axes: Sequence[Axes], groups: Sequence[str]) -> None:
    """Give the panels of each group the same range of y."""
    for group in set(groups):
        members = [panel for panel, own in zip(axes, groups, strict=True) if own == group]
        low, high = zip(*(panel.get_ylim() for panel in members), strict=True)
        for panel in members:
            panel.set_ylim(min(low), max(high))
