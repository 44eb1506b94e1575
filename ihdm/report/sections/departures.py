"""What the released code does otherwise than described."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import estimate_text

HEADING = "What do the released code's departures do?"
EXPLANATION = (
    "Each variant against the described, all else equal, n images, with 95 % intervals of the difference. Levels "
    "as released: level K is never trained; that is another training, and what two trainings differ in anyway is "
    "not in the interval. Prior noise none: starts without noise. Rounding truncate: images a little darker."
)


def parts(config: Config) -> list[str]:
    """Return the table of everything measured, if a variant departs from what is described."""
    return ["metrics/sweep.csv"] if any(variant.is_departure for variant in config.variants.values()) else []


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each departure and measure."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "setting": table["setting"],
            "described": table["described"],
            "variant": table["variant"],
            "δ/σ": table["delta_ratio"].map("{:g}".format),
            "measure": table["metric"].str.replace("_", " "),
            "n": table["n"],
            "measured from": table["reference"].fillna("–"),
            "described gives": table["value_described"].map("{:.4g}".format),
            "variant gives": table["value_variant"].map("{:.4g}".format),
            "difference": [
                estimate_text(value, 1.96 * error)
                for value, error in zip(table["difference"], table["standard_error"], strict=True)
            ],
        }
    )
