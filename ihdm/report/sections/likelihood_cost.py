"""What the likelihood costs."""

import pandas as pd

from ihdm.config.scale import Config

HEADING = "What does the likelihood cost?"
EXPLANATION = (
    "Network evaluations that bring the error from noise to 0.01 bits per dimension, test images given. Uniform "
    "random levels, one for each image, are the plain way; every level in turn, the control variate and levels "
    "drawn by their variance make less do."
)


def parts(config: Config) -> list[str]:
    """Return one table for each experiment with a likelihood; one draw of noise does not tell what it costs."""
    if config.evaluation.likelihood_draws < 2:
        return []
    names = [name for name, variant in config.variants.items() if variant.has_likelihood]
    return [f"metrics/likelihood_cost/{name}.csv" for name in names]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and way to spend evaluations."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "levels and draws": table["design"],
            "δ/σ": table["delta_ratio"].map("{:g}".format),
            "evaluations for 0.01 bits/dim": table["evaluations"].map("{:,.0f}".format),
            "times fewer": table["times_fewer"].map("{:.1f}".format),
        }
    )
