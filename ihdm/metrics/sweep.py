"""Swept parameters in the tidy table of all measures."""

import pandas as pd

from ihdm.config.experiments import NUMBERS


def swept_parameters(table: pd.DataFrame, base: str) -> dict[str, pd.DataFrame]:
    """Return for each swept number the rows of ``base`` and of the experiments that differ only in this number.

    Args:
        table: the tidy table.
        base: name of the base experiment.
    """
    family = table[table["base"] == base]
    found = {}
    for parameter in NUMBERS:
        varied = family[family["swept"] == parameter]
        if len(varied):
            found[parameter] = pd.concat([family[family["experiment"] == base], varied])
    return found
