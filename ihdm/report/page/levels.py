"""Images as their process destroys them and samples as they form: what the level slider moves."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ihdm.config.experiments import Variant
from ihdm.report.page.images import Sheet, sheet, to_bytes
from ihdm.report.page.results import Results
from ihdm.storage.reading import read_archive

MOST_STAGES = 41
MOST_IMAGES = 8
NAMES = {"heat": "heat", "diffusion": "diffusion", "blurring": "blurring diffusion"}


@dataclass(frozen=True)
class Strip:
    """One row of images under a level slider.

    Attributes:
        title: what it shows.
        images: a row of the sheet for each stage.
        alt: the same for those who do not see it.
    """

    title: str
    images: Sheet
    alt: str


@dataclass(frozen=True)
class Process:
    """An experiment under a level slider.

    Attributes:
        experiment: its name.
        title: its process and sampler.
        levels: the level of each stage, from K down to 0.
        strips: what moves.
    """

    experiment: str
    title: str
    levels: list[int]
    strips: list[Strip]


def level_groups(results: Results) -> dict[str, list[Process]]:
    """Return what each slider moves, by data set: every experiment whose samples were followed as they formed."""
    groups: dict[str, list[Process]] = {}
    for name in results.config.diagnostics:
        if results.trajectories(name).exists():
            variant = results.config.variants[name]
            groups.setdefault(variant.dataset, []).append(_process(results, variant))
    return groups


def _process(results: Results, variant: Variant) -> Process:
    path = results.trajectories(variant.name)
    arrays = read_archive(path, ("levels", "states"))
    with np.load(path) as archive:
        forward = archive["forward"] if "forward" in archive.files else None
    count = len(arrays["levels"])
    stages = np.unique(np.rint(np.linspace(0, count - 1, min(count, MOST_STAGES))).astype(int))
    strips = []
    if forward is not None:
        strips.append(_strip("Training images, forwards", "training images of", variant, _bytes(forward)[stages]))
    strips.append(_strip("Samples, backwards", "samples of", variant, _bytes(arrays["states"])[stages]))
    return Process(variant.name, _title(variant), [int(level) for level in arrays["levels"][stages]], strips)


def _bytes(images: np.ndarray) -> np.ndarray:
    return images if images.dtype == np.uint8 else to_bytes(images)


def _strip(title: str, what: str, variant: Variant, images: np.ndarray) -> Strip:
    shown = images[:, :MOST_IMAGES]
    return Strip(title, sheet(shown), f"{shown.shape[1]} {what} {variant.name} at the chosen level")


def _title(variant: Variant) -> str:
    kind = NAMES.get(variant.experiment.process.kind, variant.experiment.process.kind)
    return f"{kind}, sampler {variant.sampler}"


def opening(groups: Iterable[list[Process]], count: int = 7) -> tuple[Process, list[int]] | None:
    """Return the first experiment of all and some of its stages, evenly spaced, to open the page with."""
    for processes in groups:
        stages = np.rint(np.linspace(0, len(processes[0].levels) - 1, count)).astype(int)
        return processes[0], list(dict.fromkeys(stages.tolist()))
    return None
