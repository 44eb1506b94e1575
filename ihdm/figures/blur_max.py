"""Effect of the largest blur: samples, their quality, and how much the start decides (paper, figure on σ_B,max).

Look at: If samples are as good but their start decides much, the largest blur is too small to generate. Table:
[disentanglement](metrics.md#disentanglement).
"""

import numpy as np
import pandas as pd

from ihdm.errors import UserError
from ihdm.figures import Figure, Input, Inputs
from ihdm.metrics.tables import with_most_images
from ihdm.storage.reading import open_images, read_table

INPUTS = {
    "sweep": Input("metrics/sweep.csv"),
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
    "shares": Input("metrics/disentanglement/{experiment}.csv"),
}

COLUMNS = 12


def draw(inputs: Inputs) -> Figure:
    """Draw a row of samples for each experiment; below, distance and shares of variance against the largest blur.

    Raises:
        UserError: if an experiment's process does not blur.
    """
    import matplotlib.pyplot as plt

    from ihdm.figures.style import SMALL, SMALLEST, WIDTH, label_log, label_rows, show_images

    table = pd.DataFrame([_measures(inputs, name) for name in inputs["samples"]])
    table = table.sort_values(["dataset", "blur"], ignore_index=True)
    groups = list(table.groupby("dataset"))
    height = WIDTH / COLUMNS * len(table) + 0.4 * len(groups)
    figure = plt.figure(figsize=(WIDTH, height + 2.2), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(height, 2.2))[:, 0]
    sheets = above.subplots(len(groups), 1, squeeze=False, height_ratios=[len(rows) for _, rows in groups])
    for axes, (_, rows) in zip(sheets[:, 0], groups, strict=True):
        images = [open_images(inputs["samples"][name][""])[:COLUMNS] for name in rows["experiment"]]
        show_images(axes, np.concatenate(images), len(images[0]))
        labels = [rf"$\sigma_{{B,\max}}={blur:g}$" for blur in rows["blur"]]
        label_rows(axes, labels, images[0].shape[1])
        axes.tick_params(labelsize=SMALL)
        axes.set_title(", ".join(rows["base"].unique()))
    distance, share = below.subplots(1, 2)
    for (dataset, rows), marker in zip(groups, "os^Dv" * len(groups), strict=False):
        of_set = f" ({dataset})" if len(groups) > 1 else ""
        distance.errorbar(
            rows["blur"], rows["distance"], 1.96 * rows["error"], fmt=f"k{marker}-", ms=4, lw=1.2, capsize=2,
            label=dataset,
        )  # fmt: skip
        for quantity, line, color in (("mean colour", "-", "0.1"), ("structure", "--", "0.5")):
            share.errorbar(rows["blur"], rows[quantity], 1.96 * rows[f"{quantity} error"], fmt=f"{marker}{line}",
                           color=color, ms=4, lw=1.2, capsize=2, label=f"{quantity}{of_set}")  # fmt: skip
    distance.set(yscale="log", ylabel="Fréchet distance")
    share.set(ylim=(-0.05, 1.05), ylabel="variance explained by the start")
    label_log(distance.yaxis)
    for axes in (distance, share):
        axes.set_xlabel(r"largest blur $\sigma_{B,\max}$ (pixels)", fontsize=SMALL)
        axes.yaxis.label.set_size(SMALL)
        axes.tick_params(labelsize=SMALL, which="both")
        if axes is share or len(groups) > 1:
            axes.legend(fontsize=SMALLEST, frameon=False)
    return figure


def _measures(inputs: Inputs, name: str) -> dict[str, object]:
    """Return the largest blur of an experiment, the distance of its samples and what their starts explain."""
    sweep = read_table(inputs["sweep"][name][""])
    rows = sweep[(sweep["experiment"] == name) & (sweep["set"] == "samples")]
    # The folder of the samples is named for their δ/σ.
    ratio = inputs["samples"][name][""].parent.name.removeprefix("delta")
    rows = rows[rows["metric"].isin(("frechet_distance", "fid")) & np.isclose(rows["delta_ratio"], float(ratio))]
    row = with_most_images(rows).iloc[0]
    if np.isnan(row["blur_sigma_max"]):
        raise UserError(f"figures.blur_max: '{name}' has no largest blur; leave it out")
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
