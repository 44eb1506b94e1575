"""Compare heat with a Gaussian filter and noise with a flat spectrum, and find which frequencies each removes first.

Theory predicts these numbers (paper, sections 3.1 and 3.4): away from borders, heat is a Gaussian blur. Noise adds a
flat spectrum. Both remove fine detail first.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ihdm.data.order import photograph_numbers
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.data_spectrum import SquaresSettings, squares_settings
from ihdm.measures.inputs import TRAIN, of_dataset
from ihdm.measures.texts import interval_texts, widen
from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, Photographs, jackknife, ratio_estimate
from ihdm.metrics.spectrum import (
    CORRELATION,
    NO_POWER,
    NUM_WIDE_ANNULI,
    Pixels,
    annulus_members,
    annulus_power,
    coefficient_power,
    rank_correlation,
)
from ihdm.runs import each_dataset
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images

MAX_IMAGES = 128
WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Blur widths in pixels at which heat is compared with a sampled Gaussian, which narrower ones would not resolve."""
REACH = 3
"""Omitted border, in blur widths: 0.3 % of a Gaussian are beyond."""
NOISE_LEVELS = (0.01, 0.1, 1.0)
"""Standard deviations of noise, in units of the image range."""
MOST_VALUES = 2**25
"""Most random numbers that are drawn at one of them, but for a single draw for each image."""
MOST_DRAWS = 128
CHUNK = 16
HALVING_WIDTHS = 48
"""Blur widths, from a tenth of a pixel to the image's size, searched for half of a band's power."""


Part = Int[np.ndarray, "part"]
Powers = Float[np.ndarray, "bands"]


def compute(files: Files, settings: SquaresSettings) -> Results:
    """Return the rows of all quantities."""
    images = open_images(files["train"])
    return {"forward": forward_rows(images, settings.num_resamples, settings.seed, settings.squares)}


def forward_rows(images: StoredImages, num_resamples: int, seed: int, squares: int = 1) -> list[dict[str, object]]:
    """Return the rows of all quantities of the first 128 images, or all if there are fewer, with 95 % intervals.

    - `gaussian_difference`, at several blur widths: root mean square of heat minus SciPy's Gaussian filter over that of
      heat minus the image, over pixels at least three widths from borders; no row if there are none.
    - `added_power`, at three σ of noise and in six bands: power of noisy images over the power of the images plus σ².
    - `halving`, for heat and noise in each band: the blur width that halves its power; σ of the noise that equals it.
    - `order`, for heat and noise: rank correlation of these with frequency, sign reversed: 1 is fine detail first.

    Args:
        images: stored images.
        num_resamples: number of resamples for the intervals of the last two.
        seed: seed of noise and resampling.
        squares: number of images cut from each photograph; errors are then over photographs.

    Raises:
        UserError: if there are fewer than two images, or they have no power in some band.
    """
    pixels = images[:MAX_IMAGES] / 255
    photographs = photograph_numbers(MAX_IMAGES, len(images), squares, "train")
    estimate = partial(
        jackknife, num_images=len(pixels), num_resamples=num_resamples, seed=seed, photographs=photographs
    )
    gaussian = _gaussian_rows(images[:MAX_IMAGES], photographs)
    return [*gaussian, *_noise_rows(pixels, seed, photographs), *_order_rows(pixels, estimate)]


def _gaussian_rows(images: StoredImages, photographs: Photographs | None) -> list[dict[str, object]]:
    from scipy.ndimage import gaussian_filter

    from ihdm.heat import HeatProcess
    from ihdm.storage.tensors import to_tensor

    clean = to_tensor(images)
    rows = []
    height, width = images.shape[1:3]
    for blur in WIDTHS:
        margin = int(np.ceil(REACH * blur))
        if min(height, width) <= 2 * margin:
            break
        inside = np.s_[:, :, margin : height - margin, margin : width - margin]
        heat = HeatProcess([0.0, blur], height, width).blur(clean, 1).double().numpy()
        gaussian = gaussian_filter(clean.double().numpy(), (0, 0, blur, blur), mode="nearest")
        above, below = (
            np.square(heat - other)[inside].mean(axis=(1, 2, 3)) for other in (gaussian, clean.double().numpy())
        )
        squared = ratio_estimate(above, below, photographs=photographs)
        root = np.sqrt(squared.value)
        scale = 1 / (2 * root) if root > 0 else 0.0
        parts = tuple(scale * part for part in squared.parts)
        found = Estimate(root, scale * squared.standard_error, NOT_NEGATIVE, squared.degrees, parts)
        rows.append(_row("gaussian_difference", "heat", len(images), found, blur))
    return rows


