"""Distances to the nearest training image."""

import pandas as pd

from ihdm.config.experiments import format_number
from ihdm.config.scale import Config
from ihdm.measures.texts import estimates

HEADING = "Are training images repeated?"
EXPLANATION = (
    "Distance to the nearest training image, in pixels and in features. Near one: nearer than 95 % of held-out "
    "images come, so 5 % of these are by definition. A model that repeats training images has far more. Beside: the "
    "Fréchet distance of samples from held-out images, which no training saw."
)


def parts(config: Config) -> list[str]:
    """Return one table for each network, at the evaluation's δ/σ."""
    return [
        f"metrics/memorisation/{name}/delta{format_number(variant.delta_ratio)}.csv"
        for name, variant in config.variants.items()
        if variant.is_trained
    ]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images and space: distance to the nearest training image, and share near one."""
    names = {
        "extractor": "space",
        "nearest_distance": "nearest training image",
        "share_near": "share near one",
        "frechet_distance_held_out": "distance from held-out",
        "fid_held_out": "FID from held-out",
    }
    return estimates(table, ["extractor"], "metric").rename(columns=names)
