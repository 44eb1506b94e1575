"""Quality and likelihood against sampling noise (paper, figure on δ)."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from ihdm.figures import Input, Inputs
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import read_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INPUTS = {
    "distance": Input("metrics/distance/{experiment}/delta{ratio}.csv"),
    "real": Input("metrics/distance/real/{dataset}.csv"),
    "likelihood": Input("metrics/likelihood/{experiment}.csv", lambda variant: variant.has_likelihood),
    "likelihood_curve": Input(
        "metrics/minimum/{experiment}/likelihood_curve.csv", lambda variant: variant.has_likelihood_curve
    ),
    "minimum": Input("metrics/minimum.csv", lambda variant: variant.has_curve),
}

FRECHET = ("frechet_distance", "fid")


def draw(inputs: Inputs) -> "Figure":
    """Draw one column for each experiment: Fréchet distance above, bits per dimension below, with 95 % intervals.

    A shaded range of δ/σ is the 95 % interval of a curve's minimum; a curve that is flat within its error has none.
    """
    import matplotlib.pyplot as plt

    from ihdm.figures.style import WIDTH

    names, bounds = list(inputs["distance"]), inputs.get("likelihood", {})
    num_rows = 1 + bool(bounds)
    figure, grid = plt.subplots(
        num_rows, len(names), figsize=(WIDTH, 2.2 * num_rows), sharex="col", squeeze=False, layout="constrained"
    )
    for column, name in zip(grid.T, names, strict=True):
        tables = [read_table(path) for path in inputs["distance"][name].values()]
        _draw_distance(column[0], pd.concat(tables), read_table(inputs["real"][name][""]))
        column[0].set_title(f"{name}\n{column[0].get_title()}")
        if name in bounds:
            curve = inputs.get("likelihood_curve", {}).get(name, {}).get("")
            _draw_bound(column[1], read_table(bounds[name][""]), read_table(curve) if curve else None)
        elif bounds:
            column[1].text(0.5, 0.5, "no likelihood", transform=column[1].transAxes, ha="center")
            column[1].set_yticks([])
        if minimum := inputs.get("minimum", {}).get(name, {}).get(""):
            _shade_minimum(column[0], minimum, name, FRECHET)
            _shade_minimum(column[-1], minimum, name, ("bits_per_dim",))
        column[-1].set_xlabel(r"$\delta/\sigma$")
    grid[0, 0].set_ylabel("Fréchet distance")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False, fontsize="small")
    if bounds:
        grid[1, 0].set_ylabel("bound, bits/dim")
    return figure


def _draw_distance(axes: "Axes", table: pd.DataFrame, real: pd.DataFrame) -> None:
    table = with_most_images(table[table["metric"].isin(FRECHET)])
    samples = table[table["set"] == "samples"].sort_values("delta_ratio")
    axes.errorbar(
        samples["delta_ratio"], samples["value"], samples["high"] - samples["value"], fmt="o-", ms=4, capsize=2,
        label="samples",
    )  # fmt: skip
    real = with_most_images(real[real["metric"].isin(FRECHET)])
    floor = real[real["set"] == "train"].iloc[0]
    if not math.isnan(floor["value"]):
        axes.axhspan(max(floor["low"], 0), floor["high"], color="0.85", lw=0)
        axes.axhline(floor["value"], color="0.4", lw=1, label="real images")
    axes.set_yscale("log")
    axes.set_title(f"{samples['extractor'].iloc[0]}, n = {samples['n'].iloc[0]}")


def _draw_bound(axes: "Axes", bound: pd.DataFrame, curve: pd.DataFrame | None) -> None:
    """Draw the bound where there are samples as well, and between these the curve that costs nothing more."""
    axes.errorbar(
        bound["delta_ratio"], bound["bits_per_dim"], 1.96 * bound["standard_error"], fmt="s", ms=4, capsize=2,
        color="C1",
    )  # fmt: skip
    if curve is not None:
        axes.plot(curve["delta_ratio"], curve["value"], color="C1")


def _shade_minimum(axes: "Axes", path: Path, experiment: str, metrics: tuple[str, ...]) -> None:
    table = read_table(path)
    rows = table[(table["experiment"] == experiment) & table["metric"].isin(metrics)]
    for row in rows.to_dict("records"):
        if row["verdict"] == "flat":
            axes.text(0.5, 0.9, "flat within error", transform=axes.transAxes, ha="center", fontsize="small")
        else:
            axes.axvspan(row["low"], row["high"], color="C2", alpha=0.2, lw=0)
