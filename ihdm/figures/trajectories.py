"""Samples during generation, from start to image, also as an animation (paper, figure and videos of trajectories).

Look at: Under heat an image sharpens, under diffusion it emerges from noise.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import WIDTH, evenly_spaced, panels, show_images, title, to_stored
from ihdm.storage.images import StoredImages, tile
from ihdm.storage.reading import read_archive

if TYPE_CHECKING:
    from PIL.Image import Image

INPUTS = {"trajectories": Input("samples/{experiment}/probes/trajectories.npz")}

MAX_STAGES = 10
SHOWN = 3
"""Samples per experiment, one per row."""
MAX_FRAMES = 60
FRAME_COLUMNS, FRAME_ROWS = 8, 4
"""Maximum number of columns and rows of animated samples per experiment."""
FRAME_SHEET = 288
"""Approximate width of an experiment in the animation, in pixels: small images are enlarged, large ones are fewer."""
FRAME_ACROSS = 4
"""Maximum number of experiments per row of the animation."""
CAPTION_HEIGHT = 36
"""Height of an experiment's caption, in pixels."""


def draw(inputs: Inputs) -> Figure:
    """Draw a block per experiment: a row for each of a few samples, a column for each stage."""
    blocks = {name: _read(files[""], MAX_STAGES) for name, files in inputs["trajectories"].items()}
    columns = max(len(levels) for levels, _ in blocks.values())
    figure, grid = panels(len(blocks), 1, (WIDTH / columns * SHOWN + 0.5) * len(blocks))
    for axes, (name, (levels, stages)) in zip(grid[:, 0], blocks.items(), strict=True):
        labels = [f"$k={level}$" for level in levels]
        show_images(axes, stages[:, :SHOWN].swapaxes(0, 1), column_labels=labels, heading=title(name))
    return figure


def animate(inputs: Inputs) -> list["Image"]:
    """Return frames with a sheet of samples per experiment; all sheets begin and end together."""
    from PIL import Image

    blocks = {name: _read(files[""], MAX_FRAMES) for name, files in inputs["trajectories"].items()}
    num_frames = max(len(levels) for levels, _ in blocks.values())
    frames = []
    for frame in range(num_frames):
        done = frame / max(1, num_frames - 1)
        pages = [_page(title(name), levels, stages, done) for name, (levels, stages) in blocks.items()]
        width, height = (max(page.size[side] for page in pages) for side in (0, 1))
        across = min(FRAME_ACROSS, len(pages))
        sheet = Image.new("RGB", (across * width, -(-len(pages) // across) * height), "white")
        for place, page in enumerate(pages):
            sheet.paste(page, (place % across * width + (width - page.width) // 2, place // across * height))
        frames.append(sheet)
    return frames


def _page(heading: str, levels: np.ndarray, stages: StoredImages, done: float) -> "Image":
    """Return a sheet of samples after a share of generation, below a heading and the level."""
    from PIL import Image, ImageDraw, ImageFont

    stage = round(done * (len(levels) - 1))
    columns = min(FRAME_COLUMNS, max(2, FRAME_SHEET // stages.shape[3]))
    sheet = tile(stages[stage, : columns * FRAME_ROWS], columns)
    scale = max(1, round(FRAME_SHEET / sheet.shape[1]))
    enlarged = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    page = Image.new("RGB", (enlarged.shape[1] + 8, enlarged.shape[0] + CAPTION_HEIGHT), "white")
    page.paste(Image.fromarray(enlarged.squeeze(-1) if enlarged.shape[-1] == 1 else enlarged), (4, CAPTION_HEIGHT))
    text, font = ImageDraw.Draw(page), ImageFont.load_default(size=14)
    for line, words in enumerate((heading, f"k = {levels[stage]}")):
        text.text((page.width / 2, CAPTION_HEIGHT * (1 + 2 * line) / 4), words, "black", font, "mm")
    return page


def _read(path: Path, most: int) -> tuple[np.ndarray, StoredImages]:
    """Return at most ``most`` levels and the states there, (stage, image, height, width, channel)."""
    stored = read_archive(path, ("levels", "states"))
    kept = evenly_spaced(len(stored["levels"]), most)
    return stored["levels"][kept], to_stored(stored["states"][kept])
