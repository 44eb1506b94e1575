"""An image as a surface, under noise and under heat (paper, figure 2).

Look at: Noise adds fine detail, heat removes it.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.fft import dctn, idctn

from ihdm.figures import Figure, Input, Inputs, SubFigure
from ihdm.figures.style import BASELINE, HEAT, SMALL, WIDTH
from ihdm.seeds import generator
from ihdm.storage.reading import open_images

INPUTS = {"train": Input("data/{dataset}/train.npy")}

NOISES = (0, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations of the noise; images are in [0, 1]."""
BLURS = (0, 1 / 32, 1 / 16, 1 / 8, 1 / 2)
"""Blur widths relative to the width of the image."""
CUT = (-0.7, 1.7)
"""Range of surfaces; values outside are clipped."""
CANDIDATES = 100
"""Number of images among which the one with the highest contrast is shown."""
MAX_LINES = 32
"""Maximum number of grid lines per direction."""


def draw(inputs: Inputs) -> Figure:
    """Draw two rows of surfaces per data set, noise above heat, with the image below each surface."""
    import matplotlib.pyplot as plt

    # Experiments may share a data set, whose folder has its name.
    sets = {files[""].parent.name: files[""] for files in inputs["train"].values()}
    figure = plt.figure(figsize=(WIDTH, 4.3 * len(sets)))
    for part, (name, path) in zip(figure.subfigures(len(sets), 1, squeeze=False)[:, 0], sets.items(), strict=True):
        images = open_images(path)[:CANDIDATES].mean(axis=-1) / 255
        image = images[images.std(axis=(1, 2)).argmax()]
        noise = generator(0, "surface noise", 0).standard_normal(image.shape)
        part.text(0.02, 0.99, name, va="top", fontsize="medium")
        noisy, heated = part.subfigures(2, 1)
        noises = {rf"$\sigma={sigma:g}$": image + sigma * noise for sigma in NOISES}
        _draw_row(noisy, noises, "Reds", BASELINE, "noise")
        widths = [share * image.shape[1] for share in BLURS]
        _draw_row(heated, {rf"$\sigma_B={width:.2g}$": heat(image, width) for width in widths}, "Blues", HEAT, "heat")
    return figure


def heat(image: Float[np.ndarray, "height width"], blur_sigma: float) -> Float[np.ndarray, "height width"]:
    """Return an image blurred by the heat equation with width ``blur_sigma`` in pixels."""
    rows, columns = (np.pi * np.arange(size) / size for size in image.shape)
    eigenvalues = rows[:, None] ** 2 + columns[None, :] ** 2
    kept: Float[np.ndarray, "height width"] = idctn(
        dctn(image, norm="ortho") * np.exp(-eigenvalues * blur_sigma**2 / 2), norm="ortho"
    )
    return kept


def _draw_row(part: SubFigure, surfaces: dict[str, np.ndarray], cmap: str, color: str, process: str) -> None:
    """Draw surfaces by label, the images below them, and arrows for both directions."""
    shape = next(iter(surfaces.values())).shape
    number, stride = len(surfaces), math.ceil(max(shape) / MAX_LINES)
    rows, columns = np.mgrid[tuple(slice(0, size, stride) for size in shape)]
    for place, (label, surface) in enumerate(surfaces.items()):
        left, width = 0.02 + place * 0.96 / number, 0.96 / number
        axes: Any = part.add_axes((left - 0.03, 0.34, width + 0.06, 0.6), projection="3d")
        axes.plot_surface(
            columns, rows, np.clip(surface[::stride, ::stride], *CUT), rstride=1, cstride=1, cmap=cmap, vmin=CUT[0],
            vmax=CUT[1], lw=0.15, edgecolor="0.3",
        )  # fmt: skip
        axes.set(zlim=CUT, xlim=(0, columns.max()), ylim=(rows.max(), 0))
        axes.view_init(elev=38, azim=-62)
        axes.set_box_aspect((1, 1, 0.75), zoom=1.05)
        axes.set_axis_off()
        flat = part.add_axes((left + 0.25 * width, 0.13, 0.5 * width, 0.21))
        flat.imshow(surface, cmap="gray", vmin=0, vmax=1, interpolation="none")
        flat.set_axis_off()
        flat.text(0.5, -0.06, label, transform=flat.transAxes, ha="center", va="top", fontsize=SMALL)
    plane = part.add_axes((0, 0, 1, 1), zorder=5)
    plane.set(xlim=(0, 1), ylim=(0, 1))
    plane.set_axis_off()
    for y, start, end, words in ((0.95, 0.5, 0.78, f"forward: {process}"), (0.025, 0.78, 0.5, "reverse")):
        plane.annotate(
            "", (end, y), (start, y), arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.2, "shrinkA": 0}
        )
        plane.text(0.48, y, words, color=color, fontsize=SMALL, ha="right", va="center")
