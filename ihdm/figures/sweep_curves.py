"""Distance and bound against settings that need a new training: σ, K, the largest blur, number of images.

Look at: Differences that exceed the error bars, which do not include the variance between trainings. Table:
[sweep](metrics.md#sweep).
"""

from collections.abc import Mapping

import pandas as pd

from ihdm.errors import UserError
from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import WIDTH, draw_estimates, label_log, palette, panels, read_tables, shared_legend, title
from ihdm.metrics.tables import swept_parameters, with_most_images

INPUTS = {"sweep": Input("metrics/sweep.csv")}

LABELS = {
    "sigma": r"$\sigma$",
    "num_levels": "$K$",
    "blur_sigma_max": r"$\sigma_{B,\max}$ (pixels)",
    "num_train": "training images",
    "seed": "seed",
}
Color = tuple[float, float, float]
LOG_RATIO = 5
"""The x axis is logarithmic if the largest value exceeds the smallest by more than this factor."""
MAX_COLUMNS = 3
"""Columns per width of a page; a figure with more is wider."""


def draw(inputs: Inputs) -> Figure:
    """Draw a column per experiment and swept parameter: distance above, bound below, a line for each δ/σ.

    Raises:
        UserError: if an experiment has no swept parameter.
    """
    columns: list[tuple[str, str, pd.DataFrame]] = []
    for name, table in read_tables(inputs["sweep"]).items():
        found = swept_parameters(table, name)
        if not found:
            raise UserError(
                f"figures.sweep_curves: no parameter of '{name}' is swept; add a list under sweeps, or remove it from "
                "the figure"
            )
        columns += [(name, parameter, rows) for parameter, rows in found.items()]
    width = WIDTH * max(2, len(columns)) / MAX_COLUMNS
    bounded = any((rows["metric"] == "bits_per_dim").any() for _, _, rows in columns)
    figure, grid = panels(1 + bounded, len(columns), 2.2 * (1 + bounded), width=width, sharex="col")
    ratios = sorted({float(ratio) for _, _, rows in columns for ratio in rows["delta_ratio"].dropna().unique()})
    colors = dict(zip(ratios, palette("viridis", len(ratios)), strict=True))
    for axes, (name, parameter, rows) in zip(grid.T, columns, strict=True):
        samples = with_most_images(rows[(rows["set"] == "samples") & rows["metric"].isin(("frechet_distance", "fid"))])
        _draw_lines(axes[0], samples, parameter, colors)
        if bounded:
            _draw_lines(axes[1], rows[rows["metric"] == "bits_per_dim"], parameter, colors)
        heading = f"{title(name, 26)}\n{samples['extractor'].iloc[0]}, n = {samples['n'].iloc[0]}"
        axes[0].set(title=heading, yscale="log")
        label_log(axes[0].yaxis)
        values = sorted(samples[parameter].unique())
        axes[-1].set_xlabel(LABELS[parameter])
        if values[0] > 0 and values[-1] > LOG_RATIO * values[0]:
            axes[-1].set_xscale("log")
        axes[-1].set_xticks(values, [f"{value:g}" for value in values])
        axes[-1].set_xticks([], minor=True)
    grid[0, 0].set_ylabel("Fréchet distance")
    if bounded:
        grid[1, 0].set_ylabel("bound (bits/dim)")
    shared_legend(figure, grid.flat)
    return figure


def _draw_lines(axes: Axes, rows: pd.DataFrame, parameter: str, colors: Mapping[float, Color]) -> None:
    """Draw a line for each δ/σ, in the same color in all panels; there is no bound at δ = 0."""
    for ratio in rows["delta_ratio"].sort_values().unique():
        line = rows[rows["delta_ratio"] == ratio].sort_values(parameter)
        draw_estimates(axes, line, parameter, "o-", ms=4, color=colors[ratio], label=rf"$\delta/\sigma={ratio:g}$")
