"""Estimate the δ at which the distances of samples are lowest, with a confidence interval."""

import pandas as pd

from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import of_experiment
from ihdm.runs import Input, each_experiment


class DistanceMinimumSettings(Settings):
    """The settings of the minimum of distances."""

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
            heading="At which noise is sampling best?",
            explanation=(
                "Where distance and bound are lowest over δ/σ, with 95 % intervals: for distances from the joint error "
                "of the values at the δ that were sampled, which share starts and noise; for the bound from resampling "
                "test images on a grid of step 0.01 or finer. A minimum may lie between values, so that the interval "
                "reaches to the neighboring ones. At the edge: the lowest value may be the first or last that was "
                "tried, and the true minimum beyond it."
            ),
            columns={
                "metric": "which curve: a distance, or `bits_per_dim`",
                "delta_ratio, value": "where it is lowest, and how low",
                "low, high": (
                    "95 % interval of the place; it reaches to the neighbouring values, as a minimum may lie between "
                    "two"
                ),
                "verdict": "`inside`; `edge`, if it may lie beyond what was tried; `flat`, if it may lie anywhere",
                "first_ratio, last_ratio, num_ratios": "what was tried",
                "minima, num_curves": (
                    "between which ratios the resampled curves have their minima, with the share of the curves; and "
                    "how many curves there are"
                ),
            },
            summarize=summarize,
            made_by=("minimum_distance", "minimum_likelihood"),
            rows="At which noise is sampling best? One row for each curve over δ/σ.",
            notes=(
                "Null: a flat curve. Curves of distances are drawn from the joint error of their values, as samples at "
                "different δ share starts and noise. Curves of the bound come from resampling test images."
            ),
        ),
    },
    is_local=True,
)
