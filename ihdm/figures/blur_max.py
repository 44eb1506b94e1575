"""Effect of the largest blur: samples, their quality, and how much the start decides (paper, figure on σ_B,max).

Look at: Good samples whose starts explain much of the variance mean that the largest blur is too small to generate new
images. Table: [disentanglement](metrics.md#disentanglement).
"""

import numpy as np
import pandas as pd

from ihdm.errors import UserError
from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import SMALLEST, WIDTH, label_log, label_small, show_images, title
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import open_images, read_table

INPUTS = {
    "sweep": Input("metrics/sweep.csv"),
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
    "shares": Input("metrics/disentanglement/{experiment}.csv"),
}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw a row of samples per experiment; below, distance and shares of variance against the largest blur.

    Raises:
        UserError: if the process of an experiment does not blur.
    """
    import matplotlib.pyplot as plt

    table = pd.DataFrame([_measures(inputs, name) for name in inputs["samples"]])
    table = table.sort_values(["dataset", "blur"], ignore_index=True)
    groups = list(table.groupby("dataset"))
    height = WIDTH / COLUMNS * len(table) + 0.4 * len(groups)
    figure = plt.figure(figsize=(WIDTH, height + 2.2), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, 2.2))[:, 0]
    sheets = above.subplots(len(groups), 1, squeeze=False, height_ratios=[len(rows) for _, rows in groups])
    for axes, (_, rows) in zip(sheets[:, 0], groups, strict=True):
        images = np.stack([open_images(inputs["samples"][name][""])[:COLUMNS] for name in rows["experiment"]])
        labels = [rf"$\sigma_{{B,\max}}={blur:g}$" for blur in rows["blur"]]
        show_images(axes, images, row_labels=labels, heading="; ".join(map(title, rows["base"].unique())))
    distance, share = below.subplots(1, 2)
    for (dataset, rows), marker in zip(groups, "os^Dv" * len(groups), strict=False):
        of_set = f" ({dataset})" if len(groups) > 1 else ""
        style = {"ms": 4, "lw": 1.2, "capsize": 2}
        errors = 1.96 * rows["error"]
        distance.errorbar(rows["blur"], rows["distance"], errors, fmt=f"k{marker}-", label=dataset, **style)
        for quantity, line, color in (("mean colour", "-", "0.1"), ("structure", "--", "0.5")):
            label = f"{quantity.replace('colour', 'color')}{of_set}"
            errors = 1.96 * rows[f"{quantity} error"]
            share.errorbar(rows["blur"], rows[quantity], errors, fmt=marker + line, color=color, label=label, **style)
    distance.set(yscale="log", ylabel="Fréchet distance")
    share.set(ylim=(-0.05, 1.05), ylabel="variance explained by the start")
    label_log(distance.yaxis)
    for axes in (distance, share):
        label_small(axes, r"largest blur $\sigma_{B,\max}$ (pixels)")
        if axes is share or len(groups) > 1:
            axes.legend(fontsize=SMALLEST, frameon=False)
    return figure


def _measures(inputs: Inputs, name: str) -> dict[str, object]:
    """Return the largest blur of an experiment, the distance of its samples and the variance explained by starts."""
    sweep = read_table(inputs["sweep"][name][""])
    rows = sweep[(sweep["experiment"] == name) & (sweep["set"] == "samples")]
    ratio = inputs["samples"][name][""].parent.name.removeprefix("delta")
    rows = rows[rows["metric"].isin(("frechet_distance", "fid")) & np.isclose(rows["delta_ratio"], float(ratio))]
    row = with_most_images(rows).iloc[0]
    if np.isnan(row["blur_sigma_max"]):
        raise UserError(f"figures.blur_max: '{name}' has no largest blur; remove it from the figure")
    shares = read_table(inputs["shares"][name][""]).set_index("quantity")
    return {
        "experiment": name,
        "base": row["base"],
        "dataset": row["dataset"],
        "blur": row["blur_sigma_max"],
        "distance": row["value"],
        "error": row["standard_error"],
        **shares["start"],
        **shares["start_error"].add_suffix(" error"),
    }
