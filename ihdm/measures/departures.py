"""Tabulate differences from the released code: each variant as released minus the one as described."""

import math

import pandas as pd

from ihdm.measures import Files, Measure, NoSettings, Results, Table, measured
from ihdm.measures.sweep import COLUMNS
from ihdm.measures.texts import estimate_text
from ihdm.metrics.estimates import degrees_of_freedom, difference_of_parts, half_widths, read_parts
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
    """Return one row for each setting and measure: both values, and their difference with its standard error.

    Both sides share starts and noise, image by image, so the error is that of the paired difference; see
    :mod:`ihdm.metrics.estimates`. For `levels` another network is trained, and the error does not include the
    variance between trainings.

    Args:
        table: the tidy table of a sweep.
    """
    wanted = table[table["metric"].isin(METRICS) & table["set"].isin(("samples", "test"))]
    shared = ["metric", "extractor", "reference", "delta_ratio", "n"]
    released = wanted[wanted["is_departure"] == True]  # noqa: E712 (missing for real images)
    described = wanted[wanted["experiment"] == wanted["base"]]
    pairs = released.merge(described, on=["base", "set", *shared], suffixes=("", "_described"))
    rows = []
    for row in pairs.to_dict("records"):
        setting = row["swept"]
        other = {"n": row["n"], "degrees": row["degrees_described"]}
        parts = difference_of_parts(read_parts(row["error_parts"]), read_parts(row["error_parts_described"]))
        rows.append(
            {
                "experiment": row["base"],
                "setting": setting,
                "described": row[f"{setting}_described"],
                "variant": row[setting],
                **{name: row[name] for name in shared},
                "value_described": row["value_described"],
                "value_variant": row["value"],
                "difference": row["value"] - row["value_described"],
                "standard_error": math.hypot(*parts or (row["standard_error"], row["standard_error_described"])),
                "degrees": len(parts) - 1.0 if parts else min(degrees_of_freedom(row), degrees_of_freedom(other)),
            }
        )
    return pd.DataFrame(rows)


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each setting and measure."""
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
            "difference": [estimate_text(*pair) for pair in zip(table["difference"], half_widths(table), strict=True)],
        }
    )


MEASURE = Measure(
    compute=compute,
    runs=lambda config: [Run(config)] if any(variant.is_departure for variant in config.variants.values()) else [],
    inputs={"sweep": measured("sweep")},
    outputs={"departures": "metrics/departures.csv"},
    tables={
        "departures": Table(
            heading="Differences from the released code",
            explanation=(
                "Effect of each setting of the released code relative to the paper's description, with all other "
                "settings equal, n images and 95 % intervals of the difference. Levels `as_released`: level K is never "
                "trained. This needs another training, and the interval does not include the variance between "
                "trainings. Prior noise `none`: starts without noise. Rounding `truncate`: slightly darker images."
            ),
            columns={
                "setting": "`levels`, `prior_noise` or `rounding`",
                "described, variant": "values of the setting: as described, and as released",
                "value_described, value_variant": "values of the measure",
                "difference": "variant minus described",
                "standard_error": "of the paired difference: both sides share starts and noise, image by image",
            },
            summarize=summarize,
            notes=(
                "Null: a difference of 0. For `levels` another network is trained; sweep `seed` of the same "
                "experiment to measure the variance between trainings. Without it, the claim is not decided."
            ),
        ),
    },
    is_local=True,
)
