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
            heading="Merging and branching of paths (toy)",
            explanation=(
                "A toy with one mode of frequency, a few data points and the exact reverse process, for several σ in "
                "units of the data. Merged: uncertainty, in bits, about the data point that a state came from. It is 0 "
                "if forward paths are separate, and the logarithm of the number of data points after they have merged. "
                "Branched: the same for the end of reverse paths from one state, with 95 % intervals over states. "
                "More noise lets paths merge earlier and branch later."
            ),
            columns={
                "sigma": "σ in units of the data",
                "level, fraction": "k, and k/K",
                "quantity": (
                    "`merged`: uncertainty about the origin of a state, in bits; `branched`: the same for the end of "
                    "reverse paths from it"
                ),
            },
            summarize=summarize,
            notes=(
                "Null: 0 if paths are apart; the logarithm of the number of data points if all have merged. `merged` "
                "is exact."
            ),
        ),
    },
)
