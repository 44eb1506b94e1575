"""Measure where the forward paths of a toy merge and its reverse paths branch, for several σ."""

from functools import partial

import pandas as pd

from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.texts import interval_texts, widen
from ihdm.runs import whole_scale


class PathSettings(Settings):
    """Settings of the toy."""

    seed: Seed = 0


def compute(files: Files, settings: PathSettings) -> Results:
    """Return the table, and the paths that a figure shows."""
    from ihdm.metrics.paths import path_rows, shown_paths
    from ihdm.storage.arrays import save_arrays

    return {"paths": path_rows(settings.seed), "arrays": partial(save_arrays, **shown_paths(settings.seed))}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each level, with both quantities for each σ."""
    has_error = table["standard_error"] > 0
    texts = interval_texts(table.assign(low=table["low"].where(has_error), high=table["high"].where(has_error)))
    names = [f"{row.quantity}, σ = {row.sigma:g}" for row in table.itertuples()]
    return widen(table.assign(text=texts, name=names), "level", "name")


MEASURE = Measure(
    compute=compute,
    runs=lambda config: whole_scale(config) if config.diagnostics else [],
    inputs={},
    outputs={"paths": "metrics/paths/toy.csv", "arrays": "metrics/paths/toy.npz"},
    settings=lambda _: PathSettings(),
    model=PathSettings,
    is_local=True,
    tables={
        "paths": Table(
            heading="Where do forward paths merge, and reverse paths branch?",
            explanation=(
                "One mode of frequency, a few data points and the exact reverse process, for several σ in units of "
                "the data. Merged: how uncertain it is, in bits, which data point a state at a level came from; 0 "
                "where forward paths lie apart, and the logarithm of the number of data points where they have "
                "merged. Branched: the same of where reverse paths from one state end, with 95 % intervals over "
                "states. More noise lets paths merge after less blur, and branch later."
            ),
            columns={
                "sigma": "σ in units of the data",
                "level, fraction": "k, and k/K",
                "quantity": (
                    "`merged`: bits of uncertainty which data point a state came from; `branched`: the same of where "
                    "reverse paths from it end"
                ),
            },
            summarize=summarize,
            rows=(
                "Where do forward paths merge, and reverse paths branch? A toy of one mode and a few data points, "
                "computed exactly."
            ),
            notes=(
                "Null: 0 where paths lie apart; the logarithm of the number of points where all have merged. "
                "`merged` is exact; the error of `branched` is over states."
            ),
        ),
    },
)
