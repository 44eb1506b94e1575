"""In which order frequencies are generated."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.report.estimates import interval_texts

HEADING = "Is coarse structure generated before fine detail?"
EXPLANATION = (
    "The share of all levels that is done when what the network's estimates hold of the final images, in a band of "
    "spatial frequency, reaches half of their power for good, from the coarsest band to the finest, with 95 % "
    "intervals over images; 1 if it never does before the end. Order: rank correlation of this share with frequency, "
    "1 if coarse comes before fine, −1 if fine comes first, around 0 if there is no order."
)


def parts(config: Config) -> list[str]:
    """Return one table for each experiment that is looked into."""
    return [f"metrics/generation/{experiment}.csv" for experiment in config.probes]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, with its bands and their order."""
    bands = table["band"].astype(str)
    names = [band if band == "order" else f"band {int(band) + 1}" for band in bands]
    table = table.assign(text=interval_texts(table), name=names)
    wide = table.pivot_table(index=["experiment", "n"], columns="name", values="text", aggfunc="first", sort=False)
    return wide.fillna("–").reset_index().rename_axis(columns=None)
