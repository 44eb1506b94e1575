"""Estimate the δ at which the distances of samples are lowest, with a confidence interval."""

import pandas as pd

from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import of_experiment
from ihdm.runs import Input, each_experiment


class DistanceMinimumSettings(Settings):
    """Settings of the minimum of distances."""

    seed: Seed = 0


def compute(files: Files, settings: DistanceMinimumSettings) -> Results:
    """Return one row for each distance."""
    from ihdm.metrics.minimum import distance_minimum
    from ihdm.metrics.tables import merge_tables
    from ihdm.storage.reading import read_table

    columns = ("set", "metric", "delta_ratio", "extractor", "n", "value", "error_parts")
    table = merge_tables({str(path): read_table(path, columns) for path in files.values()})
    return {"minimum": distance_minimum(table, settings.seed)}


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


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and curve, with the interval of its minimum, or `flat`."""
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


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.has_curve),
    inputs={
        "distance": Input("metrics/distance/{experiment}/delta{ratio}.csv", about="distances at each δ/σ, .csv"),
    },
    outputs={"minimum": "metrics/minimum/{experiment}/distance.csv"},
    settings=lambda _: DistanceMinimumSettings(),
    model=DistanceMinimumSettings,
    labels=of_experiment,
    tables={
        "minimum": Table(
            heading="Best sampling noise",
            explanation=(
                "δ/σ with the lowest distance or bound, with 95 % intervals. For distances they come from the joint "
                "error of the sampled values, which share starts and noise. For the bound they come from resampling "
                "test images on a grid of step 0.01 or finer. The interval extends to neighboring values, as a "
                "minimum may be between two. At the edge: the true minimum may be beyond the sampled values."
            ),
            columns={
                "metric": "a distance, or `bits_per_dim`",
                "delta_ratio, value": "place and value of the minimum",
                "low, high": "95 % interval of the place; it extends to the neighboring values",
                "verdict": "`inside`; `edge`, if it may be beyond the sampled values; `flat`, if it may be anywhere",
                "first_ratio, last_ratio, num_ratios": "sampled values",
                "minima, num_curves": (
                    "places of the minima of resampled curves with their shares, and the number of curves"
                ),
            },
            summarize=summarize,
            made_by=("minimum_distance", "minimum_likelihood"),
            notes="Null: a flat curve.",
        ),
    },
    is_local=True,
)
