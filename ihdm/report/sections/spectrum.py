"""Power of samples by bands of frequency."""

import pandas as pd

from ihdm.report.estimates import estimates
from ihdm.report.parts import parts_by_set

HEADING = "How much detail do samples have?"
EXPLANATION = (
    "Power in four bands of spatial frequency relative to training images: below one is too smooth, above one too "
    "grainy. More sampling noise δ gives more detail."
)

parts = parts_by_set("spectrum")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with its power relative to real in each band."""
    return estimates(table, [], "band").rename(columns={"all": "spectral distance"})
