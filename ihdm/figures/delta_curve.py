"""Distance to real images and bound on the negative log-likelihood against δ/σ (paper, figure on δ).

Look at: The lowest point of each curve, and whether its green range leaves out δ = σ. If it is hatched, sweep further.
Table: [minimum](metrics.md#minimum).
"""

from pathlib import Path

import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.measures import measured
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import read_table

INPUTS = {
    "distance": Input("metrics/distance/{experiment}/delta{ratio}.csv"),
    "real": Input("metrics/distance/real/{dataset}.csv"),
    "likelihood": measured("likelihood"),
    "likelihood_curve": measured("minimum_likelihood", "curve"),
    "minimum": Input("metrics/minimum.csv", lambda run: run.variant.has_curve),
}

FRECHET = ("frechet_distance", "fid")
BITS_OF_A_VALUE = 8
"""What a pixel's value takes when it is stored as it is."""


def draw(inputs: Inputs) -> Figure:
    """Draw one column for each experiment: Fréchet distance above, bits per dimension below, with 95 % intervals.

    A shaded range of δ/σ is the 95 % interval of a curve's minimum, hatched where the minimum may lie beyond what was
    tried; a curve that is flat within its error has none. Panels of one data set share their axes.
    """
    from ihdm.figures.style import label_log, panels, share_limits, shared_legend

    names, bounds = list(inputs["distance"]), inputs.get("likelihood", {})
    num_rows = 1 + bool(bounds)
    figure, grid = panels(num_rows, len(names), 2.2 * num_rows, sharex="col")
    datasets = []
    for column, name in zip(grid.T, names, strict=True):
        tables = pd.concat([read_table(path) for path in inputs["distance"][name].values()])
        datasets.append(tables["dataset"].iloc[0])
        _draw_distance(column[0], tables, read_table(inputs["real"][name][""]))
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
    for row in grid:
        share_limits([axes for axes in row if axes.has_data()], [
            dataset for axes, dataset in zip(row, datasets, strict=True) if axes.has_data()
        ])  # fmt: skip
    for axes in grid[0]:
        label_log(axes.yaxis)
    grid[0, 0].set_ylabel("Fréchet distance")
    if bounds:
        grid[1, 0].set_ylabel("bound, bits/dim")
    shared_legend(figure, grid.flat)
    return figure


def _draw_distance(axes: Axes, table: pd.DataFrame, real: pd.DataFrame) -> None:
    from ihdm.figures.style import draw_estimates

    table = with_most_images(table[table["metric"].isin(FRECHET)])
    samples = table[table["set"] == "samples"].sort_values("delta_ratio")
    draw_estimates(axes, samples, "delta_ratio", "o-", ms=4, color="C0", label="samples")
    number = samples["n"].iloc[0]
    floors = real[real["metric"].isin(FRECHET) & (real["set"] == "train")].dropna(subset="value")
    if len(floors):
        # All training images but n are left to measure from: of many n there may be no floor, of fewer there is.
        floor = with_most_images(floors).iloc[0]
        axes.axhspan(max(floor["low"], 0), floor["high"], color="0.85", lw=0)
        label = "real images" if floor["n"] == number else f"real images, n = {floor['n']}"
        axes.axhline(floor["value"], color="0.4", lw=1, label=label)
    axes.set_yscale("log")
    axes.set_title(f"{samples['extractor'].iloc[0]}, n = {number}")


def _draw_bound(axes: Axes, bound: pd.DataFrame, curve: pd.DataFrame | None) -> None:
    """Draw the bound where there are samples as well, and between these the curve that costs nothing more."""
    axes.axhline(BITS_OF_A_VALUE, color="0.4", lw=1, ls=":", label=f"{BITS_OF_A_VALUE} bits, as stored")
    axes.errorbar(
        bound["delta_ratio"], bound["bits_per_dim"], 1.96 * bound["standard_error"], fmt="s", ms=4, capsize=2,
        color="C1", label="bound",
    )  # fmt: skip
    if curve is not None:
        axes.plot(curve["delta_ratio"], curve["value"], color="C1")


def _shade_minimum(axes: Axes, path: Path, experiment: str, metrics: tuple[str, ...]) -> None:
    table = read_table(path)
    rows = table[(table["experiment"] == experiment) & table["metric"].isin(metrics)]
    for row in rows.to_dict("records"):
        if row["verdict"] == "flat":
            axes.text(0.5, 0.9, "flat within error", transform=axes.transAxes, ha="center", fontsize="small")
        elif row["verdict"] == "edge":
            axes.axvspan(
                row["low"], row["high"], fc="none", ec="C2", alpha=0.4, hatch="////", lw=0, label="minimum, or beyond"
            )
        else:
            axes.axvspan(row["low"], row["high"], color="C2", alpha=0.2, lw=0, label="minimum")
