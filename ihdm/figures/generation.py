"""When each frequency band appears while a sample is generated: coarse before fine, or otherwise.

Look at: A line that rises is coarse to fine. Spearman's number says how strictly. Table:
[generation](metrics.md#generation).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "trajectories": Input("samples/{experiment}/probes/trajectories.npz"),
    "heat": Input("metrics/generation/{experiment}.csv", lambda run: run.variant.experiment.process.starts_from_images),
    "baselines": Input(
        "metrics/generation/{experiment}.csv", lambda run: not run.variant.experiment.process.starts_from_images
    ),
}

MAX_STAGES = 8
SHOWN = 3


def draw(inputs: Inputs) -> Figure:
    """Draw for each experiment what the network takes images to be at some levels, and when each frequency is there."""
    from ihdm.figures.style import HEAT, RIVAL, SMALL, label_columns, panels, show_images, to_stored

    names = list(inputs["trajectories"])
    tables = {**inputs.get("heat", {}), **inputs.get("baselines", {})}
    figure, grid = panels(len(names), 2, 1.9 * len(names) + 0.2, width_ratios=(1.9, 1))
    for row, name in zip(grid, names, strict=True):
        stored = read_archive(inputs["trajectories"][name][""], ("levels", "estimates"))
        estimates = stored["estimates"]
        kept = np.linspace(0, len(estimates) - 1, min(MAX_STAGES, len(estimates))).round().astype(int)
        shown = estimates[kept, :SHOWN].swapaxes(0, 1)
        show_images(row[0], to_stored(shown.reshape(-1, *shown.shape[2:])), len(kept))
        label_columns(row[0], [f"$k={level}$" for level in stored["levels"][kept]], shown.shape[3])
        row[0].tick_params(labelsize=SMALL)
        row[0].set_title(name)
        is_heat = name in inputs.get("heat", {})
        _draw_order(row[1], read_table(tables[name][""]), HEAT if is_heat else RIVAL, "o-" if is_heat else "s--")
    grid[-1, 1].set_xlabel("frequency (radians per pixel)", fontsize=SMALL)
    return figure


def _draw_order(axes: Axes, table: pd.DataFrame, color: str, line: str) -> None:
    from ihdm.figures.style import SMALL, draw_estimates

    is_order = table["band"].astype(str) == "order"
    bands, order = table[~is_order].sort_values("frequency"), table[is_order].iloc[0]
    draw_estimates(axes, bands, "frequency", line, ms=3.5, lw=1.2, color=color)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share done at half power", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.set_title(f"order {order['value']:+.2f} ({order['low']:+.2f} … {order['high']:+.2f})", fontsize=SMALL)
