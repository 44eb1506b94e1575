"""Training loss, and held-out loss at each level against that of predicting nothing."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ihdm.figures import Inputs
from ihdm.figures.style import WIDTH


def draw(inputs: Inputs) -> Figure:
    """Draw one column for each experiment: training loss against steps, held-out loss against levels."""
    names = list(inputs["history"])
    figure, grid = plt.subplots(2, len(names), figsize=(WIDTH, 4.2), squeeze=False)
    for column, name in enumerate(names):
        history = pd.read_csv(inputs["history"][name][""])
        grid[0, column].plot(history["step"], history["loss"])
        grid[0, column].set(title=name, xlabel="step", yscale="log")
        levels = pd.read_csv(inputs["levels"][name][""])
        axes = grid[1, column]
        for quantity, colour, label in (("baseline", "0.5", "$f = 0$"), ("loss", "C0", "network")):
            error = 1.96 * levels[f"{quantity}_standard_error"]
            axes.plot(levels["level"], levels[quantity], color=colour, label=label)
            axes.fill_between(
                levels["level"], levels[quantity] - error, levels[quantity] + error, color=colour, alpha=0.25, lw=0
            )
        axes.set(xlabel="level $k$", yscale="log")
    grid[0, 0].set_ylabel("training loss per image")
    grid[1, 0].set_ylabel("held-out loss per image")
    grid[1, 0].legend(frameon=False)
    figure.tight_layout()
    return figure
