"""Which tables of single experiments joint tables are made of, where several are made alike."""

from ihdm.config.experiments import format_number
from ihdm.config.scale import Config


def parts_by_set(table: str, config: Config) -> list[str]:
    """Return one table for each data set's real images, then one for each experiment and δ/σ, below the results.

    Args:
        table: name of the joint table.
        config: the scale.
    """
    datasets = dict.fromkeys(variant.dataset for variant in config.variants.values())  # a set that keeps its order
    return [f"metrics/{table}/real/{dataset}.csv" for dataset in datasets] + [
        f"metrics/{table}/{name}/delta{format_number(ratio)}.csv"
        for name, variant in config.variants.items()
        for ratio in variant.delta_ratios
    ]
