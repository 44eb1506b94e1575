"""Compare samples by the level at which their paths split (paper, figure 7)."""

import pandas as pd

from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts
from ihdm.storage.reading import read_arrays


def compute(files: Files, settings: Resampling) -> Results:
    """Return the distances of samples that separate at each split."""
    from ihdm.metrics.hierarchy import hierarchy_rows

    stored = read_arrays(files["tree"], {"levels": 1, "leaves": 5})
    return {"hierarchy": hierarchy_rows(stored["levels"], stored["leaves"])}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and level where paths split."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "split at level": table["level"],
            "of all levels": table["fraction"].map("{:.0%}".format),
            "starts": table["n"],
            "distance": interval_texts(table),
            "other starts": table["null"].map("{:.3g}".format),
        }
    )


MEASURE = diagnostic_measure(
    "hierarchy",
    compute,
    {"tree": diagnostic("tree.npz", "the trees of samples, .npz")},
    Table(
        heading="Similarity of samples with split paths",
        explanation=(
            "From each start, sampling paths split in two repeatedly, with independent noise afterwards. The table "
            "has the root mean square distance of samples whose paths split at a level, for pixels in [0, 1], with "
            "95 % intervals over starts. It measures the part of the image that is decided after the split. Other "
            "starts: distance of samples of different starts, the expected maximum."
        ),
        columns={
            "split": "number of the split, from the start",
            "level, fraction": "its level, and the share of all levels",
            "value": "root mean square difference of samples that split there, for pixel values from 0 to 1",
        },
        summarize=summarize,
        notes=(
            "Null: `null`, the distance of samples from different starts. Errors are those of a mean over starts "
            "(trees); n is their number."
        ),
    ),
    job="diagnostics",
)
