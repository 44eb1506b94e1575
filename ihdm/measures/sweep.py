"""Write every measure of every experiment to one tidy table, as .csv and .parquet, with the swept parameters."""

from collections.abc import Mapping

import pandas as pd

from ihdm.config.experiments import NUMBERS
from ihdm.config.settings import (
    Count,
    Levels,
    Name,
    NoiseWidth,
    NotNegative,
    NumLevels,
    PriorNoise,
    Rounding,
    Seed,
    Settings,
)
from ihdm.measures import Files, Measure, Results, Table, merged_tables
from ihdm.runs import Input, Run, used_datasets, whole_scale
from ihdm.storage.reading import open_images, read_table

COLUMNS = (
    *("dataset", "experiment", "base", "swept", *NUMBERS, "levels", "prior_noise", "rounding", "sampler"),
    *("is_departure", "delta_ratio", "set", "metric", "extractor", "extractor_sha256", "reference", "n", "value"),
    *("standard_error", "degrees", "error_parts"),
)
TABLES = {
    "distance": ("dataset", "set", "metric", "reference", "value"),
    "memorisation": ("dataset", "set", "metric", "reference", "value"),
    "spectrum": ("dataset", "set", "metric", "reference", "value", "band"),
    "likelihood": ("joint", "variance", "bits_per_dim"),
}
"""Its merged tables, each with the required columns besides the common ones."""


class SweptExperiment(Settings):
    """The sweepable parameters of an experiment, its swept parameter, and its base experiment."""

    base: Name
    swept: str | None
    is_departure: bool
    dataset: Name
    sampler: Name
    sigma: NoiseWidth | None
    num_levels: NumLevels
    blur_sigma_max: NotNegative | None
    num_train: Count | None
    seed: Seed
    levels: Levels
    prior_noise: PriorNoise
    rounding: Rounding


class SweptExperiments(Settings):
    """All experiments by name."""

    experiments: dict[str, SweptExperiment]


def compute(files: Files, settings: SweptExperiments) -> Results:
    """Return the table."""
    counts = {key.partition(":")[2]: len(open_images(path)) for key, path in files.items() if key.startswith("train:")}
    every = ("experiment", "delta_ratio", "n", "standard_error", "degrees", "error_parts")
    merged = {name: read_table(files[name], (*every, *needed)) for name, needed in TABLES.items() if name in files}
    table = tidy_table(merged, settings.experiments, counts)
    return {"sweep": table, "parquet": lambda path: table.to_parquet(path, index=False)}


def tidy_table(
    tables: Mapping[str, pd.DataFrame], experiments: Mapping[str, SweptExperiment], num_train: Mapping[str, int]
) -> pd.DataFrame:
    """Return the rows of several merged tables in one format, without rows that have no value.

    Args:
        tables: merged tables by kind: some of `distance`, `memorisation`, `spectrum`, `likelihood`.
        experiments: the parameters of every experiment. Rows of real images have no experiment.
        num_train: training images of each data set, for the experiments that are trained on all of them.
    """
    parts = [_in_one_form(kind, table) for kind, table in tables.items()]
    merged = pd.concat(parts, ignore_index=True).dropna(subset="value")
    known = pd.DataFrame([{"experiment": name, **swept.model_dump()} for name, swept in experiments.items()])
    datasets = known.set_index("experiment")["dataset"]
    merged["dataset"] = merged["experiment"].map(datasets).fillna(merged["dataset"])
    known["num_train"] = known["num_train"].fillna(known["dataset"].map(num_train))
    merged = merged.merge(known.drop(columns="dataset"), on="experiment", how="left")
    for name in ("num_levels", "num_train", "seed", "n"):
        merged[name] = merged[name].astype("Int64")
    return merged[list(COLUMNS)]


def _in_one_form(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    if kind == "likelihood":
        # The paper's bound, one for each δ; the others have no δ.
        table = table[(table["joint"] == "independent") & (table["variance"] == "one")]
        table = table.assign(metric="bits_per_dim", set="test", value=table["bits_per_dim"])
    if kind == "spectrum":
        is_band = table["metric"] == "relative_power"
        table = table.assign(metric=table["metric"].where(~is_band, table["metric"] + "_" + table["band"]))
    measured = COLUMNS[COLUMNS.index("delta_ratio") :]
    return table.reindex(columns=["dataset", "experiment", *measured])


def swept_experiments(run: Run) -> SweptExperiments:
    """Return the parameters of every experiment and variant."""
    return SweptExperiments(
        experiments={
            name: SweptExperiment(
                base=variant.base,
                swept=variant.swept,
                is_departure=variant.is_departure,
                dataset=variant.dataset,
                sampler=variant.sampler,
                sigma=getattr(variant.experiment.process, "sigma", None),
                num_levels=variant.experiment.process.num_levels,
                blur_sigma_max=getattr(variant.experiment.process, "blur_sigma_max", None),
                num_train=variant.experiment.num_train,
                seed=variant.experiment.seed,
                levels=variant.experiment.training.levels,
                prior_noise=variant.prior_noise,
                rounding=variant.rounding,
            )
            for name, variant in run.config.variants.items()
        }
    )


def _merged(name: str) -> Input:
    return Input(
        f"metrics/{name}.csv",
        exists=lambda run: name in merged_tables(run.config),
        about=f"the merged table {name}, .csv",
        is_optional=True,
    )


MEASURE = Measure(
    compute=compute,
    runs=whole_scale,
    inputs={
        **{name: _merged(name) for name in TABLES},
        "train": Input(
            lambda run: {dataset: f"data/{dataset}/train.npy" for dataset in used_datasets(run.config)},
            about="the training images of each data set, .npy",
        ),
    },
    outputs={"sweep": "metrics/sweep.csv", "parquet": "metrics/sweep.parquet"},
    settings=swept_experiments,
    model=SweptExperiments,
    tables={
        "sweep": Table(
            heading="",
            explanation="",
            columns={
                "base, swept": "base experiment of a variant, and the swept parameter",
                "sigma, num_levels, blur_sigma_max, num_train, seed, levels, prior_noise, rounding, sampler": (
                    "parameters of the experiment"
                ),
                "is_departure": "whether it follows the released code instead of the description",
            },
            is_reported=False,
            notes=(
                "All measures of samples and bounds in one tidy table, as CSV and Parquet. Rows are those of "
                "[distance](#distance), [memorisation](#memorisation), [spectrum](#spectrum) and "
                "[likelihood](#likelihood)."
            ),
        )
    },
)
