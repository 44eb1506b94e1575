"""Sample quality and memorization with small training sets, heat and diffusion (paper, on data efficiency).

Look at: Whether a process with a small distance at few images repeats training images (middle and right). Table:
[memorisation](metrics.md#memorisation).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ihdm.errors import UserError
from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import label_log, label_small, panels, process_colors, read_tables, shared_legend, title
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.memorization import NEAR
from ihdm.metrics.tables import swept_parameters

INPUTS = {"sweep": Input("metrics/sweep.csv")}

FRECHET = ("frechet_distance_held_out", "fid_held_out")
MARKERS = "osD^v"
Kinds = dict[tuple[bool, bool], dict[str, pd.DataFrame]]
"""Rows of experiments by name, by kind of process."""


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set: distance from held-out images, and the share near training images by two measures.

    Experiments with the same kind of process, such as those that differ in their seed, share a color.

    Raises:
        UserError: if the number of training images is not swept.
    """
    datasets: dict[str, Kinds] = {}
    for name, table in read_tables(inputs["sweep"]).items():
        rows = _family(table, name)
        # The table identifies a kind of process by its settings: only heat has σ, and only blurs have a largest blur.
        kind = bool(rows["sigma"].notna().any()), bool(rows["blur_sigma_max"].notna().any())
        datasets.setdefault(str(rows["dataset"].iloc[0]), {}).setdefault(kind, {})[name] = rows
    figure, grid = panels(len(datasets), 3, 2.1 * len(datasets) + 0.3)
    for row, (dataset, kinds) in zip(grid, datasets.items(), strict=True):
        _draw_dataset(row, dataset, kinds)
    shared_legend(figure, grid[:, 0])
    return figure


def _family(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of samples of an experiment and its variants in the number of training images, at one δ/σ."""
    rows = swept_parameters(table, name).get("num_train", table[table["experiment"] == name])
    rows = rows[rows["set"] == "samples"]
    # Memorization is measured at the default δ/σ only.
    ratio = rows.loc[rows["metric"] == "share_near", "delta_ratio"].iloc[0]
    return rows[np.isclose(rows["delta_ratio"], ratio)]


def _draw_dataset(row: Sequence[Axes], dataset: str, kinds: Kinds) -> None:
    from matplotlib.ticker import NullLocator

    families = [rows for found in kinds.values() for rows in found.values()]
    if all(rows["num_train"].nunique() < 2 for rows in families):
        raise UserError(
            f"figures.data_efficiency: no experiment on '{dataset}' sweeps the number of training images; add a list "
            "under sweeps.num_train, or remove the figure"
        )
    colors = process_colors([is_heat for is_heat, _ in kinds])
    for found, color, marker in zip(kinds.values(), colors, MARKERS, strict=False):
        for number, (name, rows) in enumerate(found.items()):
            near = rows[rows["metric"] == "share_near"]
            label = None if number else title(name)
            _draw_points(row[0], rows[rows["metric"].isin(FRECHET)], color, marker, label)
            _draw_points(row[1], near[near["extractor"] == "pixels"], color, marker, label)
            _draw_points(row[2], near[near["extractor"] != "pixels"], color, marker, label)
    row[0].set(yscale="log", ylabel="Fréchet distance to held-out images")
    label_log(row[0].yaxis)
    for axes in row[1:]:
        axes.axhline(NEAR, color="0.5", ls=":", lw=1)
        axes.set(ylim=(-0.03, max(axes.get_ylim()[1], 0.2)), ylabel="share near a training image")
    counts = sorted({int(count) for rows in families for count in rows["num_train"]})
    for axes, heading in zip(row, ("distance", "near, pixels", "near, features"), strict=True):
        axes.set(title=f"{dataset}: {heading}", xscale="log")
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.xaxis.set_minor_locator(NullLocator())
        label_small(axes, "number of training images")


def _draw_points(axes: Axes, rows: pd.DataFrame, color: str, marker: str, label: str | None) -> None:
    """Draw values with 95 % intervals, cut at 0 and, for shares, at 1."""
    rows = rows.sort_values("num_train")
    half = half_widths(rows)
    highest = 1 - rows["value"] if (rows["metric"] == "share_near").all() else np.inf
    errors = np.stack([np.minimum(half, rows["value"]), np.minimum(half, highest)])
    axes.errorbar(
        rows["num_train"], rows["value"], errors, fmt=f"{marker}-", ms=4, lw=1.1, capsize=2, color=color, label=label
    )
