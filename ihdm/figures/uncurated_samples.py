"""The first samples of each experiment, without selection (paper, figures of uncurated samples).

Look at: Judge sample quality here rather than by the teaser. Table: [distance](metrics.md#distance).
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import WIDTH, panels, show_images, title
from ihdm.storage.reading import open_images

INPUTS = {"samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy")}

SHOWN = 60
COLUMNS = 15
LARGE, LARGE_COLUMNS = 32, 10
"""Images wider than 32 pixels are shown in 10 columns, so that details remain visible."""


def draw(inputs: Inputs) -> Figure:
    """Draw a sheet of the first samples of each experiment."""
    sheets = {name: open_images(files[""])[:SHOWN] for name, files in inputs["samples"].items()}
    columns = {name: LARGE_COLUMNS if images.shape[2] > LARGE else COLUMNS for name, images in sheets.items()}
    heights = [WIDTH / columns[name] * -(-len(images) // columns[name]) for name, images in sheets.items()]
    figure, grid = panels(len(sheets), 1, sum(heights) + 0.25 * len(heights), height_ratios=heights)
    for axes, (name, images) in zip(grid[:, 0], sheets.items(), strict=True):
        show_images(axes, images, columns[name], heading=title(name))
    return figure
