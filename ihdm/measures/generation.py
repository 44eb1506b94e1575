"""In which order bands of frequency are generated: when each reaches half of its final power (paper, section 3.4)."""

import pandas as pd

from ihdm.measures import Files, Measure, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, of_experiment, resampling
from ihdm.measures.texts import interval_texts, widen
from ihdm.runs import each_diagnosed
from ihdm.storage.reading import read_arrays


def compute(files: Files, settings: Resampling) -> Results:
    """Return when each band is generated, and in which order."""
    from ihdm.metrics.generation import generation_rows

    stored = read_arrays(files["trajectories"], {"levels": 1, "states": 5, "estimates": 5})
    final = stored["states"][-1]
    return {
        "generation": generation_rows(
            stored["levels"], stored["estimates"], final, settings.num_resamples, settings.seed
        )
    }


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, with its bands and their order."""
    bands = table["band"].astype(str)
    names = [band if band == "order" else f"band {int(band) + 1}" for band in bands]
    table = table.assign(text=interval_texts(table), name=names)
    return widen(table, ["experiment", "n"], "name").fillna("–")


MEASURE = Measure(
    compute=compute,
    runs=each_diagnosed,
    inputs={"trajectories": diagnostic("trajectories.npz", "states and estimates at stages of generation, .npz")},
    outputs={"generation": "metrics/generation/{experiment}.csv"},
    settings=resampling,
    model=Resampling,
    labels=of_experiment,
    job="diagnostics",
    gpu="features",
    memory_mb=16000,
    minutes=720,
    tables={
        "generation": Table(
            heading="Is coarse structure generated before fine detail?",
            explanation=(
                "The share of all levels that is done when what the network's estimates hold of the final images, in "
                "a band of spatial frequency, reaches half of their power for good, from the coarsest band to the "
                "finest, with 95 % intervals over images; 1 if it never does before the end. Order: rank correlation "
                "of this share with frequency, 1 if coarse comes before fine, −1 if fine comes first, around 0 if "
                "there is no order."
            ),
            columns={
                "band": "from the coarsest, 0, to the finest; or `order`",
                "frequency": "mean of the band [radians per pixel]",
                "level": "where the band is reached",
                "value": (
                    "share of generation done when its power in the network's estimates first reaches half of the "
                    "final; of `order`, Spearman's rank correlation with frequency"
                ),
            },
            summarize=summarize,
            rows="In which order does detail come? One row for each band, and a row `order`.",
            notes="Null: an order of 0. +1 is coarse to fine, −1 the reverse. Errors come from resampling images.",
        ),
    },
)
