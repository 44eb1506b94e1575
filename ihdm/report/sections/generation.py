"""In which order frequencies are generated."""

import pandas as pd

from ihdm.measures.texts import interval_texts, widen
from ihdm.report.parts import parts_by_probe

HEADING = "Is coarse structure generated before fine detail?"
EXPLANATION = (
    "The share of all levels that is done when what the network's estimates hold of the final images, in a band of "
    "spatial frequency, reaches half of their power for good, from the coarsest band to the finest, with 95 % "
    "intervals over images; 1 if it never does before the end. Order: rank correlation of this share with frequency, "
    "1 if coarse comes before fine, −1 if fine comes first, around 0 if there is no order."
)

parts = parts_by_probe("generation")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, with its bands and their order."""
    bands = table["band"].astype(str)
    names = [band if band == "order" else f"band {int(band) + 1}" for band in bands]
    table = table.assign(text=interval_texts(table), name=names)
    return widen(table, ["experiment", "n"], "name").fillna("–")
