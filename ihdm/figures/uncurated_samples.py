"""The first samples of each experiment, not selected (paper, figures of uncurated samples).

Look at: Nothing was chosen. Judge quality here, not by the teaser. Table: [distance](metrics.md#distance).
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import open_images

INPUTS = {"samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy")}

SHOWN = 60
COLUMNS = 15
FEWER = 10
"""Columns of images of more than :data:`LARGE` pixels across, which would be lost in small print."""
LARGE = 32


def draw(inputs: Inputs) -> Figure:
    """Draw a sheet of the first samples for each experiment."""
    from ihdm.figures.style import WIDTH, panels, show_images

    sheets = {name: open_images(files[""])[:SHOWN] for name, files in inputs["samples"].items()}
    columns = {name: FEWER if images.shape[2] > LARGE else COLUMNS for name, images in sheets.items()}
    heights = [WIDTH / columns[name] * -(-len(images) // columns[name]) for name, images in sheets.items()]
    figure, grid = panels(len(sheets), 1, sum(heights) + 0.25 * len(heights), height_ratios=heights)
    for axes, (name, images) in zip(grid[:, 0], sheets.items(), strict=True):
        show_images(axes, images, columns[name])
        axes.set_title(name)
    return figure
