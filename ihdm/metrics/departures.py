"""What each departure of the released code from the description does: its variant less the one described."""

import math

import pandas as pd

METRICS = (
    *("fid", "frechet_distance", "kid", "kernel_distance"),
    *("relative_power_highest", "spectral_distance", "bits_per_dim"),
)


def departure_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each departure and measure: both values, and their difference with its standard error.

    The error adds those of both sides as if they were independent. Where both sample one network, they share starts and
    noise as far as the departure leaves these alike, so that it is on the wide side. Where another network is trained,
    for `levels`, it holds nothing of what two trainings differ in anyway, and is too narrow by that.

    Args:
        table: the tidy table of a sweep.
    """
    wanted = table[table["metric"].isin(METRICS) & table["set"].isin(("samples", "test"))]
    keys = ["base", "delta_ratio", "set", "metric", "extractor", "reference", "n"]
    departures = wanted[wanted["is_departure"] == True]  # noqa: E712 (missing for real images)
    described = wanted[wanted["experiment"] == wanted["base"]]
    rows = []
    for row in departures.merge(described, on=keys, suffixes=("", "_described")).to_dict("records"):
        setting = row["swept"]
        rows.append(
            {
                "experiment": row["base"],
                "setting": setting,
                "described": row[f"{setting}_described"],
                "variant": row[setting],
                "metric": row["metric"],
                "extractor": row["extractor"],
                "reference": row["reference"],
                "delta_ratio": row["delta_ratio"],
                "n": row["n"],
                "value_described": row["value_described"],
                "value_variant": row["value"],
                "difference": row["value"] - row["value_described"],
                "standard_error": math.hypot(row["standard_error"], row["standard_error_described"]),
            }
        )
    return pd.DataFrame(rows)
