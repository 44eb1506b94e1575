"""Samples and their nearest training images (paper, figure of nearest neighbors).

Look at: A sample that equals its first neighbor repeats a training image. Compare distances with that of held-out
images in the heading. Table: [memorisation](metrics.md#memorisation).
"""

from pathlib import Path

import numpy as np

from ihdm.figures import Axes, Figure, Input, Inputs
from ihdm.figures.style import SMALL, WIDTH, panels, place_image, title
from ihdm.metrics.features import StoredFeatures
from ihdm.metrics.neighbours import nearest
from ihdm.storage.reading import open_images, read_table

INPUTS = {
    "samples": Input("samples/{experiment}/delta{default_ratio}/samples.npy"),
    "train": Input("data/{dataset}/train.npy"),
    "sample_features": Input("metrics/features/{experiment}/delta{default_ratio}.npz"),
    "train_features": Input("metrics/features/{extractor}/{dataset}/train.npz"),
    "memorisation": Input("metrics/memorisation/{experiment}/delta{default_ratio}.csv"),
}

SHOWN = 6
NEIGHBORS = 4
BLOCKS = (1.15, NEIGHBORS + 1.3)
"""Left edges of the neighbors in pixels and in features, where images are one apart."""
IMAGE, ROW = 0.94, 1.2
"""Width of an image and height of a row, where images are one apart."""
CHUNK_VALUES = 2**24
"""Maximum number of training values in memory at a time."""


def draw(inputs: Inputs) -> Figure:
    """Draw per experiment a row for each sample: the sample and its nearest training images in pixels and features."""
    names = list(inputs["samples"])
    width, height = BLOCKS[1] + NEIGHBORS, SHOWN * ROW + 0.5
    figure, grid = panels(len(names), 1, (WIDTH * height / width + 0.3) * len(names))
    for axes, name in zip(grid[:, 0], names, strict=True):
        _draw_block(axes, {kind: by_experiment[name][""] for kind, by_experiment in inputs.items()})
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 1.0, -1.0), title=title(name))
        axes.set_axis_off()
    return figure


def _draw_block(axes: Axes, files: dict[str, Path]) -> None:
    samples, train = open_images(files["samples"])[:SHOWN], open_images(files["train"])
    table = read_table(files["memorisation"])
    train = train[: table["n_reference"].iloc[0]]  # the images that the network was trained on
    features = StoredFeatures.read(files["train_features"])
    spaces = {
        "pixels": (samples.reshape(len(samples), -1), train.reshape(len(train), -1), 255),
        features.extractor: (StoredFeatures.read(files["sample_features"])[:SHOWN], features[: len(train)], 1),
    }
    for row, sample in enumerate(samples):
        place_image(axes, sample, 0, row * ROW, IMAGE)
    axes.text(-IMAGE / 2, -0.6, "samples", fontsize=SMALL)
    for (space, (points, others, unit)), left in zip(spaces.items(), BLOCKS, strict=True):
        chunk = max(1, CHUNK_VALUES // points.shape[1])
        places, distances = nearest(points, others, min(NEIGHBORS, len(train)), chunk)
        for row, column in np.ndindex(places.shape):
            place_image(axes, train[places[row, column]], left + column, row * ROW, IMAGE)
            distance = f"{distances[row, column] / unit:.2f}"
            axes.text(left + column, row * ROW + IMAGE / 2 + 0.02, distance, ha="center", va="top", fontsize=SMALL)
        real = table[(table["set"] == "test") & (table["metric"] == "nearest_distance") & (table["extractor"] == space)]
        heading = f"nearest training images, {space} (held-out images: {real['value'].iloc[0]:.2f})"
        axes.text(left - IMAGE / 2, -0.6, heading, fontsize=SMALL)
