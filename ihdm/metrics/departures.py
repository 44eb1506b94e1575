"""What each departure of the released code from the description does: its variant less the one described."""

import math

import pandas as pd

DEPARTURES = {"levels_": "levels", "prior_noise_": "prior_noise", "rounding_": "rounding"}
METRICS = (
    *("fid", "frechet_distance", "kid", "kernel_distance"),
    *("relative_power_highest", "spectral_distance", "bits_per_dim"),
)


def departure_table(table: pd.DataFrame, described: dict[str, str]) -> pd.DataFrame:
    """Return one row for each variant and measure: both values, and their difference with its standard error.

    The error adds those of both sides as if they were independent. They share starts and noise as far as the departure
    leaves these alike, so that it is on the wide side.

    Args:
        table: the tidy table of a sweep.
        described: the values of the settings that the variants are compared with, by setting.
    """
    rows = []
    keys = ["delta_ratio", "set", "metric", "n"]
    wanted = table[table["metric"].isin(METRICS) & table["set"].isin(("samples", "test"))]
    for (experiment, base), variant in wanted.groupby(["experiment", "base"], sort=False):
        variation = str(experiment).partition("-")[2]
        setting = next((name for prefix, name in DEPARTURES.items() if variation.startswith(prefix)), None)
        if setting is None:
            continue
        both = variant.merge(wanted[wanted["experiment"] == base], on=keys, suffixes=("", "_described"))
        for row in both.to_dict("records"):
            rows.append(
                {
                    "experiment": base,
                    "setting": setting,
                    "described": described[setting],
                    "variant": variation.removeprefix(f"{setting}_"),
                    "metric": row["metric"],
                    "delta_ratio": row["delta_ratio"],
                    "n": row["n"],
                    "value_described": row["value_described"],
                    "value_variant": row["value"],
                    "difference": row["value"] - row["value_described"],
                    "standard_error": math.hypot(row["standard_error"], row["standard_error_described"]),
                }
            )
    return pd.DataFrame(rows)
