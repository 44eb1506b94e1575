"""Which input pixels an output pixel depends on, heat beside diffusion (paper, input gradients).

Look at: A small spot looks near, a wide one far. Compare with the dotted line, which looks everywhere alike. Table:
[input_gradients](metrics.md#input_gradients).
"""

import numpy as np
import pandas as pd

from ihdm.figures import Axes, Figure, Input, Inputs, SubFigure
from ihdm.storage.reading import read_archive, read_table

INPUTS = {
    "gradients": Input("samples/{experiment}/probes/gradients.npz"),
    "measures": Input("metrics/input_gradients/{experiment}.csv"),
}

CENTRE = 4
"""Of the 3×3 output pixels, the middle one."""
WINDOW = 32
"""Most rows and columns that are shown of a gradient."""
RADII = {"within_1": ("0.65", "1 pixel"), "within_2": ("0.4", "2 pixels"), "within_3": ("0", "3 pixels")}


def draw(inputs: Inputs) -> Figure:
    """Draw for each experiment nine gradients at the middle stage, the centre's at all, and how near they lie."""
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from ihdm.figures.style import SMALL, WIDTH

    names = list(inputs["gradients"])
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    figure = plt.figure(figsize=(WIDTH, 1.65 * len(names)), layout=layout)
    for part, name in zip(figure.subfigures(len(names), 1, squeeze=False)[:, 0], names, strict=True):
        stored = read_archive(inputs["gradients"][name][""], ("levels", "pixels", "residual"))
        levels, pixels, maps = stored["levels"], stored["pixels"], stored["residual"].mean(axis=2)
        grids, stages, curve = part.subfigures(1, 3, width_ratios=(1, 2.1, 1.45))
        middle = len(levels) // 2
        for axes, gradient, pixel in zip(_panels(grids, 3, 3), maps[middle], pixels, strict=True):
            _show_gradient(axes, gradient, pixel)
        grids.supxlabel(f"nine pixels, $k={levels[middle]}$", fontsize=SMALL)
        for axes, gradient, level in zip(_panels(stages, 1, len(levels)), maps[:, CENTRE], levels, strict=True):
            _show_gradient(axes, gradient, pixels[CENTRE])
            axes.set_xlabel(f"$k={level}$", fontsize=SMALL)
        stages.suptitle(name, fontsize="medium")
        _draw_shares(curve.subplots(), read_table(inputs["measures"][name][""]))
    return figure


def _panels(part: SubFigure, rows: int, columns: int) -> list[Axes]:
    return list(part.subplots(rows, columns, squeeze=False).ravel())


def _show_gradient(axes: Axes, gradient: np.ndarray, pixel: np.ndarray) -> None:
    """Show a gradient around its output pixel, which is framed; red is positive, blue negative, white none.

    Colors go by the square root, or the pixel itself would leave the others none.
    """
    top, left = (
        min(max(place - WINDOW // 2, 0), max(size - WINDOW, 0))
        for place, size in zip(pixel, gradient.shape, strict=True)
    )
    shown = gradient[top : top + WINDOW, left : left + WINDOW]
    largest = np.abs(shown).max() or 1.0
    visible = np.sign(shown) * np.sqrt(np.abs(shown) / largest)
    axes.imshow(visible, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="none")
    frame = np.array([-0.5, 0.5, 0.5, -0.5, -0.5])
    axes.plot(pixel[1] - left + frame, pixel[0] - top + np.roll(frame, 1), "k", lw=0.6)
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set(linewidth=0.5, color="0.7")


def _draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    from ihdm.figures.style import SMALL, SMALLEST

    table = table[table["output"] == "residual"]
    for quantity, (color, label) in RADII.items():
        rows = table[table["quantity"] == quantity].sort_values("level")
        axes.plot(rows["level"], rows["value"], ".-", color=color, lw=1.2, label=label)
        axes.fill_between(rows["level"], rows["low"], rows["high"], color=color, alpha=0.25, lw=0)
        axes.plot(rows["level"], rows["null"], ":", color=color, lw=1)
    axes.invert_xaxis()
    axes.set_ylim(0, 1)
    axes.set_xlabel("level $k$", fontsize=SMALL)
    axes.set_ylabel("share within", fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)
    axes.legend(
        fontsize=SMALLEST, frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1), ncols=3, columnspacing=0.8,
        handlelength=0.8, handletextpad=0.4,
    )  # fmt: skip
