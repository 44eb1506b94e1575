"""Images restored from blurred, small, hidden or noisy ones, beside methods without a network.

Look at: Pictures from left to right; then whether blue points lie right of gray ones by more than their bars. A hollow
point left of a full one is no fault. Table: [restoration](metrics.md#restoration).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs, SubFigure
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "table": Input("metrics/restoration/{experiment}.csv"),
    "pictures": Input("metrics/restoration/{experiment}.npz"),
}
BASELINES = {
    "richardson_lucy": "Richardson–Lucy",
    "total_variation": "total variation",
    "bicubic": "bicubic",
    "biharmonic": "biharmonic",
    "wiener": "Wiener",
}
NETWORKS = {"one_shot": "one shot", "map": "mode", "start": "from its start", "posterior": "posterior"}
MOST_DEVIATION = 0.25
"""Standard deviation that is shown white."""


def draw(inputs: Inputs) -> Figure:
    """Draw pictures of each measurement on the left, and the PSNR of each method on the right, for each experiment."""
    import matplotlib.pyplot as plt

    from ihdm.figures.style import WIDTH, shared_legend

    experiments = list(inputs["table"])
    tables = {name: read_table(inputs["table"][name][""]) for name in experiments}
    problems = {name: list(dict.fromkeys(table["problem"])) for name, table in tables.items()}
    rows = [len(problems[name]) for name in experiments]
    figure = plt.figure(figsize=(WIDTH, 0.7 * sum(rows) + 0.4 * len(rows) + 0.3), layout="constrained")
    parts = figure.subfigures(len(experiments), 1, height_ratios=rows, squeeze=False).flat
    panels: list[Axes] = []
    for part, name in zip(parts, experiments, strict=True):
        part.suptitle(name, x=0.01, ha="left", fontsize="medium")
        left, right = part.subfigures(1, 2, width_ratios=(1.55, 1))
        _draw_pictures(left.subplots(), inputs, name, tables[name], problems[name])
        panels += _draw_scores(right, tables[name])
    shared_legend(figure, panels, "outside lower center")
    return figure


def best_baseline(table: pd.DataFrame) -> str:
    """Return the method without a network that has the highest PSNR."""
    rows = table[(table["metric"] == "psnr") & table["method"].isin(BASELINES)]
    return str(rows.sort_values("value")["method"].iloc[-1])


def _draw_pictures(axes: Axes, inputs: Inputs, name: str, table: pd.DataFrame, problems: list[str]) -> None:
    """Draw a row for each measurement: truth, measurement, the best without a network, a sample, mean and spread."""
    from ihdm.figures.style import SMALLEST, label_columns, label_rows, show_images, to_stored

    images, labels = [], []
    for problem in problems:
        baseline = best_baseline(table[table["problem"] == problem])
        wanted = [("truth", "truth"), ("truth", "measurement"), (baseline, "sample")]
        wanted += [("posterior", kind) for kind in ("sample", "mean", "deviation")]
        keys = [f"{problem}/{method}/{kind}" for method, kind in wanted]
        found = read_archive(inputs["pictures"][name][""], keys)
        row = [found[key][0] for key in keys]
        row[-1] = row[-1] / MOST_DEVIATION
        images += [_as_large(picture, row[0].shape) for picture in row]
        labels.append(f"{problem.replace('_', chr(10))}\n({BASELINES[baseline]})")
    columns = ["truth", "measured", "best without", "a sample", "mean", "deviation"]
    show_images(axes, to_stored(np.stack(images)), len(columns))
    label_columns(axes, columns, images[0].shape[1])
    label_rows(axes, labels, images[0].shape[0])
    axes.xaxis.tick_top()
    axes.tick_params(labelsize=SMALLEST)


def _as_large(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return a picture with each pixel repeated, until it is as large as the others."""
    factor = shape[0] // picture.shape[0]
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _draw_scores(part: SubFigure, table: pd.DataFrame) -> list[Axes]:
    """Draw, for each measurement, the PSNR of every method with its interval."""
    from ihdm.figures.style import HEAT, SMALLEST

    shown = {"measurement": "measured", **BASELINES, **NETWORKS}
    problems = [rows for _, rows in table[table["metric"] == "psnr"].groupby("problem", sort=False)]
    orders = [[method for method in shown if method in set(rows["method"])] for rows in problems]
    ratios = [len(order) + 0.5 for order in orders]
    panels = part.subplots(len(problems), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, rows, order in zip(panels, problems, orders, strict=True):
        for row in rows.to_dict("records"):
            is_network = row["method"] in NETWORKS
            filled = row["result"] != "sample"
            label = "with a network" if is_network else "without"
            axes.errorbar(
                row["value"], order.index(row["method"]), fmt="o", ms=3, lw=0.8,
                xerr=[[row["value"] - row["low"]], [row["high"] - row["value"]]],
                color=HEAT if is_network else "0.45", markerfacecolor="auto" if filled else "white",
                label=label if filled else "one sample of it",
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [shown[method] for method in order], fontsize=SMALLEST)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.grid(axis="x", lw=0.4)
        axes.tick_params(axis="x", labelsize=SMALLEST)
    panels[-1].set_xlabel("PSNR, dB", fontsize=SMALLEST)
    return list(panels)
