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
from ihdm.measures import ORDER, Table, merged_tables, tables
from ihdm.report.sections import (
    asymptotics,
    cumulative_sums,
    evaluations,
    generation,
    hierarchy,
    input_gradients,
    interpolation,
    milestones,
    paths,
    restoration,
)


class Section(Protocol):
    """What a module of this folder has."""

    HEADING: str
    EXPLANATION: str

    def parts(self, config: Config, /) -> list[str]: ...  # noqa: D102
    def summarise(self, table: pd.DataFrame) -> pd.DataFrame: ...  # noqa: D102


_MODULES: dict[str, Section] = {
    "evaluations": evaluations,
    "restoration": restoration,
    "milestones": milestones,
    "hierarchy": hierarchy,
    "interpolation": interpolation,
    "generation": generation,
    "cumulative_sums": cumulative_sums,
    "input_gradients": input_gradients,
    "asymptotics": asymptotics,
    "paths": paths,
}

_FOUND = {
    name: Table(module.HEADING, module.EXPLANATION, {}, module.summarise) for name, module in _MODULES.items()
} | tables()
SECTIONS = {name: _FOUND[name] for name in (*(name for name in ORDER if name in _FOUND), *(_FOUND.keys() - {*ORDER}))}
"""By the name of their table, in the order in which a reader meets them."""


def joint_tables(config: Config) -> dict[str, list[str]]:
    """Return the joint tables of a scale by name, each with the files below the results that it is joined from."""
    found = {name: module.parts(config) for name, module in _MODULES.items()} | merged_tables(config)
    return {name: found[name] for name in SECTIONS if found.get(name)}
