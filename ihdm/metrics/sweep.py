"""One tidy table of everything measured: a row is one measure of one set of images, with what was swept beside it."""

from collections.abc import Mapping

import pandas as pd

from ihdm.config.experiments import NUMBERS
from ihdm.config.stages import SweptExperiment

COLUMNS = (
    *(
        "dataset",
        "experiment",
        "base",
        "swept",
        *NUMBERS,
        "levels",
        "prior_noise",
        "rounding",
        "sampler",
        "is_departure",
    ),
    *("delta_ratio", "set", "metric", "extractor", "extractor_sha256", "reference", "n", "value", "standard_error"),
)


def tidy_table(
    tables: Mapping[str, pd.DataFrame], experiments: Mapping[str, SweptExperiment], num_train: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of several joint tables in one form; those without a value are left out.

    Args:
        tables: joint tables by kind: `distance`, `memorisation`, `spectrum`, `likelihood`, or some of them.
        experiments: the parameters of every experiment. Rows of real images belong to none.
        num_train: training images of each data set, for the experiments that are trained on all of them.
    """
    parts = [_in_one_form(kind, table) for kind, table in tables.items()]
    joint = pd.concat(parts, ignore_index=True).dropna(subset="value")
    known = pd.DataFrame([{"experiment": name, **swept.model_dump()} for name, swept in experiments.items()])
    datasets = known.set_index("experiment")["dataset"]
    joint["dataset"] = joint["experiment"].map(datasets).fillna(joint["dataset"])
    known["num_train"] = known["num_train"].fillna(known["dataset"].map(num_train))
    joint = joint.merge(known.drop(columns="dataset"), on="experiment", how="left")
    for name in ("num_levels", "num_train", "seed", "n"):
        joint[name] = joint[name].astype("Int64")
    return joint[list(COLUMNS)]


def _in_one_form(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    if kind == "likelihood":
        # The paper's bound, one for each δ; the others belong to a network and no δ.
        table = table[(table["joint"] == "independent") & (table["variance"] == "one")]
        table = table.assign(metric="bits_per_dim", set="test", value=table["bits_per_dim"])
    if kind == "spectrum":
        is_band = table["metric"] == "relative_power"
        table = table.assign(metric=table["metric"].where(~is_band, table["metric"] + "_" + table["band"]))
    measured = COLUMNS[COLUMNS.index("delta_ratio") :]
    return table.reindex(columns=["dataset", "experiment", *measured])


def swept_parameters(table: pd.DataFrame, base: str) -> dict[str, pd.DataFrame]:
    """Return for each swept number the rows of ``base`` and of the experiments that differ from it in that alone.

    Args:
        table: the tidy table.
        base: name of the experiment that others vary.
    """
    family = table[table["base"] == base]
    found = {}
    for parameter in NUMBERS:
        varied = family[family["swept"] == parameter]
        if len(varied):
            found[parameter] = pd.concat([family[family["experiment"] == base], varied])
    return found
