"""How alike samples are whose paths split late (paper, figure 3)."""

import pandas as pd

from ihdm.measures import Files, Measure, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, of_experiment, resampling
from ihdm.measures.texts import interval_texts
from ihdm.runs import each_diagnosed
from ihdm.storage.reading import read_arrays


def compute(files: Files, settings: Resampling) -> Results:
    """Return the distances of samples that part at each split."""
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


MEASURE = Measure(
    compute=compute,
    runs=each_diagnosed,
    inputs={"tree": diagnostic("tree.npz", "the trees of samples, .npz")},
    outputs={"hierarchy": "metrics/hierarchy/{experiment}.csv"},
    settings=resampling,
    model=Resampling,
    labels=of_experiment,
    job="diagnostics",
    gpu="features",
    memory_mb=16000,
    minutes=720,
    tables={
        "hierarchy": Table(
            heading="When is decided what?",
            explanation=(
                "From each start a path splits in two again and again, and from there on each half gets noise of its "
                "own. Distance (root mean square, pixels in [0, 1]) of the samples whose paths parted at a level, "
                "with 95 % intervals over starts: what is decided later than that level. Other starts: the same of "
                "samples that share nothing, the largest it can be expected to be."
            ),
            columns={
                "split": "number of the split, from the start",
                "level, fraction": "where it is, and which share of all levels",
                "value": "root mean square difference of the pixels of samples that part there, images in [0, 1]",
            },
            summarize=summarize,
            rows="How alike are samples whose paths split late? One row for each split.",
            notes=(
                "Null: `null`, the same of samples of different starts. Errors are those of a mean over starts "
                "(trees). n is their number."
            ),
        ),
    },
)
