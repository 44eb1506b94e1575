"""Style and panels shared by all figures. Plotting libraries are imported on use, as planning imports every figure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from ihdm.figures import Axes, Figure
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.tables import with_most_images
from ihdm.storage.files import atomic_path
from ihdm.storage.images import StoredImages, tile
from ihdm.storage.reading import read_table

if TYPE_CHECKING:
    import matplotlib.axis
    from PIL import Image

Option: TypeAlias = Any
"""A keyword argument passed to Matplotlib."""
WIDTH = 6.75
"""Text width of a two-column paper, in inches."""
SMALL, SMALLEST = 7, 6
"""Font sizes of labels within panels, in points."""
HEAT, BASELINE = "#2166ac", "#b2182b"
"""Blue for heat, red for processes that start from noise."""
DISTANCES = {"frechet_distance": "Fréchet distance", "fid": "FID", "kernel_distance": "kernel distance", "kid": "KID"}
"""Display names of distances."""
LETTERS_PER_INCH = 15
HANDLE_LETTERS = 8
"""Width of a legend entry's handle, in letters."""
FRAME_MS, HELD_MS = 100, 2500
"""Durations of a frame of an animation and of the last one, in milliseconds."""

DEEP = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#da8bc3", "#8c8c8c", "#ccb974", "#64b5cd")
THEME: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.linewidth": 1.0,
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
"""seaborn's theme "ticks", context "paper", palette "deep"; importing seaborn takes longer than most figures."""

_titles: dict[str, str] = {}


def set_style(titles: Mapping[str, str] | None = None) -> None:
    """Set the theme of all figures, and the display titles of experiments by name."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.switch_backend("agg")
    plt.rcParams.update(THEME | {"axes.prop_cycle": cycler(color=DEEP)})
    _titles.clear()
    _titles.update(titles or {})


def title(experiment: str, width: int = 100) -> str:
    """Return the display title of an experiment in lines of at most ``width`` letters; its name if it has none."""
    return fill(_titles.get(experiment, experiment), width, break_on_hyphens=False)


def panels(
    rows: int, columns: int, height: float, width: float = WIDTH, **options: Option
) -> tuple[Figure, np.ndarray]:
    """Return a figure and its grid of panels; width and height are in inches, options those of ``plt.subplots``."""
    import matplotlib.pyplot as plt

    options.setdefault("layout", "constrained")
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)


def show_images(
    axes: Axes,
    images: np.ndarray,
    columns: int | None = None,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    size: float = SMALL,
    heading: str = "",
) -> None:
    """Show images as a sheet.

    Args:
        axes: the panel.
        images: 8-bit, or floats in [0, 1], which are clipped: (image, height, width, channel), or (row, column,
            height, width, channel).
        columns: images per row, if the images have no axis of rows.
        row_labels: label of each row.
        column_labels: label under each column.
        size: font size of the labels.
        heading: title of the panel.
    """
    if columns is None:
        columns, images = images.shape[1], images.reshape(-1, *images.shape[2:])
    _show(axes, tile(to_stored(images), columns))
    axes.set_frame_on(False)
    height, width = images.shape[1:3]
    axes.set_xticks(1 + np.arange(len(column_labels)) * (width + 1) + (width - 1) / 2, column_labels)
    axes.set_yticks(1 + np.arange(len(row_labels)) * (height + 1) + (height - 1) / 2, row_labels)
    axes.tick_params(length=0, labelsize=size)
    if heading:
        axes.set_title(heading)


def to_stored(images: np.ndarray) -> StoredImages:
    """Return images in [0, 1], clipped, as 8-bit images; 8-bit images are returned as they are."""
    return images if images.dtype == np.uint8 else np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def place_image(axes: Axes, image: UInt8[np.ndarray, "height width channel"], x: float, y: float, size: float) -> None:
    """Show an image with its center at (x, y) of a panel whose y axis points down."""
    half = size / 2
    _show(axes, image, extent=(x - half, x + half, y + half, y - half), zorder=2)


def _show(axes: Axes, image: UInt8[np.ndarray, "height width channel"], **options: Option) -> None:
    pixels = image.squeeze(-1) if image.shape[-1] == 1 else image
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none", **options)


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return at most ``most`` indices of ``count``, evenly spaced, the first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def read_tables(files: Mapping[str, Mapping[str, Path]]) -> dict[str, pd.DataFrame]:
    """Read the table of each experiment."""
    return {name: read_table(paths[""]) for name, paths in files.items()}


def draw_estimates(axes: Axes, rows: pd.DataFrame, column: str, line: str, **options: Option) -> None:
    """Draw values against a column of their table, with 95 % intervals: from ``low`` to ``high`` if it has these."""
    has_ends = "low" in rows
    errors = [rows["value"] - rows["low"], rows["high"] - rows["value"]] if has_ends else half_widths(rows)
    axes.errorbar(rows[column], rows["value"], errors, fmt=line, capsize=2, **options)


def draw_floor(axes: Axes, real: pd.DataFrame, metrics: Sequence[str], number: int | None = None) -> None:
    """Draw the distance of real images in one of these metrics, with its interval as a gray band.

    Real images are compared with the remaining training images, which may be too few for the largest n. The label names
    n if it is not ``number``.
    """
    rows = real[real["metric"].isin(metrics) & (real["set"] == "train")].dropna(subset="value")
    if len(rows):
        floor = with_most_images(rows).iloc[0]
        label = "real images" if number in (None, floor["n"]) else f"real images, n = {floor['n']}"
        axes.axhspan(floor["low"], floor["high"], color="0.85", lw=0)
        axes.axhline(floor["value"], color="0.4", lw=1, label=label)


def draw_band(axes: Axes, rows: pd.DataFrame, column: str, color: Option, line: str = "-", **options: Option) -> None:
    """Draw values against a column of their table as a line, with a band from ``low`` to ``high``."""
    axes.plot(rows[column], rows["value"], line, color=color, **options)
    axes.fill_between(rows[column], rows["low"], rows["high"], color=color, alpha=0.25, lw=0)


def palette(name: str, count: int) -> list[tuple[float, float, float]]:
    """Return the colors of a palette of seaborn's."""
    import seaborn as sns

    return list(sns.color_palette(name, count))


