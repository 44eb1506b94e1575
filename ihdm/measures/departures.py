"""Tabulate what each departure of the released code from the description does: its variant less the one described."""

import math

import pandas as pd

from ihdm.measures import Files, Measure, NoSettings, Results, Table, measured
from ihdm.measures.sweep import COLUMNS
from ihdm.measures.texts import estimate_text
from ihdm.metrics.estimates import difference_of_parts, read_parts
from ihdm.runs import Run
from ihdm.storage.reading import read_table

METRICS = (
    *("fid", "frechet_distance", "kid", "kernel_distance"),
    *("relative_power_highest", "spectral_distance", "bits_per_dim"),
)


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the differences."""
    return {"departures": departure_table(read_table(files["sweep"], COLUMNS))}


def departure_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each departure and measure: both values, and their difference with its standard error.

    Both sides share starts and noise, image by image, so the error is that of the paired difference; see
    :mod:`ihdm.metrics.estimates`. Where another network is trained, for `levels`, it holds nothing of what two
    trainings differ in anyway, and is too narrow by that.

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
        parts = difference_of_parts(read_parts(row["error_parts"]), read_parts(row["error_parts_described"]))
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
                "standard_error": math.hypot(*parts or (row["standard_error"], row["standard_error_described"])),
            }
        )
    return pd.DataFrame(rows)


def summarize(table: pd.DataFrame) -> pd.DataFrame:
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


MEASURE = Measure(
    compute=compute,
    runs=lambda config: [Run(config)] if any(variant.is_departure for variant in config.variants.values()) else [],
    inputs={"sweep": measured("sweep")},
    outputs={"departures": "metrics/departures.csv"},
    tables={
        "departures": Table(
            heading="What do the released code's departures do?",
            explanation=(
                "Each variant against the described, all else equal, n images, with 95 % intervals of the "
                "difference. Levels as released: level K is never trained; that is another training, and what two "
                "trainings differ in anyway is not in the interval. Prior noise none: starts without noise. Rounding "
                "truncate: images a little darker."
            ),
            columns={
                "setting": "`levels`, `prior_noise` or `rounding`",
                "described, variant": "both values of the setting",
                "value_described, value_variant": "both values of the measure",
                "difference": "variant less described",
                "standard_error": "of the paired difference: both sides share starts and noise, image by image",
            },
            summarize=summarize,
            rows="What does it change to do as the released code does? One row for each departure and measure.",
            notes=(
                "Null: a difference of 0. For `levels` another network is trained, and the error holds nothing of what "
                "two trainings differ in anyway: trainings with other seeds (`sweeps.seed` of the same experiment) "
                "tell that, and without them the claim has no verdict."
            ),
        ),
    },
    is_local=True,
)
