"""Order in which frequency bands appear during generation: coarse to fine, or the reverse.

Look at: A rising line means coarse to fine; the rank correlation measures how strictly. Table:
[generation](metrics.md#generation).
"""

import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import BASELINE, HEAT, SMALL, draw_estimates, evenly_spaced, panels, show_images, title
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
    """Draw per experiment the network's estimates at some levels, and when each frequency band appears."""
    files, heat = inputs["trajectories"], inputs.get("heat", {})
    tables = heat | inputs.get("baselines", {})
    figure, grid = panels(len(files), 2, 1.9 * len(files) + 0.2, width_ratios=(1.9, 1))
    for row, name in zip(grid, files, strict=True):
        stored = read_archive(files[name][""], ("levels", "estimates"))
        kept = evenly_spaced(len(stored["estimates"]), MAX_STAGES)
        levels = [f"$k={level}$" for level in stored["levels"][kept]]
        images = stored["estimates"][kept, :SHOWN].swapaxes(0, 1)
        show_images(row[0], images, column_labels=levels, heading=title(name))
        _draw_order(row[1], read_table(tables[name][""]), *((HEAT, "o-") if name in heat else (BASELINE, "s--")))
    grid[-1, 1].set_xlabel("frequency (radians per pixel)", fontsize=SMALL)
    return figure


def _draw_order(axes: Axes, table: pd.DataFrame, color: str, line: str) -> None:
    is_order = table["band"].astype(str) == "order"
    bands, order = table[~is_order].sort_values("frequency"), table[is_order].iloc[0]
    draw_estimates(axes, bands, "frequency", line, ms=3.5, lw=1.2, color=color)
    axes.set_ylim(0, 1)
    axes.set_ylabel("share done at half power", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    text = f"rank correlation {order['value']:+.2f} ({order['low']:+.2f} … {order['high']:+.2f})"
    axes.set_title(text, fontsize=SMALL)
