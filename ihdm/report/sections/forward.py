"""What heat and noise do to images."""

import pandas as pd

from ihdm.measures.texts import interval_texts, widen
from ihdm.report.parts import parts_by_dataset

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

parts = parts_by_dataset("forward")


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
    return widen(table, keys, "name").fillna("–")
