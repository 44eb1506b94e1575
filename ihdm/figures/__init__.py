"""Figures, one module each: ``INPUTS`` names the files it is drawn from, ``draw`` makes a Matplotlib figure of them.

One that moves has a function ``animate`` too, which gives frames.

They import plotting libraries where they draw, as planning a pipeline reads every ``INPUTS``.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ihdm.config.scale import Config
from ihdm.runs import Input, Run

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Axes: TypeAlias = "matplotlib.axes.Axes"
Figure: TypeAlias = "matplotlib.figure.Figure"
SubFigure: TypeAlias = "matplotlib.figure.SubFigure"
__all__ = ["Axes", "Figure", "Input", "Inputs", "SubFigure", "figure_inputs", "is_animated"]

Inputs = dict[str, dict[str, dict[str, Path]]]
"""What a figure is drawn from: kind of file → experiment → δ/σ as text, ``""`` if none concerns it → file."""


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
    return {
        ":".join([kind, experiment, *([ratio] if ratio else [])]): path
        for kind, source in kinds.items()
        for experiment in config.figures[figure]
        for ratio, path in source.files(Run(config, experiment)).items()
    }
