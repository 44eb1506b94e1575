"""Which tables of single experiments joint tables are made of, where several are made alike; all below the results."""

from collections.abc import Callable

from ihdm.config.experiments import format_number
from ihdm.config.scale import Config

Parts = Callable[[Config], list[str]]
"""Gives the tables of a scale that a joint table is made of."""


def parts_by_probe(table: str) -> Parts:
    """Return what gives one table for each experiment that is looked into; ``table`` is the joint table's name."""
    return lambda config: [f"metrics/{table}/{experiment}.csv" for experiment in config.probes]


def parts_by_dataset(table: str) -> Parts:
    """Return what gives one table for each data set."""
    return lambda config: [f"metrics/{table}/{dataset}.csv" for dataset in _datasets(config)]


def parts_by_set(table: str) -> Parts:
    """Return what gives one table for each data set's real images, then one for each experiment and δ/σ."""
    return lambda config: (
        [f"metrics/{table}/real/{dataset}.csv" for dataset in _datasets(config)]
        + [
            f"metrics/{table}/{name}/delta{format_number(ratio)}.csv"
            for name, variant in config.variants.items()
            for ratio in variant.delta_ratios
        ]
    )


def _datasets(config: Config) -> dict[str, None]:
    return dict.fromkeys(variant.dataset for variant in config.variants.values())  # a set that keeps its order
