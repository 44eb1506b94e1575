"""Paths between two samples."""

import pandas as pd

from ihdm.measures.texts import interval_texts
from ihdm.report.parts import parts_by_probe

HEADING = "How evenly does one sample turn into another?"
EXPLANATION = (
    "Samples on the way between two, with start and noise blended, as distances in pixels and in features. Path: its "
    "length over the distance of its ends, one if straight. Largest step: over the mean one, one if all are alike, "
    "and the number of steps if a single one goes all the way. With 95 % intervals over pairs; at random: the same if "
    "the images on the way are those of other pairs, which is what a way that leads nowhere would give."
)
NAMES = {"path_ratio": "path", "largest_step": "largest step"}

parts = parts_by_probe("interpolation")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and space, with both quantities and what they are at random."""
    table = table.assign(text=interval_texts(table), random=table["null"].map("{:.3g}".format))
    wide = table.pivot_table(
        index=["experiment", "space"], columns="quantity", values=["text", "random"], aggfunc="first", sort=False
    )
    columns: dict[str, pd.Series] = {}
    for quantity, name in NAMES.items():
        columns |= {name: wide["text"][quantity], f"{name}, at random": wide["random"][quantity]}
    return pd.DataFrame(columns).reset_index()
