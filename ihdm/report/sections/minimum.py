"""Where curves over δ/σ are lowest."""

import pandas as pd

from ihdm.config.scale import Config

HEADING = "At which noise is sampling best?"
EXPLANATION = (
    "Where distance and bound are lowest over δ/σ, with 95 % intervals: for distances from the values' standard "
    "errors at the δ that were sampled, for the bound from resampling test images on a grid of step 0.01 or "
    "finer. A minimum may lie between values, so the interval reaches to the neighbouring ones. At the edge: the "
    "lowest value may be the first or last that was tried, and the true minimum beyond it."
)


def parts(config: Config) -> list[str]:
    """Return a table of distances for each experiment with a curve, and one of bounds."""
    curves = [name for name, variant in config.variants.items() if variant.has_curve]
    bounds = [name for name, variant in config.variants.items() if variant.has_likelihood_curve]
    if not curves:
        return []
    return [f"metrics/minimum/{name}/distance.csv" for name in curves] + [
        f"metrics/minimum/{name}/likelihood.csv" for name in bounds
    ]


METRICS = {
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "bits_per_dim": "bits/dim",
    "fid": "FID",
    "kid": "KID",
}
PLACES = {
    "inside": "{delta_ratio:g}, in {low:g} … {high:g}",
    "edge": "{delta_ratio:g}, in {low:g} … {high:g} or beyond what was tried",
    "flat": "flat within error",
}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and curve, with the interval of its minimum or that it is flat."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "curve": table["metric"].replace(METRICS),
            "n": table["n"],
            "lowest at δ/σ": [PLACES[row["verdict"]].format_map(row) for row in table.to_dict("records")],
            "tried": [f"{row.first_ratio:g} … {row.last_ratio:g} ({row.num_ratios})" for row in table.itertuples()],
            "value there": table["value"].map("{:.4g}".format),
        }
    )
