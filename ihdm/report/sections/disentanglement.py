"""What start and noise decide."""

import pandas as pd

from ihdm.config.scale import Config

HEADING = "What comes from the start, what from the noise?"
EXPLANATION = (
    "Every start is sampled with every noise. Shares of the variance of the mean colour, and of the structure "
    "that remains without it, from a two-way analysis of variance corrected for degrees of freedom; ± one standard "
    "error, on the wide side for structure, which varies in many directions."
)


def parts(config: Config) -> list[str]:
    """Return one table for each network that is measured so, and of those whose largest blur a figure compares."""
    names = [name for name, variant in config.variants.items() if variant.has_disentanglement]
    compared = [name for name in config.figures.get("blur_max", ()) if name not in names]
    return [f"metrics/disentanglement/{name}.csv" for name in (*names, *compared)]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and quantity, with the shares of variance."""
    shares = {
        source: [
            f"{share:.1%} ± {error:.1%}" for share, error in zip(table[source], table[f"{source}_error"], strict=True)
        ]
        for source in ("start", "noise", "interaction")
    }
    grid = [f"{row.num_starts} × {row.num_noises}" for row in table.itertuples()]
    return table[["experiment", "quantity"]].assign(grid=grid, **shares)
