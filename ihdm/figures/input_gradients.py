"""Input gradients: dependence of an output pixel on input pixels, for heat and diffusion (paper, input gradients).

Look at: A small spot means a local dependence; the dotted line is a gradient spread evenly over the image. Table:
[input_gradients](metrics.md#input_gradients).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, SMALLEST, WIDTH, draw_band, label_small, title
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "gradients": Input("samples/{experiment}/probes/gradients.npz"),
    "measures": Input("metrics/input_gradients/{experiment}.csv"),
}

CENTER = 4
"""Index of the middle one of the 3×3 output pixels."""
WINDOW = 32
"""Maximum number of rows and columns to show of a gradient."""
RADII = {"within_1": ("0.65", "1 pixel"), "within_2": ("0.4", "2 pixels"), "within_3": ("0", "3 pixels")}


def draw(inputs: Inputs) -> Figure:
    """Draw per experiment nine gradients at the middle stage, the center's at every stage, and how local they are."""
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    names = list(inputs["gradients"])
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    figure = plt.figure(figsize=(WIDTH, 1.65 * len(names)), layout=layout)
    for part, name in zip(figure.subfigures(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        stored = read_archive(inputs["gradients"][name][""], ("levels", "pixels", "residual"))
        levels, pixels, maps = stored["levels"], stored["pixels"], stored["residual"].mean(axis=2)
        grids, stages, curve = part.subfigures(1, 3, width_ratios=(1, 2.1, 1.45))
        middle = len(levels) // 2
        for axes, gradient, pixel in zip(grids.subplots(3, 3).flat, maps[middle], pixels, strict=True):
            _show_gradient(axes, gradient, pixel)
        grids.supxlabel(f"nine pixels, $k={levels[middle]}$", fontsize=SMALL)
        columns = stages.subplots(1, len(levels), squeeze=False).flat
        for axes, gradient, level in zip(columns, maps[:, CENTER], levels, strict=True):
            _show_gradient(axes, gradient, pixels[CENTER])
            axes.set_xlabel(f"$k={level}$", fontsize=SMALL)
        stages.suptitle(title(name, 44), fontsize="medium")
        _draw_shares(curve.subplots(), read_table(inputs["measures"][name][""]))
    return figure


def _show_gradient(axes: Axes, gradient: np.ndarray, pixel: np.ndarray) -> None:
    """Show a gradient around its output pixel, which is framed: positive values red, negative ones blue.

    Colors follow the square root of the magnitude, as the output pixel itself would outshine all others.
    """
    top, left = (
        min(max(place - WINDOW // 2, 0), max(size - WINDOW, 0))
        for place, size in zip(pixel, gradient.shape, strict=True)
    )
    shown = gradient[top : top + WINDOW, left : left + WINDOW]
    visible = np.sign(shown) * np.sqrt(np.abs(shown) / (np.abs(shown).max() or 1.0))
    axes.imshow(visible, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none")
    frame = np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
    axes.plot(pixel[1] - left + frame, pixel[0] - top + np.roll(frame, 1), "k", lw=0.6)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(linewidth=0.5, color="0.7")


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    table = table[table["output"] == "residual"]
    for quantity, (color, label) in RADII.items():
        rows = table[table["quantity"] == quantity].sort_values("level")
        draw_band(axes, rows, "level", color, ".-", lw=1.2, label=label)
        axes.plot(rows["level"], rows["null"], ":", color=color, lw=1)
    axes.invert_xaxis()
    axes.set_ylim(0, 1)
    label_small(axes, "level $k$", "share of gradient within")
    axes.legend(
        fontsize=SMALLEST, frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1), ncols=3, columnspacing=0.8,
        handlelength=0.8, handletextpad=0.4,
    )  # fmt: skip
