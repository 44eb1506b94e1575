"""Held-out losses level by level."""

import pandas as pd

from ihdm.config.scale import Config

HEADING = "Does the network deblur?"
EXPLANATION = (
    "Held-out loss at each level k, as a ratio to that of predicting f = 0, which leaves the image as blurred and "
    "as noisy as it is. Below one, the network helps."
)


def parts(config: Config) -> list[str]:
    """Return one table for each network."""
    return [f"metrics/levels/{name}.csv" for name, variant in config.variants.items() if variant.is_trained]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each experiment at how many levels the network beats f = 0, and by what factor."""
    rows = []
    for experiment, levels in table.groupby("experiment", sort=False):
        ratio = levels["loss"] / levels["baseline"]
        rows.append(
            {
                "experiment": experiment,
                "levels": len(levels),
                "below f = 0": int((ratio < 1).sum()),
                "smallest ratio": f"{ratio.min():.3f}",
                "median ratio": f"{ratio.median():.3f}",
                "largest ratio": f"{ratio.max():.3f}",
            }
        )
    return pd.DataFrame(rows)
