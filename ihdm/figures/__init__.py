"""Figures, one module each: ``INPUTS`` declares the files it reads, ``draw`` returns a Matplotlib figure of them.

An animated figure also has a function ``animate`` that returns frames. Planning a pipeline imports every module for
its ``INPUTS``, so plotting libraries are imported within functions.
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
"""Input files of a figure: kind → experiment → δ/σ as text, or ``""`` for a file of all δ/σ → path."""


def is_animated(figure: str) -> bool:
    """Return whether a figure is also animated."""
    return hasattr(importlib.import_module(f"{__name__}.{figure}"), "animate")


def figure_inputs(figure: str, config: Config) -> dict[str, str]:
    """Return the input files of a figure for the experiments that the scale shows in it.

    Returns:
        Paths below the results by KIND:EXPERIMENT, or KIND:EXPERIMENT:δ/σ where there is one file per δ/σ.
    """
    kinds: dict[str, Input] = importlib.import_module(f"{__name__}.{figure}").INPUTS
    return {
        ":".join([kind, experiment, *([ratio] if ratio else [])]): path
        for kind, source in kinds.items()
        for experiment in config.figures[figure]
        for ratio, path in source.files(Run(config, experiment)).items()
    }
