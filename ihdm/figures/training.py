"""Training loss, and held-out loss at each level relative to that of predicting zero.

Look at: The held-out loss should fall and stay close to the training loss. At levels where it equals the loss of
predicting zero, the network has learned nothing. Table: [levels](metrics.md#levels).
"""

import math

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import draw_band, label_log, palette, panels, shared_legend, title
from ihdm.metrics.estimates import half_widths
from ihdm.storage.reading import read_table

INPUTS = {
    "history": Input("models/{model}/history.csv"),
    "held_out": Input("models/{model}/held_out.csv"),
    "levels": Input("metrics/levels/{model}.csv"),
}

MAX_CURVES = 5
"""Maximum number of validation passes to draw by level."""


def draw(inputs: Inputs) -> Figure:
    """Draw a column per experiment: losses against training steps above, held-out losses against levels below."""
    names = list(inputs["history"])
    figure, grid = panels(2, len(names), 4.4)
    for (above, below), name in zip(grid.T, names, strict=True):
        history = read_table(inputs["history"][name][""])
        validation = read_table(inputs["held_out"][name][""])
        above.plot(history["step"], history["loss"], label="training")
        above.plot(validation.groupby("step")["loss"].mean(), "C1.-", label="held out, EMA weights")
        above.set(title=title(name, 26), xlabel="training step", yscale="log")

        steps = validation["step"].unique()
        earlier = steps[:-1][:: math.ceil(len(steps) / MAX_CURVES)]
        for step, shade in zip(earlier, palette("Blues", len(earlier) + 1), strict=False):
            rows = validation[validation["step"] == step]
            below.plot(rows["level"], rows["loss"], color=shade, lw=0.7, label="during training, earlier is paler")
        levels = read_table(inputs["levels"][name][""])
        for quantity, color, label in (("baseline", "0.5", "prediction of zero"), ("loss", "C0", "trained")):
            value, half = levels[quantity], half_widths(levels, f"{quantity}_standard_error")
            rows = levels.assign(value=value, low=value - half, high=value + half)
            draw_band(below, rows, "level", color, label=label)
        below.set(xlabel="level $k$", yscale="log")
    for axes in grid.flat:
        label_log(axes.yaxis)
    grid[0, 0].set_ylabel("loss per image")
    grid[1, 0].set_ylabel("held-out loss per image")
    shared_legend(figure, grid[0], "outside upper center")
    shared_legend(figure, grid[1], "outside lower center")
    return figure
