"""Samples whose paths split."""

import pandas as pd

from ihdm.measures.texts import interval_texts
from ihdm.report.parts import parts_by_probe

HEADING = "When is decided what?"
EXPLANATION = (
    "From each start a path splits in two again and again, and from there on each half gets noise of its own. "
    "Distance (root mean square, pixels in [0, 1]) of the samples whose paths parted at a level, with 95 % intervals "
    "over starts: what is decided later than that level. Other starts: the same of samples that share nothing, the "
    "largest it can be expected to be."
)

parts = parts_by_probe("hierarchy")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and level where paths split."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "split at level": table["level"],
            "of all levels": table["fraction"].map("{:.0%}".format),
            "starts": table["n"],
            "distance": interval_texts(table),
            "other starts": table["null"].map("{:.3g}".format),
        }
    )
