"""Forward processes applied to images, and samples during generation (paper, figure 1).

Look at: Which features each process creates first, and which last.
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.style import SMALL, SMALLEST, panels, show_images, title
from ihdm.storage.reading import read_archive

INPUTS = {"sequence": Input("samples/{experiment}/sequence.npz")}


def draw(inputs: Inputs) -> Figure:
    """Draw two rows per experiment: forward on the left, reverse on the right."""
    figure, grid = panels(len(inputs["sequence"]), 2, 1.35 * len(inputs["sequence"]), layout=None)
    for row, (name, files) in zip(grid, inputs["sequence"].items(), strict=True):
        stored = read_archive(files[""], ("levels", "forward", "reverse"))
        levels, forward, reverse = stored["levels"], stored["forward"][:2, ::-1], stored["reverse"][:2]
        for axes, images, order in ((row[0], forward, levels[::-1]), (row[1], reverse, levels)):
            # Larger labels of K = 1000 do not fit.
            show_images(axes, images, column_labels=[f"$k={level}$" for level in order], size=SMALLEST)
        row[0].set_ylabel(title(name, 20), fontsize=SMALL)
    grid[0, 0].set_title("Forward process")
    grid[0, 1].set_title("Reverse process")
    figure.tight_layout()
    return figure
