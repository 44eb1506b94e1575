"""Sample quality against training steps, by prediction and process.

Look at: The fewest steps after which a curve is below the dashed line, the quality of the fully trained network with
the paper's prediction. Table: [milestones](metrics.md#milestones).
"""

import pandas as pd

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.evaluations import MARKERS, PANELS, complete_panel
from ihdm.figures.style import draw_estimates, palette, panels, read_tables, shared_legend, title
from ihdm.storage.reading import read_table

INPUTS = {
    "milestones": Input("metrics/milestones/{experiment}.csv"),
    "final": Input(
        "metrics/distance/{experiment}/delta{default_ratio}.csv",
        exists=lambda run: run.variant.experiment.has_paper_bound,
    ),
    "real": Input("metrics/distance/real/{dataset}.csv"),
}


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set and a column per measure, with 95 % intervals and the value of real images.

    A band is the interval of the fully trained network with the paper's prediction, at the default δ.
    """
    tables, finals = read_tables(inputs["milestones"]), read_tables(inputs.get("final", {}))
    names: dict[str, list[str]] = {}
    for name, table in tables.items():
        names.setdefault(str(table["dataset"].iloc[0]), []).append(name)
    figure, grid = panels(len(names), len(PANELS), 2.1 * len(names) + 0.4)
    for row, (dataset, members) in zip(grid, names.items(), strict=True):
        labels = {name: title(name).removeprefix(f"{dataset}, ") for name in members}
        colors = palette("colorblind", len(members))
        real = read_table(inputs["real"][members[0]][""])
        for axes, (metrics, heading) in zip(row, PANELS.items(), strict=True):
            for number, (name, color) in enumerate(zip(members, colors, strict=True)):
                table = tables[name].sort_values("step")
                rows = table[table["metric"].isin(metrics)]
                draw_estimates(
                    axes, rows, "step", f"{MARKERS[number % len(MARKERS)]}-", ms=4, lw=1.1, color=color,
                    label=labels[name],
                )  # fmt: skip
                if name in finals:
                    for _, found in _final_rows(finals[name], table, metrics).iterrows():
                        axes.axhspan(found["low"], found["high"], color=color, alpha=0.2, lw=0)
                        axes.axhline(found["value"], color=color, lw=1, ls="--", label=f"{labels[name]}, fully trained")
            complete_panel(axes, real, metrics, f"{dataset}: {heading}")
            axes.set_xlim(left=0)
    for axes in grid[-1]:
        axes.set_xlabel("training steps")
    shared_legend(figure, grid.flat)
    return figure


def _final_rows(distances: pd.DataFrame, milestones: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    """Return the distances of as many samples of the fully trained network as of its snapshots."""
    is_compared = (distances["set"] == "samples") & (distances["n"] == milestones["n"].iloc[0])
    return distances[is_compared & distances["metric"].isin(metrics)]
