"""Images as their process destroys them, and samples as they form (paper, figure 1).

Look at: Compare columns: what is there first, and what comes last.
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.storage.reading import read_archive

INPUTS = {"sequence": Input("samples/{experiment}/sequence.npz")}


def draw(inputs: Inputs) -> Figure:
    """Draw two rows for each experiment: forward on the left, reverse on the right."""
    from ihdm.figures.style import SMALLEST, label_columns, panels, show_images

    sequences = {
        name: read_archive(files[""], ("levels", "forward", "reverse")) for name, files in inputs["sequence"].items()
    }
    figure, grid = panels(len(sequences), 2, 1.35 * len(sequences), layout=None)
    for row, (name, sequence) in zip(grid, sequences.items(), strict=True):
        levels, forward, reverse = sequence["levels"], sequence["forward"][:2, ::-1], sequence["reverse"][:2]
        for axes, images, labels in ((row[0], forward, levels[::-1]), (row[1], reverse, levels)):
            columns = len(labels)
            show_images(axes, images.reshape(-1, *images.shape[2:]), columns)
            label_columns(axes, [f"$k={level}$" for level in labels], images.shape[3])
            axes.tick_params(labelsize=SMALLEST)  # of K = 1000 no larger ones fit side by side
        row[0].set_ylabel(name)
    grid[0, 0].set_title("Forward: the process destroys images")
    grid[0, 1].set_title("Reverse: the network brings them back")
    figure.tight_layout()
    return figure
