"""Test images restored from blurred, downsampled, masked or noisy ones, by networks and by classical methods.

Look at: Whether the best blue point of a problem is right of all gray points by more than the error bars. A hollow
point is one posterior sample, whose PSNR is always lower than that of the posterior mean. Table:
[restoration](metrics.md#restoration).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs, SubFigure
from ihdm.figures.style import HEAT, SMALLEST, WIDTH, read_tables, shared_legend, show_images, title
from ihdm.storage.reading import read_archive

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
COLUMNS = ("truth", "measured", "baseline", "sample", "mean", "deviation")
MAX_DEVIATION = 0.25
"""Standard deviation that is shown white."""


def draw(inputs: Inputs) -> Figure:
    """Draw images of each problem on the left, and the PSNR of each method on the right, for each experiment."""
    import matplotlib.pyplot as plt

    tables = read_tables(inputs["table"])
    rows = [table["problem"].nunique() for table in tables.values()]
    figure = plt.figure(figsize=(WIDTH, 0.7 * sum(rows) + 0.4 * len(rows) + 0.3), layout="constrained")
    parts = figure.subfigures(len(tables), 1, height_ratios=rows, squeeze=False).flat
    for part, (name, table) in zip(parts, tables.items(), strict=True):
        part.suptitle(title(name), x=0.01, ha="left", fontsize="medium")
        left, right = part.subfigures(1, 2, width_ratios=(1.55, 1))
        _draw_images(left.subplots(), inputs, name, table)
        _draw_scores(right, table)
    shared_legend(figure, figure.axes, "outside lower center")
    return figure


def best_baseline(table: pd.DataFrame) -> str:
    """Return the method without a network that has the highest PSNR."""
    rows = table[(table["metric"] == "psnr") & table["method"].isin(BASELINES)]
    return str(rows.sort_values("value")["method"].iloc[-1])


def _draw_images(axes: Axes, inputs: Inputs, name: str, table: pd.DataFrame) -> None:
    """Draw a row per problem: truth, measurement, best baseline, posterior sample, mean and standard deviation."""
    images, labels = [], []
    for problem, scores in table.groupby("problem", sort=False):
        baseline = best_baseline(scores)
        wanted = [("truth", "truth"), ("truth", "measurement"), (baseline, "sample")]
        wanted += [("posterior", kind) for kind in ("sample", "mean", "deviation")]
        keys = [f"{problem}/{method}/{kind}" for method, kind in wanted]
        found = read_archive(inputs["pictures"][name][""], keys)
        row = [found[key][0] for key in keys]
        row[-1] = row[-1] / MAX_DEVIATION
        images.append(np.stack([_enlarged(image, row[0].shape) for image in row]))
        labels.append(f"{str(problem).replace('_', chr(10))}\n({BASELINES[baseline]})")
    show_images(axes, np.stack(images), row_labels=labels, column_labels=COLUMNS, size=SMALLEST)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an image with each pixel repeated until it has this shape."""
    factor = shape[0] // image.shape[0]
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _draw_scores(part: SubFigure, table: pd.DataFrame) -> None:
    """Draw, for each problem, the PSNR of every method with its interval."""
    shown = {"measurement": "measured", **BASELINES, **NETWORKS}
    problems = [rows for _, rows in table[table["metric"] == "psnr"].groupby("problem", sort=False)]
    orders = [[method for method in shown if method in set(rows["method"])] for rows in problems]
    ratios = [len(order) + 0.5 for order in orders]
    panels = part.subplots(len(problems), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, rows, order in zip(panels, problems, orders, strict=True):
        for row in rows.to_dict("records"):
            is_network = row["method"] in NETWORKS
            is_sample = row["result"] == "sample"
            label = "one posterior sample" if is_sample else "network" if is_network else "no network"
            axes.errorbar(
                row["value"], order.index(row["method"]), fmt="o", ms=3, lw=0.8,
                xerr=[[row["value"] - row["low"]], [row["high"] - row["value"]]],
                color=HEAT if is_network else "0.45", markerfacecolor="white" if is_sample else "auto", label=label,
            )  # fmt: skip
        axes.set_yticks(range(len(order)), [shown[method] for method in order], fontsize=SMALLEST)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.grid(axis="x", lw=0.4)
        axes.tick_params(axis="x", labelsize=SMALLEST)
    panels[-1].set_xlabel("PSNR (dB)", fontsize=SMALLEST)
