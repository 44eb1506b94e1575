"""Find the order in which frequency bands are generated, by when each has half of its power (paper, section 3.4)."""

import pandas as pd

from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts, widen
from ihdm.storage.reading import read_arrays


def compute(files: Files, settings: Resampling) -> Results:
    """Return the time at which each band is generated, and the order."""
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


MEASURE = diagnostic_measure(
    "generation",
    compute,
    {"trajectories": diagnostic("trajectories.npz", "states and estimates at stages of generation, .npz")},
    Table(
        heading="Order of generation",
        explanation=(
            "Share of generation after which the network's estimates keep at least half of the final power in a "
            "frequency band, from coarse to fine bands, with 95 % intervals over images. It is 1 if they reach it only "
            "at the end. Order: rank correlation of this share with frequency; 1 if coarse structure "
            "comes first, −1 if fine detail does."
        ),
        columns={
            "band": "from 0, the coarsest, to the finest; or `order`",
            "frequency": "mean of the band [radians per pixel]",
            "level": "level at which the band is reached",
            "value": (
                "share of generation at which the band reaches half of its final power; for `order`, Spearman's "
                "rank correlation with frequency"
            ),
        },
        summarize=summarize,
        notes="Null: an order of 0. Errors come from resampling images.",
    ),
    job="diagnostics",
)
