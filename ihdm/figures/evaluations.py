"""Sample quality against the number of function evaluations, for every sampler, beside diffusion.

Look at: How far to the left a sampler stays at the gray band. Its power should be one at the same time. Table:
[evaluations](metrics.md#evaluations).
"""

import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.metrics.tables import with_most_images
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
NAMES = {"paper": "paper, default δ", "paper_best": "paper, best δ"}
MARKERS = "osD^vP*X"


def draw(inputs: Inputs) -> Figure:
    """Draw one row for each data set and one column for each measure, with 95 % intervals and the floor."""
    import seaborn as sns

    from ihdm.figures.style import draw_estimates, label_log, panels, shared_legend

    tables: dict[str, list[pd.DataFrame]] = {}
    floors = {}
    for name, files in inputs["evaluations"].items():
        table = read_table(files[""])
        dataset = str(table["dataset"].iloc[0])
        tables.setdefault(dataset, []).append(table)
        floors[dataset] = read_table(inputs["real"][name][""])
    curves = {dataset: _curves(pd.concat(parts)) for dataset, parts in tables.items()}
    names = list(dict.fromkeys(name for found in curves.values() for name in found))
    colors = dict(zip(names, sns.color_palette("colorblind", len(names)), strict=True))
    markers = {name: MARKERS[place % len(MARKERS)] for place, name in enumerate(names)}
    figure, grid = panels(len(curves), len(PANELS), 2.1 * len(curves) + 0.4)
    for row, (dataset, found) in zip(grid, curves.items(), strict=True):
        for axes, (metrics, title) in zip(row, PANELS.items(), strict=True):
            for name, table in found.items():
                rows, look = table[table["metric"].isin(metrics)], {"color": colors[name], "label": name}
                draw_estimates(axes, rows, "evaluations", f"{markers[name]}-", ms=4, lw=1.1, **look)
            _draw_floor(axes, floors[dataset], metrics)
            counts = sorted({int(count) for table in found.values() for count in table["evaluations"]})
            axes.set_xscale("log", base=2)
            axes.set_xticks(counts, [str(count) for count in counts])
            axes.minorticks_off()
            axes.set_title(f"{dataset}: {title}")
            if metrics != ("kernel_distance", "kid"):
                axes.set_yscale("log")
                label_log(axes.yaxis)
    for axes in grid[-1]:
        axes.set_xlabel("network evaluations")
    shared_legend(figure, grid.flat)
    return figure


def _curves(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of each sampler; one of another process than the paper's is named with it."""
    found = {}
    for (experiment, sampler), rows in table.groupby(["experiment", "sampler"], sort=False):
        process = str(experiment).rpartition("_")[2] if "_" in str(experiment) else ""
        name = NAMES.get(str(sampler), str(sampler))
        found[f"{name} ({process})" if process else name] = rows.sort_values("evaluations")
    return found


def _draw_floor(axes: Axes, real: pd.DataFrame, metrics: tuple[str, ...]) -> None:
    if metrics == ("relative_power_highest",):
        axes.axhline(1, color="0.4", lw=1)
        return
    rows = real[real["metric"].isin(metrics) & (real["set"] == "train")].dropna(subset="value")
    if len(rows):
        floor = with_most_images(rows).iloc[0]
        axes.axhspan(floor["low"], floor["high"], color="0.85", lw=0)
        axes.axhline(floor["value"], color="0.4", lw=1, label="real images")
