"""Samples as they form, from the start to the image; also as a film (paper, figure and videos of trajectories).

Look at: Read a row from left to right. With heat an image sharpens, with diffusion it appears.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.images import StoredImages, tile
from ihdm.storage.reading import read_archive

if TYPE_CHECKING:
    from PIL.Image import Image

INPUTS = {"trajectories": Input("samples/{experiment}/probes/trajectories.npz")}

MAX_STAGES = 10
SHOWN = 3
"""Samples of each experiment, a row each."""

MAX_FRAMES = 60
FRAME_COLUMNS, FRAME_ROWS = 8, 4
"""Most samples that move, of each experiment."""

FRAME_SHEET = 288
"""Pixels: about the width of what moves, of each experiment. Small images are enlarged; large ones are fewer."""

FRAME_ACROSS = 4
"""Experiments side by side."""

CAPTION_HEIGHT = 36
"""Pixels above each, for its name and level."""


def draw(inputs: Inputs) -> Figure:
    """Draw a block for each experiment: a row for each of a few samples, a column for each stage."""
    from ihdm.figures.style import SMALL, WIDTH, label_columns, panels, show_images

    blocks = {name: _read(files[""], MAX_STAGES) for name, files in inputs["trajectories"].items()}
    columns = max(len(levels) for levels, _ in blocks.values())
    figure, grid = panels(len(blocks), 1, (WIDTH / columns * SHOWN + 0.5) * len(blocks))
    for axes, (name, (levels, stages)) in zip(grid[:, 0], blocks.items(), strict=True):
        shown = stages[:, :SHOWN].swapaxes(0, 1)
        show_images(axes, shown.reshape(-1, *shown.shape[2:]), len(levels))
        label_columns(axes, [f"$k={level}$" for level in levels], shown.shape[3])
        axes.tick_params(labelsize=SMALL)
        axes.set_title(name)
    return figure


def animate(inputs: Inputs) -> list["Image"]:
    """Return frames of samples as they form, a sheet for each experiment, side by side, each at its own levels."""
    from PIL import Image

    blocks = {name: _read(files[""], MAX_FRAMES) for name, files in inputs["trajectories"].items()}
    num_frames = max(len(levels) for levels, _ in blocks.values())
    frames = []
    for frame in range(num_frames):
        # Experiments with fewer stages rest on each of theirs for longer; all begin and end together.
        done = frame / max(1, num_frames - 1)
        pages = [_page(name, levels, stages, done) for name, (levels, stages) in blocks.items()]
        width, height = (max(page.size[side] for page in pages) for side in (0, 1))
        across = min(FRAME_ACROSS, len(pages))
        sheet = Image.new("RGB", (across * width, -(-len(pages) // across) * height), "white")
        for place, page in enumerate(pages):
            sheet.paste(page, (place % across * width + (width - page.width) // 2, place // across * height))
        frames.append(sheet)
    return frames


def _page(name: str, levels: np.ndarray, stages: StoredImages, done: float) -> "Image":
    """Return a sheet of samples at the stage where this share of generation is done, under its name and level."""
    from PIL import Image, ImageDraw, ImageFont

    stage = round(done * (len(levels) - 1))
    columns = min(FRAME_COLUMNS, max(2, FRAME_SHEET // stages.shape[3]))
    sheet = tile(stages[stage, : columns * FRAME_ROWS], columns)
    scale = max(1, round(FRAME_SHEET / sheet.shape[1]))
    enlarged = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    page = Image.new("RGB", (enlarged.shape[1] + 8, enlarged.shape[0] + CAPTION_HEIGHT), "white")
    page.paste(Image.fromarray(enlarged.squeeze(-1) if enlarged.shape[-1] == 1 else enlarged), (4, CAPTION_HEIGHT))
    text, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
    for line, words in enumerate((name, f"k = {levels[stage]}")):
        text.text((page.width / 2, CAPTION_HEIGHT * (1 + 2 * line) / 4), words, "black", font, "mm")
    return page


def _read(path: Path, most: int) -> tuple[np.ndarray, StoredImages]:
    """Return the levels and the states at them, (stage, image, height, width, channel): all, or so many of them."""
    from ihdm.figures.style import to_stored

    stored = read_archive(path, ("levels", "states"))
    levels, states = stored["levels"], stored["states"]
    kept = np.unique(np.linspace(0, len(levels) - 1, min(most, len(levels))).round().astype(int))
    return levels[kept], to_stored(states[kept])