def _noise_rows(pixels: Pixels, seed: int, photographs: Photographs | None) -> list[dict[str, object]]:
    """Return the power of noisy images over the expected power; each image has separate noise."""
    frequencies, clean = annulus_power(pixels, NUM_WIDE_ANNULI)
    num_draws = max(1, min(MOST_DRAWS, MOST_VALUES // pixels.size))
    rows = []
    for number, sigma in enumerate(NOISE_LEVELS):
        noisy = np.zeros_like(clean)
        for draw in range(num_draws):
            for first in range(0, len(pixels), CHUNK):
                part = pixels[first : first + CHUNK]
                noise = generator(seed, "added noise", number, draw, first).standard_normal(part.shape, np.float32)
                noisy[first : first + CHUNK] += annulus_power(part + sigma * noise, NUM_WIDE_ANNULI)[1] / num_draws
        for frequency, above, below in zip(frequencies, noisy.T, clean.T, strict=True):
            ratio = ratio_estimate(above, below + sigma**2, photographs=photographs)
            rows.append(_row("added_power", "noise", len(pixels), ratio, sigma, float(frequency)))
    return rows


def _order_rows(pixels: Pixels, estimate: Callable[..., Estimate]) -> Iterator[dict[str, object]]:
    """Yield halving and order; ``estimate`` is a jackknife of a statistic of these images, within ``bounds``."""
    frequencies, power = annulus_power(pixels, NUM_WIDE_ANNULI)
    if power.mean(axis=0).min() < NO_POWER:
        raise UserError("forward: the images have no power in some frequency band; use other images")
    blurs = np.geomspace(0.1, max(pixels.shape[1:3]), HALVING_WIDTHS)
    blurred = _blurred_power(pixels, blurs)

    def by_heat(part: Part) -> Powers:
        return half_widths(blurs, blurred[part].mean(axis=0) / power[part].mean(axis=0))

    def by_noise(part: Part) -> Powers:
        return np.sqrt(power[part].mean(axis=0))

    def of_band(part: Part, halving: Callable[[Part], Powers], band: int) -> float:
        return float(halving(part)[band])

    def order(part: Part, halving: Callable[[Part], Powers]) -> float:
        return -rank_correlation(frequencies, halving(part))

    for process, halving in (("heat", by_heat), ("noise", by_noise)):
        for band, frequency in enumerate(frequencies.tolist()):
            value = estimate(partial(of_band, halving=halving, band=band), bounds=NOT_NEGATIVE)
            yield _row("halving", process, len(pixels), value, frequency=frequency)
        value = estimate(partial(order, halving=halving), bounds=CORRELATION)
        yield _row("order", process, len(pixels), value)


def half_widths(
    blurs: Float[np.ndarray, "widths"], left: Float[np.ndarray, "widths bands"]
) -> Float[np.ndarray, "bands"]:
    """Return the blur width that halves the power of each band, interpolated between the given widths."""
    # np.interp needs ascending values, and the remaining power decreases with the blur.
    return np.array([np.exp(np.interp(0.5, share[::-1], np.log(blurs[::-1]))) for share in left.T])


def _blurred_power(pixels: Pixels, blurs: Float[np.ndarray, "widths"]) -> Float[np.ndarray, "image widths bands"]:
    """Return the power of each image in each band under each blur."""
    from ihdm.heat import decay

    height, width = pixels.shape[1:3]
    inside = annulus_members(height, width, NUM_WIDE_ANNULI)
    average = inside / inside.sum(axis=0)
    rows, columns = (decay(size, blurs) ** 2 for size in (height, width))
    power = coefficient_power(pixels).reshape(len(pixels), -1)[:, 1:]
    found = [(power * np.outer(row, column).ravel()[1:]) @ average for row, column in zip(rows, columns, strict=True)]
    return np.stack(found, axis=1)


def _row(
    quantity: str, process: str, n: int, estimate: Estimate, strength: float = np.nan, frequency: float = np.nan
) -> dict[str, object]:
    named = {"quantity": quantity, "process": process, "strength": strength, "frequency": frequency, "n": n}
    return {**named, **estimate.columns()}


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
