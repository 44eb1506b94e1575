"""Quality against network evaluations."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import interval_text, widen

HEADING = "How good after how many network evaluations?"
EXPLANATION = (
    "Every sampler with every number of network evaluations for an image, on the same network, starts and noise, "
    "with 95 % intervals. Paper: the paper's sampler at its default δ, and at the δ/σ with the smallest Fréchet "
    "distance among those tried. Power in the finest band is relative to training images: one is right. Seconds "
    "are those of drawing the whole set on the machine at hand."
)
NAMES = {
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "fid": "FID",
    "kid": "KID",
    "relative_power_highest": "power, finest band",
}


def parts(config: Config) -> list[str]:
    """Return one table for each experiment that is studied."""
    return [f"metrics/evaluations/{name}.csv" for name in config.studies]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, sampler and number of evaluations, with its measures."""
    texts = [
        f"{row['value']:.1f}" if row["metric"] == "seconds" else interval_text(row["value"], row["low"], row["high"])
        for row in table.to_dict("records")
    ]
    table = table.assign(text=texts, ratio=table["delta_ratio"].map("{:g}".format).replace("nan", "–"))
    keys = ["experiment", "sampler", "evaluations", "ratio"]
    return widen(table, keys, "metric").rename(columns={"ratio": "δ/σ", **NAMES})
