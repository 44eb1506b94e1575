"""Find the order in which frequency bands are generated, by when each has half of its power (paper, section 3.4).

Only the component of an estimate along the final image counts, F ⟨E, F⟩/⟨F, F⟩ per band, and the last crossing: early
estimates of fine detail may be strong but differ from the result.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts, widen
from ihdm.metrics.estimates import SHARE, Estimate
from ihdm.metrics.spectrum import CORRELATION, NUM_WIDE_ANNULI, Pixels, annulus_power, rank_correlation
from ihdm.seeds import generator
from ihdm.storage.reading import read_arrays

REACHED = 0.5
"""Share of its final power at which a band counts as generated."""

BandMeans = Float[np.ndarray, "stage image band"]


def compute(files: Files, settings: Resampling) -> Results:
    """Return the time at which each band is generated, and the order."""
    stored = read_arrays(files["trajectories"], {"levels": 1, "states": 5, "estimates": 5})
    arrays = stored["levels"], stored["estimates"], stored["states"][-1]
    return {"generation": generation_rows(*arrays, settings.num_resamples, settings.seed)}


def generation_rows(
    levels: Int[np.ndarray, "stage"],
    estimates: Float[np.ndarray, "estimate image height width channel"],
    final: Pixels,
    num_resamples: int,
    seed: int,
) -> list[dict[str, object]]:
    """Return one row per frequency band and a row `order`.

    The value of a band is the share of generation done, 1 − level/K, at which the power that the network's estimates
    hold of the final images reaches half of theirs for good, linear between stages: 0 if it does so at the start, 1 if
    it never does. That of `order` is Spearman's rank correlation of these with frequency: +1 is coarse to fine; it is 0
    if all bands are reached at once. Errors are those of a bootstrap over images.

    Args:
        levels: levels of the stages, descending from K to 0.
        estimates: the network's estimates of the image at all levels but the last.
        final: the generated images.
        num_resamples: number of resamples of the images.
        seed: seed of the resampling.

    Raises:
        UserError: if there are fewer than two images, or not one estimate per level but the last.
    """
    num_images = len(final)
    if num_images < 2 or len(estimates) != len(levels) - 1:
        raise UserError(
            f"generation: {len(estimates)} estimates of {num_images} images at {len(levels)} levels; one at each level "
            "but the last, of two images or more, are needed"
        )
    done = 1 - levels[:-1] / levels[0]
    frequencies, aim = annulus_power(final, NUM_WIDE_ANNULI)
    shared = np.stack([_products(stage, final) for stage in estimates])
    rng = generator(seed, "bootstrap")
    drawn = rng.multinomial(num_images, np.full(num_images, 1 / num_images), size=num_resamples)
    weights = np.vstack([np.ones(num_images), drawn]) / num_images  # the images themselves first
    values = np.stack([reached(done, _held(weight, shared, aim)) for weight in weights])
    orders = np.array([rank_correlation(frequencies, value) for value in values])
    rows: list[dict[str, object]] = []
    for band, frequency in enumerate(frequencies.tolist()):
        estimate = Estimate(float(values[0, band]), float(values[1:, band].std(ddof=1)), SHARE)
        level = (1 - estimate.value) * int(levels[0])
        rows.append({"band": str(band), "frequency": frequency, "level": level, "n": num_images, **estimate.columns()})
    order = Estimate(float(orders[0]), float(orders[1:].std(ddof=1)), CORRELATION)
    return [*rows, {"band": "order", "frequency": np.nan, "level": np.nan, "n": num_images, **order.columns()}]


def _products(first: Pixels, second: Pixels) -> Float[np.ndarray, "image band"]:
    """Return the mean product of two images' coefficients in each band."""
    together, apart = (annulus_power(images, NUM_WIDE_ANNULI)[1] for images in (first + second, first - second))
    return (together - apart) / 4


def _held(
    weight: Float[np.ndarray, "image"], shared: BandMeans, aim: Float[np.ndarray, "image band"]
) -> Float[np.ndarray, "stage band"]:
    """Return the power of the estimates along the final images, as a share of the final power."""
    along = np.einsum("i,sib->sb", weight, shared) / (weight @ aim)
    return np.square(np.maximum(along, 0.0))


def reached(done: Float[np.ndarray, "stage"], share: Float[np.ndarray, "stage band"]) -> Float[np.ndarray, "band"]:
    """Return the time from which each band keeps half of its final power, linear between stages; 1 if it never does."""
    values = np.zeros(share.shape[1])
    for band, curve in enumerate(share.T):
        (below,) = np.nonzero(curve < REACHED)
        if len(below) and below[-1] == len(done) - 1:
            values[band] = 1.0
        elif len(below):
            around = [below[-1], below[-1] + 1]
            values[band] = np.interp(REACHED, curve[around], done[around])
    return values


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
