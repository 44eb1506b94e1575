"""Tabulate the power spectral density of a data set, and α of the power law 1/f^α fitted to it."""

import numpy as np
import pandas as pd
from jaxtyping import Int

from ihdm.config.stages import HasSquares
from ihdm.data.order import photograph_numbers
from ihdm.measures import Files, Measure, Resampling, Results, Table
from ihdm.measures.inputs import TRAIN, of_dataset, squares_of
from ihdm.measures.texts import interval_texts
from ihdm.metrics.estimates import NOT_NEGATIVE, jackknife, mean_estimate
from ihdm.metrics.spectrum import annulus_power, fit_alpha
from ihdm.runs import Run, each_dataset
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images

MAX_IMAGES = 500
FIT_HIGH = np.pi
"""Frequencies beyond π, in radians per pixel, occur on the diagonals only."""

CHUNK = 32


class SquaresSettings(HasSquares, Resampling):
    """Settings of a measure of training images, which are independent or squares of few photographs."""


def squares_settings(run: Run) -> SquaresSettings:
    """Return the settings of a measure of a data set's training images."""
    return SquaresSettings(num_resamples=run.config.evaluation.num_resamples, squares=squares_of(run, "train"))


def compute(files: Files, settings: SquaresSettings) -> Results:
    """Return the power, and α, of the training images."""
    images = open_images(files["train"])
    return {"data_spectrum": power_law_rows(images, settings.num_resamples, settings.seed, settings.squares)}


def power_law_rows(images: StoredImages, num_resamples: int, seed: int, squares: int = 1) -> list[dict[str, object]]:
    """Return rows of quantity ``power``, one for each annulus of frequency, and a row ``alpha``, with 95 % intervals.

    Powers are averaged over the first 500 images, or all if there are fewer. α is fitted by least squares on log-log
    axes over all annuli up to π; its interval is a jackknife over images. Errors are over photographs if images are
    squares of them.

    Args:
        images: stored images.
        num_resamples: resamples behind the interval of α.
        seed: seed of the resampling.
        squares: images cut from each photograph; ``images`` are then all of a split.

    Raises:
        UserError: if there are fewer than two images.
    """
    num_bins = min(50, 2 * images.shape[1])
    starts = range(0, min(MAX_IMAGES, len(images)), CHUNK)
    parts = [annulus_power(images[first : min(first + CHUNK, MAX_IMAGES)] / 255, num_bins) for first in starts]
    frequencies, power = parts[0][0], np.concatenate([values for _, values in parts])
    count = len(power)

    def fitted_alpha(part: Int[np.ndarray, "part"]) -> float:
        return fit_alpha(frequencies, power[part].mean(axis=0), 0.0, FIT_HIGH)

    photographs = photograph_numbers(count, len(images), squares, "train")
    alpha = jackknife(fitted_alpha, count, num_resamples, seed, photographs=photographs)
    fitted = frequencies[frequencies <= FIT_HIGH]
    found = [
        ("power", frequency, frequency, mean_estimate(values, NOT_NEGATIVE, photographs))
        for frequency, values in zip(frequencies, power.T, strict=True)
    ]
    return [
        {"quantity": quantity, "low_frequency": low, "high_frequency": high, "n": count, **estimate.columns()}
        for quantity, low, high, estimate in [*found, ("alpha", fitted[0], fitted[-1], alpha)]
    ]


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each data set."""
    table = table[table["quantity"] == "alpha"]
    return pd.DataFrame(
        {
            "dataset": table["dataset"],
            "n": table["n"],
            "frequencies": [f"{row.low_frequency:.2f} … {row.high_frequency:.2f}" for row in table.itertuples()],
            "α": interval_texts(table),
        }
    )


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"train": TRAIN},
    outputs={"data_spectrum": "metrics/data_spectrum/{dataset}.csv"},
    settings=squares_settings,
    model=SquaresSettings,
    labels=of_dataset,
    tables={
        "data_spectrum": Table(
            heading="Spectrum of the training images",
            explanation=(
                "Exponent α of the power law 1/f^α, fitted to training images over a range of frequencies in radians "
                "per pixel, with 95 % intervals over images. Natural images have an α of about 2."
            ),
            columns={
                "quantity": "`power` in an annulus of frequency, or `alpha` of power ∝ 1/f^α",
                "low_frequency, high_frequency": "the annulus, or the fitted range [radians per pixel]",
            },
            summarize=summarize,
            notes=(
                "Null: an α of 0, a flat spectrum. The error of the power is that of a mean, that of α a jackknife."
            ),
        ),
    },
)
