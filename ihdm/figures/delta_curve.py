"""Quality and likelihood against sampling noise (paper, figure on δ)."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ihdm.figures import Inputs
from ihdm.figures.style import WIDTH
from ihdm.metrics.tables import with_most_images
from ihdm.stored import read_table


def draw(inputs: Inputs) -> Figure:
    """Draw one column for each experiment: Fréchet distance above, bits per dimension below, with 95 % intervals.

    A shaded range of δ/σ is the 95 % interval of a curve's minimum; a curve that is flat within its error has none.
    """
    has_likelihood = "likelihood" in inputs
    names = list(inputs["distance"])
    figure, grid = plt.subplots(
        1 + has_likelihood,
        len(names),
        figsize=(WIDTH, 2.2 * (1 + has_likelihood)),
        sharex="col",
        squeeze=False,
    )
    for column, name in enumerate(names):
        table = pd.concat([read_table(path) for path in inputs["distance"][name].values()])
        table = with_most_images(table[table["metric"].isin(("frechet_distance", "fid"))])
        samples = table[table["set"] == "samples"].sort_values("delta_ratio")
        axes = grid[0, column]
        axes.errorbar(
            samples["delta_ratio"],
            samples["value"],
            samples["high"] - samples["value"],
            fmt="o-",
            ms=4,
            capsize=2,
            label="samples",
        )
        real = with_most_images(read_table(inputs["real"][name][""]))
        floor = real[real["metric"].isin(("frechet_distance", "fid")) & (real["set"] == "train")].iloc[0]
        if not math.isnan(floor["value"]):
            axes.axhspan(max(floor["low"], 0), floor["high"], color="0.85", lw=0)
            axes.axhline(floor["value"], color="0.4", lw=1, label="real images")
        axes.set_yscale("log")
        axes.set_title(f"{name}\n{samples['extractor'].iloc[0]}, n = {samples['n'].iloc[0]}")
        minimum = inputs.get("minimum", {}).get(name, {}).get("")
        _shade_minimum(axes, minimum, name, ("frechet_distance", "fid"))
        if has_likelihood:
            _shade_minimum(grid[1, column], minimum, name, ("bits_per_dim",))
            bound = read_table(inputs["likelihood"][name][""])
            grid[1, column].errorbar(
                bound["delta_ratio"],
                bound["bits_per_dim"],
                1.96 * bound["standard_error"],
                fmt="s-",
                ms=4,
                capsize=2,
                color="C1",
            )
        grid[-1, column].set_xlabel(r"$\delta/\sigma$")
    grid[0, 0].set_ylabel("Fréchet distance")
    grid[0, 0].legend(frameon=False, loc="upper right")
    if has_likelihood:
        grid[1, 0].set_ylabel("bound, bits/dim")
    figure.tight_layout()
    return figure


def _shade_minimum(axes: Axes, path: Path | None, experiment: str, metrics: tuple[str, ...]) -> None:
    if path is None:
        return
    table = read_table(path)
    row = table[(table["experiment"] == experiment) & table["metric"].isin(metrics)].iloc[0]
    if row["verdict"] == "flat":
        axes.text(0.5, 0.9, "flat within error", transform=axes.transAxes, ha="center", fontsize="small")
    else:
        # Where all curves agree the interval is one value, which must still be seen.
        axes.axvspan(row["low"], row["high"], color="C2", alpha=0.25, lw=2)
