"""Sections of the page, one module each for one joint table: what it is joined from, and what it says.

A module has

- ``HEADING``, the question that the table answers,
- ``EXPLANATION``, how to read it, true of any data: what must be known of a data set is said by its source,
- ``parts(config)``, the files below the results that the table is joined from: none if a scale has no such table,
- ``summarise(table)``, the table rounded for reading.
"""

from typing import Protocol

import pandas as pd

from ihdm.config.scale import Config
from ihdm.report.sections import (
    asymptotics,
    cumulative_sums,
    data_spectrum,
    departures,
    disentanglement,
    distance,
    evaluations,
    forward,
    generation,
    hierarchy,
    input_gradients,
    interpolation,
    levels,
    likelihood,
    likelihood_cost,
    memorisation,
    milestones,
    minimum,
    paths,
    restoration,
    spectrum,
)


class Section(Protocol):
    """What a module of this folder has."""

    HEADING: str
    EXPLANATION: str

    def parts(self, config: Config, /) -> list[str]: ...  # noqa: D102
    def summarise(self, table: pd.DataFrame) -> pd.DataFrame: ...  # noqa: D102


SECTIONS: dict[str, Section] = {
    "data_spectrum": data_spectrum,
    "forward": forward,
    "levels": levels,
    "distance": distance,
    "memorisation": memorisation,
    "spectrum": spectrum,
    "likelihood": likelihood,
    "likelihood_cost": likelihood_cost,
    "minimum": minimum,
    "evaluations": evaluations,
    "restoration": restoration,
    "milestones": milestones,
    "departures": departures,
    "disentanglement": disentanglement,
    "hierarchy": hierarchy,
    "interpolation": interpolation,
    "generation": generation,
    "cumulative_sums": cumulative_sums,
    "input_gradients": input_gradients,
    "asymptotics": asymptotics,
    "paths": paths,
}
"""By the name of their table, in the order in which a reader meets them."""


def joint_tables(config: Config) -> dict[str, list[str]]:
    """Return the joint tables of a scale by name, each with the files below the results that it is joined from."""
    tables = {name: section.parts(config) for name, section in SECTIONS.items()}
    return {name: parts for name, parts in tables.items() if parts}
