"""Samples of a pipeline by number, written as sheets, folders of files or animations."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ihdm.config.processes import ANCESTRAL, SAMPLERS, SamplerSettings
from ihdm.config.reading import parse_settings
from ihdm.config.settings import Precision
from ihdm.errors import UserError
from ihdm.portable.pipeline import IHDMPipeline, as_pictures
from ihdm.portable.scheduler import IHDMScheduler
from ihdm.seeds import torch_seed
from ihdm.storage.files import atomic_folder, atomic_path, require_replaceable, require_writable
from ihdm.storage.images import StoredImages, save_grid, tile
from ihdm.storage.tensors import to_uint8

NAMED_SAMPLERS = {
    **SAMPLERS,
    "independent": SamplerSettings(noise="measured"),
    "markov": ANCESTRAL.model_copy(update={"noise": "measured"}),
}
"""Samplers that can be asked for by name."""
ANIMATED = (".gif", ".webp")
SHEETS = (".png", ".jpg", ".jpeg")
PIXELS = 480
"""About as wide as a sheet is shown: small images are enlarged by a whole number."""
FRAME_MILLISECONDS = 60
LAST_MILLISECONDS = 1500
LOSSY_QUALITY = 90


def numbered_generators(seed: int, count: int, batch_size: int) -> Iterator[list[torch.Generator]]:
    """Yield the generators of images 0…count−1 in batches; an image is the same in any, up to rounding errors."""
    generators = [torch.Generator().manual_seed(torch_seed(seed, "portable sample", number)) for number in range(count)]
    for first in range(0, count, batch_size):
        yield generators[first : first + batch_size]


def with_sampler(pipeline: IHDMPipeline, sampler: str | None, delta_ratio: float | None) -> IHDMPipeline:
    """Change the sampler and δ/σ of a pipeline, unless they are None, and return it.

    Args:
        pipeline: the pipeline.
        sampler: a name, which keeps evaluations and spacing, or SamplerSettings as JSON.
        delta_ratio: δ/σ.

    Raises:
        UserError: if there is no such sampler, or δ/σ is not finite.
    """
    if delta_ratio is not None and not math.isfinite(delta_ratio):
        raise UserError(f"--delta-ratio {delta_ratio}: give a finite number")
    changes: dict[str, Any] = {} if delta_ratio is None else {"delta_ratio": delta_ratio}
    if sampler is not None:
        if sampler.lstrip().startswith("{"):
            changes |= parse_settings(SamplerSettings, sampler, "--sampler").model_dump()
        elif sampler in NAMED_SAMPLERS:
            changes |= NAMED_SAMPLERS[sampler].model_dump(include={"coupling", "noise"}) | {"order": 1}
        else:
            known = ", ".join(NAMED_SAMPLERS)
            raise UserError(f"--sampler {sampler}: unknown sampler; use one of {known}, or SamplerSettings as JSON")
    if changes:
        pipeline.scheduler = IHDMScheduler.from_config(dict(pipeline.scheduler.config), **changes)
    return pipeline


def draw(
    pipeline: IHDMPipeline,
    count: int,
    seed: int,
    *,
    evaluations: int | None = None,
    batch_size: int = 64,
    precision: Precision = "no",
    report: Callable[[int], None] = lambda _done: None,
) -> StoredImages:
    """Return images 0…count−1 of a seed; each depends only on its number.

    ``evaluations`` is the NFE per image, ``precision`` that of the network; ``report`` is called with the
    number of finished images.
    """
    pipeline.set_progress_bar_config(disable=True)
    parts: list[StoredImages] = []
    for generators in numbered_generators(seed, count, batch_size):
        images = pipeline(
            len(generators), evaluations, generators, precision=precision, output_type="pt", return_dict=False
        )[0]
        parts.append(to_uint8(images))
        report(sum(map(len, parts)))
    return np.concatenate(parts)


def write(images: StoredImages, output: Path) -> None:
    """Write images as one sheet if ``output`` ends in .png or .jpg, otherwise as a folder of numbered PNGs.

    Raises:
        UserError: if the folder is not empty.
    """
    if output.suffix.lower() in SHEETS:
        save_grid(images, output, enlargement(images))
        return
    require_new(output)
    width = len(str(len(images) - 1))
    with atomic_folder(output) as filled:
        for number, picture in enumerate(as_pictures(images)):
            picture.save(filled / f"{number:0{width}}.png")


def require_output(output: Path, endings: Sequence[str]) -> None:
    """Check that a file with one of these extensions, or a folder of images, can be written.

    Raises:
        UserError: if it cannot.
    """
    if output.suffix.lower() in endings:
        require_writable(output)
    else:
        require_new(output)


def require_new(folder: Path) -> None:
    """Check that a folder of images can be written.

    Raises:
        UserError: if the folder is not empty or not writable, or the name has another file extension.
    """
    if folder.suffix:
        raise UserError(
            f"{folder}: unknown file extension; use {', '.join(SHEETS)} for a sheet, {', '.join(ANIMATED)} for an "
            "animation, or a folder name without extension"
        )
    require_replaceable(folder)
    if folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise UserError(f"{folder}: already exists and is not empty; use an empty or new folder")


def enlargement(images: StoredImages) -> int:
    """Return the factor by which images are enlarged for display."""
    return max(1, round(PIXELS / tile(images).shape[1]))


def frames(
    pipeline: IHDMPipeline,
    count: int,
    seed: int,
    evaluations: int | None,
    precision: Precision = "no",
    batch_size: int = 64,
) -> Iterator[StoredImages]:
    """Yield images as they form, the start first, in batches through the network of this precision."""
    pipeline.set_progress_bar_config(disable=True)
    batches = numbered_generators(seed, count, batch_size)
    ways = [pipeline.trajectory(len(generators), evaluations, generators, precision) for generators in batches]
    for parts in zip(*ways, strict=True):
        yield np.concatenate([to_uint8(images) for _, images in parts])


def interpolations(
    pipeline: IHDMPipeline,
    rows: int,
    num_positions: int,
    seed: int,
    evaluations: int | None = None,
    precision: Precision = "no",
    report: Callable[[int], None] = lambda _done: None,
) -> StoredImages:
    """Return interpolations between samples 2 i and 2 i + 1 of a seed, one path after another.

    Each of the ``rows`` paths has ``num_positions`` images, both ends included; ``evaluations`` is the NFE per image,
    ``precision`` that of the network; ``report`` is called with the number of finished paths.
    """
    pipeline.set_progress_bar_config(disable=True)
    parts: list[StoredImages] = []
    for first, second in numbered_generators(seed, 2 * rows, 2):
        found = pipeline.interpolate(first, second, num_positions, evaluations, precision, output_type="pt")
        parts.append(to_uint8(found.images))
        report(len(parts))
    return np.concatenate(parts)


def animate(sheets: Sequence[StoredImages], output: Path, *, lossless: bool = True) -> None:
    """Write sheets of images as an animation, .gif or .webp, that pauses at its end.

    Noise makes lossless .webp files many times larger than lossy ones.
    """
    scale = enlargement(sheets[0])
    pictures = [
        as_pictures(np.kron(tile(sheet), np.ones((scale, scale, 1), dtype=np.uint8))[None])[0] for sheet in sheets
    ]
    times = [FRAME_MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    encoding: dict[str, Any] = {"lossless": True} if lossless else {"quality": LOSSY_QUALITY}
    kept = encoding if output.suffix.lower() == ".webp" else {}
    with atomic_path(output) as temporary:
        pictures[0].save(temporary, save_all=True, append_images=pictures[1:], duration=times, loop=0, **kept)
