"""Sample quality against the number of function evaluations (NFE) for every sampler, with diffusion as the baseline.

Look at: The fewest evaluations at which a sampler is in the gray band and has relative power one. Table:
[evaluations](metrics.md#evaluations).
"""

import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import draw_estimates, draw_floor, label_log, palette, panels, read_tables, shared_legend, title
from ihdm.storage.reading import read_table

INPUTS = {
    "evaluations": Input("metrics/evaluations/{experiment}.csv"),
    "real": Input("metrics/distance/real/{dataset}.csv"),
}
PANELS = {
    ("frechet_distance", "fid"): "Fréchet distance",
    ("kernel_distance", "kid"): "kernel distance",
    ("relative_power_highest",): "power, finest band",
}
SAMPLERS = {
    "paper": "paper, default δ",
    "paper_best": "paper, best δ",
    "ancestral": "DDPM",
    "ddim": "DDIM",
    "markov": "Markov",
    "second": "second order",
}
MARKERS = "osD^vP*X"


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set and a column per measure, with 95 % intervals and the value of real images."""
    curves: dict[str, dict[str, pd.DataFrame]] = {}
    floors = {}
    for name, table in read_tables(inputs["evaluations"]).items():
        dataset = str(table["dataset"].iloc[0])
        floors[dataset] = read_table(inputs["real"][name][""])
        found = curves.setdefault(dataset, {})
        process, _, details = title(name).removeprefix(f"{dataset}, ").partition(" (")
        if details.startswith("whitened"):
            process = f"{process}, whitened"
        if any(label.startswith(f"{process}: ") for label in found):
            process = title(name)
        for sampler, rows in table.groupby("sampler", sort=False):
            found[f"{process}: {SAMPLERS.get(str(sampler), str(sampler))}"] = rows.sort_values("evaluations")
    labels = list(dict.fromkeys(label for found in curves.values() for label in found))
    colors = dict(zip(labels, palette("colorblind", len(labels)), strict=True))
    markers = {label: MARKERS[place % len(MARKERS)] for place, label in enumerate(labels)}
    figure, grid = panels(len(curves), len(PANELS), 2.1 * len(curves) + 0.4)
    for row, (dataset, found) in zip(grid, curves.items(), strict=True):
        counts = sorted({int(count) for table in found.values() for count in table["evaluations"]})
        for axes, (metrics, heading) in zip(row, PANELS.items(), strict=True):
            for label, table in found.items():
                rows, look = table[table["metric"].isin(metrics)], {"color": colors[label], "label": label}
                draw_estimates(axes, rows, "evaluations", f"{markers[label]}-", ms=4, lw=1.1, **look)
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [str(count) for count in counts])
            axes.minorticks_off()
            complete_panel(axes, floors[dataset], metrics, f"{dataset}: {heading}")
    for axes in grid[-1]:
        axes.set_xlabel("function evaluations (NFE)")
    shared_legend(figure, grid.flat)
    return figure


def complete_panel(axes: Axes, real: pd.DataFrame, metrics: tuple[str, ...], heading: str) -> None:
    """Set the title and the scale of a panel, and draw the value of real images; for the power a line at one.

    Args:
        axes: the panel.
        real: distances of real images, whose 95 % interval is a gray band.
        metrics: names of the measure of the panel.
        heading: its title.
    """
    axes.set_title(heading)
    if metrics != ("kernel_distance", "kid"):  # without bias, and so sometimes below zero
        axes.set_yscale("log")
        label_log(axes.yaxis)
    if metrics == ("relative_power_highest",):
        axes.axhline(1, color="0.4", lw=1)
    else:
        draw_floor(axes, real, metrics)
