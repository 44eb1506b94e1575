"""Figures, one module each: ``INPUTS`` names the files it is drawn from, ``draw`` makes a Matplotlib figure of them.

One that moves has a function ``animate`` too, which gives frames.

They import plotting libraries where they draw, as planning a pipeline reads every ``INPUTS``.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ihdm.config.experiments import Variant, format_number
from ihdm.config.scale import Config

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Axes: TypeAlias = "matplotlib.axes.Axes"
Figure: TypeAlias = "matplotlib.figure.Figure"
SubFigure: TypeAlias = "matplotlib.figure.SubFigure"
Inputs = dict[str, dict[str, dict[str, Path]]]
"""What a figure is drawn from: kind of file → experiment → δ/σ as text, ``""`` if none concerns it → file."""


@dataclass(frozen=True)
class Input:
    """One kind of file that a figure is drawn from.

    Attributes:
        path: where it lies below the results. ``{experiment}``, ``{dataset}``, ``{model}``, ``{extractor}`` (of its
            data set) and ``{default_ratio}`` (the δ/σ that it is sampled at where none is swept) are filled in for each
            experiment that the figure shows; with ``{ratio}`` there is one for each δ/σ.
        exists: which experiments have it; by default all.
    """

    path: str
    exists: Callable[[Variant], bool] = lambda _: True


def is_animated(figure: str) -> bool:
    """Tell whether a figure moves as well: whether its module has a function ``animate``."""
    return hasattr(importlib.import_module(f"{__name__}.{figure}"), "animate")


def figure_inputs(figure: str, config: Config) -> dict[str, str]:
    """Return the files that a figure is drawn from, as its module names them.

    Args:
        figure: name of its module.
        config: the scale, which says what experiments the figure shows.

    Returns:
        Paths below the results by KIND:EXPERIMENT, or KIND:EXPERIMENT:δ/σ where there is one for each.
    """
    kinds: dict[str, Input] = importlib.import_module(f"{__name__}.{figure}").INPUTS
    files = {}
    for kind, source in kinds.items():
        for experiment in config.figures[figure]:
            variant = config.variants[experiment]
            if not source.exists(variant):
                continue
            path = source.path
            for placeholder, value in {
                "experiment": experiment,
                "dataset": variant.dataset,
                "model": variant.model,
                "extractor": config.evaluation.extractors[variant.dataset],
                "default_ratio": format_number(variant.delta_ratio),
            }.items():
                path = path.replace(f"{{{placeholder}}}", value)
            if "{ratio}" not in path:
                files[f"{kind}:{experiment}"] = path
                continue
            for ratio in map(format_number, variant.delta_ratios):
                files[f"{kind}:{experiment}:{ratio}"] = path.replace("{ratio}", ratio)
    return files
