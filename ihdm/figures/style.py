"""The look that all figures share."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from cycler import cycler
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from matplotlib.typing import LegendLocType
from PIL import Image

from ihdm.storage.files import atomic_path
from ihdm.storage.images import StoredImages, tile

WIDTH = 6.75
"""Inches: the text width of a two-column paper."""

SMALL, SMALLEST = 7, 6
"""Points: size of numbers and of what is said in a panel, and where there is little room."""

HEAT, RIVAL = "#2166ac", "#b2182b"
"""Colors where they stand for the process: blue for heat, red for what adds noise."""

LETTERS_PER_INCH = 15
HANDLE_LETTERS = 8
"""Letters of a legend in an inch, and the room in letters that an entry takes beside its label."""

FRAME_MS, HELD_MS = 100, 2500
"""Milliseconds that a frame of an animation stays, and its last one."""


DEEP = ("4c72b0", "dd8452", "55a868", "c44e52", "8172b3", "937860", "da8bc3", "8c8c8c", "ccb974", "64b5cd")
THEME: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.linewidth": 1.0,
    "axes.prop_cycle": cycler(color=[f"#{color}" for color in DEEP]),
    "axes.titlesize": "medium",
    "figure.dpi": 150,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "grid.color": "0.8",
    "lines.linewidth": 1.2,
    "lines.markersize": 4.8,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "patch.linewidth": 0.8,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), "0.15"),
    **dict.fromkeys(("axes.labelsize", "font.size", "legend.title_fontsize"), 9.6),
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8.8),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 4.8),
    **dict.fromkeys(("xtick.major.width", "ytick.major.width"), 1.0),
    **dict.fromkeys(("xtick.minor.size", "ytick.minor.size"), 3.2),
    **dict.fromkeys(("xtick.minor.width", "ytick.minor.width"), 0.8),
}
"""seaborn's theme "ticks" in context "paper" with palette "deep"; importing seaborn takes longer than most figures."""


def set_style() -> None:
    """Choose the theme of all figures."""
    plt.switch_backend("agg")
    plt.rcParams.update(THEME)


def panels(
    rows: int,
    columns: int,
    height: float,
    width: float = WIDTH,
    **options: Any,  # noqa: ANN401
) -> tuple[Figure, np.ndarray]:
    """Make a figure with a grid of panels, its height and width in inches; options are those of Matplotlib."""
    chosen = {"layout": "constrained", **options}
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **chosen)


def show_images(axes: Axes, images: StoredImages, columns: int) -> None:
    """Show images row by row, as pixels."""
    _show(axes, tile(images, columns))
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_estimates(axes: Axes, rows: pd.DataFrame, column: str, line: str, **options: Any) -> None:  # noqa: ANN401
    """Draw values against a column of their table, with intervals from low to high; options are Matplotlib's."""
    errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axes.errorbar(rows[column], rows["value"], errors, fmt=line, capsize=2, **options)


def process_colors(are_heat: Sequence[bool]) -> list[str]:
    """Return a color for each of some processes, blues for heat and reds for others, the first of each the darkest."""
    shades = {}
    for is_heat, palette in ((True, "Blues"), (False, "Reds")):
        number = sum(heat == is_heat for heat in are_heat)
        shades[is_heat] = iter(plt.get_cmap(palette)(np.linspace(0.9, 0.45, max(number, 2))))
    return [to_hex(next(shades[heat])) for heat in are_heat]


def label_log(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, as many as its decades leave room for; what it shows is drawn."""
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    ticks = {1.5: (1,), 1.0: (1, 2, 5), 0.5: (1, 1.5, 2, 3, 5, 7)}
    subs = next((found for least, found in ticks.items() if decades > least), range(1, 10))
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def place_image(axes: Axes, image: UInt8[np.ndarray, "height width channel"], x: float, y: float, size: float) -> None:
    """Show an image, as pixels, with its center at a place of a panel whose y points down."""
    half = size / 2
    _show(axes, image, extent=(x - half, x + half, y + half, y - half), zorder=2)


def _show(axes: Axes, image: UInt8[np.ndarray, "height width channel"], **options: Any) -> None:  # noqa: ANN401
    pixels = image.squeeze(-1) if image.shape[-1] == 1 else image
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none", **options)


def to_stored(images: Float[np.ndarray, "_ height width channel"]) -> StoredImages:
    """Return images in [0, 1] as stored ones; what lies beyond is cut."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def label_columns(axes: Axes, labels: Sequence[str], image_width: int) -> None:
    """Write a label under each column of a sheet of images."""
    axes.set_xticks(_centres(len(labels), image_width), labels)
    axes.tick_params(length=0)


def label_rows(axes: Axes, labels: Sequence[str], image_height: int) -> None:
    """Write a label beside each row of a sheet of images."""
    axes.set_yticks(_centres(len(labels), image_height), labels)
    axes.tick_params(length=0)


def _centres(count: int, size: int) -> np.ndarray:
    return 1 + np.arange(count) * (size + 1) + (size - 1) / 2


def share_limits(panels: Sequence[Axes], groups: Sequence[str]) -> None:
    """Give the panels of each group one range of y, which holds what each of them shows.

    Args:
        panels: the panels, drawn.
        groups: the name of the group of each.
    """
    limits: dict[str, tuple[float, float]] = {}
    for axes, group in zip(panels, groups, strict=True):
        low, high = axes.get_ylim()
        known = limits.get(group, (low, high))
        limits[group] = (min(low, known[0]), max(high, known[1]))
    for axes, group in zip(panels, groups, strict=True):
        axes.set_ylim(limits[group])


def shared_legend(figure: Figure, panels: Iterable[Axes], place: LegendLocType = "outside upper center") -> None:
    """Write one legend of what any of the panels shows, each label once, in as many lines as the width asks for."""
    once = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            once[label] = handle
    letters = sum(len(label) + HANDLE_LETTERS for label in once)
    lines = math.ceil(letters / (LETTERS_PER_INCH * figure.get_size_inches()[0]))
    columns = math.ceil(len(once) / max(lines, 1))
    figure.legend(list(once.values()), list(once), loc=place, ncols=columns, frameon=False, fontsize="small")


def save_figure(figure: Figure, output: Path) -> None:
    """Write ``output`` with the endings .pdf and .png; the same figure gives the same bytes."""
    for ending, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
        with atomic_path(output.with_suffix(ending)) as temporary:
            figure.savefig(temporary, bbox_inches="tight", metadata=metadata)
    plt.close(figure)


def save_animation(frames: Sequence[Image.Image], output: Path) -> None:
    """Write ``output`` with the ending .webp, without loss: it plays over and over, and holds the last frame."""
    durations = [FRAME_MS] * (len(frames) - 1) + [HELD_MS]
    with atomic_path(output.with_suffix(".webp")) as temporary:
        frames[0].save(
            temporary, save_all=True, append_images=list(frames[1:]), duration=durations, loop=0, lossless=True
        )
