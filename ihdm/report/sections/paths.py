"""Paths of a toy that merge and branch."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import interval_texts, widen

HEADING = "Where do forward paths merge, and reverse paths branch?"
EXPLANATION = (
    "One mode of frequency, a few data points and the exact reverse process, for several σ in units of the data. "
    "Merged: how uncertain it is, in bits, which data point a state at a level came from; 0 where forward paths lie "
    "apart, and the logarithm of the number of data points where they have merged. Branched: the same of where "
    "reverse paths from one state end, with 95 % intervals over states. More noise lets paths merge after less blur, "
    "and branch later."
)


def parts(config: Config) -> list[str]:
    """Return the table of the toy, which is one for all experiments, if any is looked into."""
    return ["metrics/paths/toy.csv"] if config.probes else []


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each level, with both quantities for each σ."""
    has_error = table["standard_error"] > 0
    texts = interval_texts(table.assign(low=table["low"].where(has_error), high=table["high"].where(has_error)))
    names = [f"{row.quantity}, σ = {row.sigma:g}" for row in table.itertuples()]
    return widen(table.assign(text=texts, name=names), "level", "name")
