"""What ranges of steps add."""

import pandas as pd

from ihdm.measures.texts import interval_texts, widen
from ihdm.report.parts import parts_by_probe

HEADING = "What do the steps of a range of levels add together?"
EXPLANATION = (
    "The steps of generation between two levels, added up: the shares of the power of this sum in bands of spatial "
    "frequency, from the coarsest to the finest, without the constant; with 95 % intervals over images. Shares that "
    "move to finer bands from range to range say that generation goes from coarse to fine; shares that stay say that "
    "every range adds the same."
)

parts = parts_by_probe("cumulative_sums")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and range of levels, with the share of each band."""
    levels = [f"{row.level_from} … {row.level_to}" for row in table.itertuples()]
    table = table.assign(text=interval_texts(table), levels=levels, name=[f"band {band + 1}" for band in table["band"]])
    return widen(table, ["experiment", "levels"], "name").fillna("–")
