"""Training loss, and held-out loss at each level against that of predicting zero.

Look at: The held-out loss should fall and stay near the training loss. Where the ratio to an output of zero is near
one, the network does nothing at that level. Table: [levels](metrics.md#levels).
"""

import math

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_table

INPUTS = {
    "history": Input("models/{model}/history.csv"),
    "held_out": Input("models/{model}/held_out.csv"),
    "levels": Input("metrics/levels/{model}.csv"),
}

MAX_CURVES = 5
"""Most looks on the way whose levels are drawn."""


def draw(inputs: Inputs) -> Figure:
    """Draw one column for each experiment: losses against steps above, held-out losses against levels below."""
    import seaborn as sns

    from ihdm.figures.style import label_log, panels, shared_legend

    names = list(inputs["history"])
    figure, grid = panels(2, len(names), 4.4)
    for column, name in enumerate(names):
        history = read_table(inputs["history"][name][""])
        looks = read_table(inputs["held_out"][name][""])
        axes = grid[0, column]
        axes.plot(history["step"], history["loss"], label="training")
        axes.plot(looks.groupby("step")["loss"].mean(), "C1.-", label="held out, averaged weights")
        axes.set(title=name, xlabel="step", yscale="log")

        axes = grid[1, column]
        steps = looks["step"].unique()
        earlier = steps[:-1][:: math.ceil(len(steps) / MAX_CURVES)]
        for step, color in zip(earlier, sns.color_palette("Blues", len(earlier) + 1), strict=False):
            look = looks[looks["step"] == step]
            axes.plot(look["level"], look["loss"], color=color, lw=0.7, label="on the way, paler is earlier")
        levels = read_table(inputs["levels"][name][""])
        for quantity, color, label in (("baseline", "0.5", "output of zero"), ("loss", "C0", "trained")):
            error = 1.96 * levels[f"{quantity}_standard_error"]
            axes.plot(levels["level"], levels[quantity], color=color, label=label)
            axes.fill_between(
                levels["level"], levels[quantity] - error, levels[quantity] + error, color=color, alpha=0.25, lw=0
            )
        axes.set(xlabel="level $k$", yscale="log")
    for axes in grid.flat:
        label_log(axes.yaxis)
    grid[0, 0].set_ylabel("loss per image")
    grid[1, 0].set_ylabel("held-out loss per image")
    shared_legend(figure, grid[0], "outside upper center")
    shared_legend(figure, grid[1], "outside lower center")
    return figure
