"""Which tables of single experiments joint tables are made of, where several are made alike; all below the results."""

from collections.abc import Callable

from ihdm.config.scale import Config

Parts = Callable[[Config], list[str]]
"""Gives the tables of a scale that a joint table is made of."""


def parts_by_dataset(table: str) -> Parts:
    """Return what gives one table for each data set."""
    return lambda config: [f"metrics/{table}/{dataset}.csv" for dataset in _datasets(config)]


def _datasets(config: Config) -> dict[str, None]:
    return dict.fromkeys(variant.dataset for variant in config.variants.values())  # a set that keeps its order
