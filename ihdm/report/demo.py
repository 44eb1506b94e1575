"""A demo page of the pretrained models, without data, training or results."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from ihdm import pretrained
from ihdm.data.sources.photos import TEST_FRACTION, embedded_photos
from ihdm.devices import compute_device
from ihdm.errors import UserError
from ihdm.portable.folder import read
from ihdm.portable.pictures import animate, draw, enlargement, frames, interpolations, with_sampler
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.restoring import read_problem, restore_pictures, write_restored
from ihdm.report.render import Picture, animation_pictures, figure_picture, render
from ihdm.storage.images import StoredImages, save_grid

FIRST, SECOND = ("fashion", "digits"), "photos"
"""The models that are shown: the first of these that there is, and one of color images, which restores photographs."""
RATIOS = (0.0, 1.0, 1.25, 1.5, 2.0)
"""The δ/σ that are compared."""
RESTORED = ("chelsea", "coffee", "china", "astronaut")
"""The embedded photographs of which a square is restored."""
NUM_POSITIONS = 8
NUM_PARTS = 5


Part = dict[str, Any]
"""An image of the page: its title, caption and picture, and its animation with the last frame if it has one."""


def demo_page(num_samples: int, report: Callable[[int], None] = lambda _done: None) -> str:
    """Return the page.

    Args:
        num_samples: images of each animation, and of each row that compares δ; 2 or more.
        report: called with the number of finished parts, of ``NUM_PARTS``.

    Raises:
        UserError: if the package comes without the models.
    """
    found = [name for name in FIRST if name in pretrained.names()][:1]
    if not found or SECOND not in pretrained.names():
        raise UserError("the pretrained models are missing from this installation; install ihdm again")
    first, second = (read(pretrained.FOLDER / name, compute_device()) for name in (*found, SECOND))
    makers: list[Callable[[Path], Part]] = [
        lambda path: _forming(found[0], first, num_samples, path),
        lambda path: _forming(SECOND, second, num_samples, path),
        lambda path: _interpolation(first, path),
        lambda path: _noise(first, num_samples, path),
        lambda path: _restoration(second, path),
    ]
    parts = []
    with TemporaryDirectory() as folder:
        for make in makers:
            parts.append(make(Path(folder)))
            report(len(parts))
    return render("demo.html.j2", names=[*found, SECOND], parts_shown=parts)


def _forming(name: str, pipeline: IHDMPipeline, count: int, folder: Path) -> Part:
    path = folder / "forming.webp"
    animate(list(frames(pipeline, count, 0, None)), path, lossless=False)
    moving = animation_pictures(path)
    if moving is None:
        raise UserError("the animation is too large for a page; use a smaller --num-samples")
    steps = pipeline.scheduler.sampler.num_evaluations(len(pipeline.scheduler))
    caption = (
        f"Model {name}: from a blurred start to the image in {steps} network evaluations. Overall shape appears first, "
        "detail last."
    )
    return {"title": f"Samples form: {name}", "caption": caption, "animation": moving}


def _interpolation(pipeline: IHDMPipeline, folder: Path) -> Part:
    images = interpolations(pipeline, 4, NUM_POSITIONS, seed=1)
    caption = "Each row runs from one sample to another: starts are mixed linearly, the noise on a sphere."
    return {"title": "Interpolation", "caption": caption, "picture": _sheet(images, NUM_POSITIONS, folder)}


def _noise(pipeline: IHDMPipeline, count: int, folder: Path) -> Part:
    count, own = min(count, NUM_POSITIONS), pipeline.scheduler
    rows = [draw(with_sampler(pipeline, None, ratio), count, seed=0) for ratio in RATIOS]
    pipeline.scheduler = own
    caption = (
        f"Rows from top to bottom: sampling noise δ = {', '.join(f'{ratio:g}' for ratio in RATIOS)} times the training "
        "noise σ, with equal starts and noise. Too little over-smooths; too much adds noise."
    )
    return {"title": "Sampling noise δ", "caption": caption, "picture": _sheet(np.concatenate(rows), count, folder)}


def _restoration(pipeline: IHDMPipeline, folder: Path) -> Part:
    size = pipeline.image_shape[1]
    how = read_problem(f'{{"kind": "blur", "width": {size / 16}}}', size)
    path = folder / "restored.png"
    write_restored(restore_pictures(pipeline, _photographs(size), how), RESTORED, path)
    caption = (
        "Columns: a photograph, its blurred and noisy measurement, a restored sample, the mean of four samples, and "
        "their standard deviation. The squares come from parts of the photographs that training never saw."
    )
    return {"title": "Restore a blurred image", "caption": caption, "picture": figure_picture(path)}


def _photographs(size: int) -> StoredImages:
    """Return a square of the held-out strip of each photograph."""
    squares, photos = [], embedded_photos()
    for photo in (photos[name] for name in RESTORED):
        side = min(len(photo), int(photo.shape[1] * TEST_FRACTION))
        top = (len(photo) - side) // 2
        square = Image.fromarray(photo[top : top + side, -side:])
        squares.append(np.asarray(square.resize((size, size), Image.Resampling.BOX)))
    return np.stack(squares)


def _sheet(images: StoredImages, columns: int, folder: Path) -> Picture:
    path = folder / "sheet.png"
    save_grid(images, path, enlargement(images), columns)
    return figure_picture(path)
