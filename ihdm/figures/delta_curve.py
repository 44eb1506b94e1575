"""Quality and likelihood against sampling noise (paper, figure on δ)."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ihdm.figures import Inputs
from ihdm.figures.style import WIDTH


def draw(inputs: Inputs) -> Figure:
    """Draw one column for each experiment: Fréchet distance above, bits per dimension below, with 95 % intervals."""
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
        table = pd.concat([pd.read_csv(path) for path in inputs["distance"][name].values()])
        table = table[table["metric"] == "frechet_distance"]
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
        real = pd.read_csv(inputs["real"][name][""])
        floor = real[(real["metric"] == "frechet_distance") & (real["set"] == "train")].iloc[0]
        axes.axhspan(max(floor["low"], 0), floor["high"], color="0.85", lw=0)
        axes.axhline(floor["value"], color="0.4", lw=1, label="real images")
        axes.set_yscale("log")
        axes.set_title(f"{name}\n{samples['feature_space'].iloc[0]}, n = {samples['n'].iloc[0]}")
        if has_likelihood:
            bound = pd.read_csv(inputs["likelihood"][name][""])
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
