"""Power laws of data sets."""

import pandas as pd

from ihdm.report.estimates import interval_texts
from ihdm.report.parts import parts_by_dataset

HEADING = "How fast does the power of images fall with frequency?"
EXPLANATION = (
    "α of the power law 1/f^α, fitted to training images over a range of frequencies in radians per pixel, with 95 % "
    "intervals over images. Natural images have an α of about 2."
)

parts = parts_by_dataset("data_spectrum")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each data set."""
    table = table[table["quantity"] == "alpha"]
    return pd.DataFrame(
        {
            "dataset": table["dataset"],
            "n": table["n"],
            "frequencies": [f"{row.low_frequency:.2f} … {row.high_frequency:.2f}" for row in table.itertuples()],
            "α": interval_texts(table),
        }
    )
