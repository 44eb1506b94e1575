"""Held-out losses level by level."""

import pandas as pd

from ihdm.config.scale import Config

HEADING = "Does the network deblur?"
EXPLANATION = (
    "Held-out loss at each level k, as a ratio to that of an output of zero: for heat f = 0, which leaves the "
    "image as blurred and as noisy as it is; for diffusion the prediction of no noise. Below one, the network "
    "helps."
)


def parts(config: Config) -> list[str]:
    """Return one table for each network."""
    return [f"metrics/levels/{name}.csv" for name, variant in config.variants.items() if variant.has_levels]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each experiment at how many levels the network beats an output of zero, and by what factor."""
    rows = []
    for experiment, levels in table.groupby("experiment", sort=False):
        ratio = levels["loss"] / levels["baseline"]
        rows.append(
            {
                "experiment": experiment,
                "levels": len(levels),
                "below that": int((ratio < 1).sum()),
                "smallest ratio": f"{ratio.min():.3f}",
                "median ratio": f"{ratio.median():.3f}",
                "largest ratio": f"{ratio.max():.3f}",
            }
        )
    return pd.DataFrame(rows)