def process_colors(are_heat: Sequence[bool]) -> list[str]:
    """Return a color for each process, blues for heat and reds for others, each from dark to light."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_hex

    shades = {}
    for is_heat, name in ((True, "Blues"), (False, "Reds")):
        number = sum(heat == is_heat for heat in are_heat)
        shades[is_heat] = iter(plt.get_cmap(name)(np.linspace(0.9, 0.45, max(number, 2))))
    return [to_hex(next(shades[heat])) for heat in are_heat]


def label_small(axes: Axes, x: str = "", y: str = "") -> None:
    """Label axes and ticks of a panel in the small font."""
    axes.set_xlabel(x or axes.get_xlabel(), fontsize=SMALL)
    axes.set_ylabel(y or axes.get_ylabel(), fontsize=SMALL)
    axes.tick_params(labelsize=SMALL)


def label_log(axis: "matplotlib.axis.Axis") -> None:
    """Label a logarithmic axis with plain numbers, denser the fewer decades it spans; call it after drawing."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    ticks = {2.0: (1,), 1.0: (1, 2, 5), 0.5: (1, 1.5, 2, 3, 5, 7)}
    subs = next((found for least, found in ticks.items() if decades > least), range(1, 10))
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def shared_legend(
    figure: Figure,
    panels: Iterable[Axes],
    place: Literal["outside upper center", "outside lower center"] = "outside upper center",
) -> None:
    """Add one legend for several panels, each label once, in as many lines as the width requires."""
    once = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            once[label] = handle
    letters = sum(len(label) + HANDLE_LETTERS for label in once)
    lines = math.ceil(letters / (LETTERS_PER_INCH * figure.get_size_inches()[0]))
    columns = math.ceil(len(once) / max(lines, 1))
    figure.legend(list(once.values()), list(once), loc=place, ncols=columns, frameon=False, fontsize="small")


def save_figure(figure: Figure, output: Path) -> None:
    """Write a figure as PDF and PNG, without times.

    Equal figures give the same PNG. In a PDF, positions that the layout solver finds may differ in the tenth digit.
    """
    import matplotlib.pyplot as plt

    for ending, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None})):
        with atomic_path(output.with_suffix(ending)) as temporary:
            figure.savefig(temporary, bbox_inches="tight", metadata=metadata)
    plt.close(figure)


def save_animation(frames: Sequence["Image.Image"], output: Path) -> None:
    """Write a lossless WebP animation that repeats forever and pauses at the last frame."""
    durations = [FRAME_MS] * (len(frames) - 1) + [HELD_MS]
    with atomic_path(output.with_suffix(".webp")) as temporary:
        frames[0].save(
            temporary, save_all=True, append_images=list(frames[1:]), duration=durations, loop=0, lossless=True
        )
