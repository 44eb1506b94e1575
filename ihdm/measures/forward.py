"""Compare heat with a Gaussian filter and noise with a flat spectrum, and find which frequencies each removes first."""

import pandas as pd

from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.data_spectrum import SquaresSettings, squares_settings
from ihdm.measures.inputs import TRAIN, of_dataset
from ihdm.measures.texts import interval_texts, widen
from ihdm.runs import each_dataset


def compute(files: Files, settings: SquaresSettings) -> Results:
    """Return the rows of all quantities."""
    from ihdm.metrics.forward import forward_rows
    from ihdm.storage.reading import open_images

    images = open_images(files["train"])
    return {"forward": forward_rows(images, settings.num_resamples, settings.seed, settings.squares)}


NAMES = {
    "gaussian_difference": "difference from a Gaussian",
    "added_power": "added power",
    "halving": "halving",
    "order": "order",
}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each data set, quantity and strength, with its bands from coarse to fine, if it has any."""
    bands = table.groupby(["dataset", "quantity", "process", "strength"], dropna=False)["frequency"].rank("dense")
    table = table.assign(
        text=interval_texts(table),
        quantity=table["quantity"].map(NAMES),
        strength=table["strength"].map("{:g}".format).replace("nan", "–"),
        name=bands.map("band {:.0f}".format).replace("band nan", "all"),
    )
    keys = ["dataset", "quantity", "process", "strength", "n"]
    return widen(table, keys, "name").fillna("–")


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"train": TRAIN},
    outputs={"forward": "metrics/forward/{dataset}.csv"},
    settings=squares_settings,
    model=SquaresSettings,
    labels=of_dataset,
    tables={
        "forward": Table(
            heading="Effect of heat and noise on images",
            explanation=(
                "Difference from a Gaussian: root mean square of heat minus a sampled Gaussian filter of the same "
                "width, relative to the change by the blur, away from borders. Added power: power of noisy images "
                "over the power of the images plus σ², per band. Halving: blur width in pixels that halves the power "
                "of a band, and σ of the noise that equals it. Order: rank correlation of these with frequency; 1 if "
                "fine detail vanishes first. 95 % intervals over images."
            ),
            columns={
                "quantity": (
                    "`gaussian_difference`, zero if heat is that blur; `added_power`, one if noise has a flat "
                    "spectrum; `halving`; `order`"
                ),
                "process": "`heat` or `noise`",
                "strength": "blur width in pixels, or σ of the noise",
                "frequency": "mean of the band [radians per pixel]",
            },
            summarize=summarize,
            notes=(
                "All values are from the first 128 training images of each data set. Null of the order: 0. Errors are "
                "those of ratios over images, or a jackknife over images."
            ),
        ),
    },
)
