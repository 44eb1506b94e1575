"""What heat and noise do to images."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.report.estimates import interval_texts

HEADING = "What do heat and noise do to images?"
EXPLANATION = (
    "Difference from a Gaussian: root mean square of heat less a sampled Gaussian filter of the same width, over what "
    "the blur changes, away from borders. Added power: power of noisy images over the power of the images plus σ², in "
    "bands of frequency; one if noise adds a flat spectrum. Halving: the blur width in pixels that halves the power of "
    "a band, and the σ of the noise that equals it. Order: rank correlation of these with frequency, 1 if fine detail "
    "goes first. With 95 % intervals over images."
)
NAMES = {
    "gaussian_difference": "difference from a Gaussian",
    "added_power": "added power",
    "halving": "halving",
    "order": "order",
}


def parts(config: Config) -> list[str]:
    """Return one table for each data set."""
    datasets = dict.fromkeys(variant.dataset for variant in config.variants.values())  # a set that keeps its order
    return [f"metrics/forward/{dataset}.csv" for dataset in datasets]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each data set, quantity and strength, with its bands from coarse to fine, if it has any."""
    bands = table.groupby(["dataset", "quantity", "process", "strength"], dropna=False)["frequency"].rank("dense")
    table = table.assign(
        text=interval_texts(table),
        quantity=table["quantity"].map(NAMES),
        strength=table["strength"].map("{:g}".format).replace("nan", "–"),
        name=bands.map("band {:.0f}".format).replace("band nan", "all"),
    )
    keys = ["dataset", "quantity", "process", "strength", "n"]
    wide = table.pivot_table(index=keys, columns="name", values="text", aggfunc="first", sort=False)
    return wide.fillna("–").reset_index().rename_axis(columns=None)
