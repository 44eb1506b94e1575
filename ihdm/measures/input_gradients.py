"""Measure the locality of a network: the spread of the gradient of an output pixel with respect to the input."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts, widen
from ihdm.metrics.estimates import NOT_NEGATIVE, SHARE, Bounds, mean_of_defined
from ihdm.storage.reading import read_arrays

RADII = (1, 2, 3)
"""Radii of the discs, in pixels."""
SIGNED: Bounds = (-1.0, 1.0)

Gradients = Float[np.ndarray, "_ _ image height width"]


def compute(files: Files, settings: Resampling) -> Results:
    """Return the spread of the gradients at each stage."""
    stored = read_arrays(files["gradients"], {"levels": 1, "pixels": 2, "residual": 5, "clean": 5})
    gradients = {name: stored[name] for name in ("residual", "clean")}
    return {"input_gradients": input_gradient_rows(stored["levels"], stored["pixels"], gradients)}


def input_gradient_rows(
    levels: Int[np.ndarray, "stage"], pixels: Int[np.ndarray, "pixel 2"], gradients: Mapping[str, Gradients]
) -> list[dict[str, object]]:
    """Return one row for each stage, output and quantity, means over images and output pixels; errors over images.

    With g the gradient: `within_1` … `within_3` are the shares of |g| within so many pixels of the output pixel,
    `effective_radius` the mean distance from it weighted by |g|, `center` and `neighbours` g at the pixel and the mean
    of g at the four next to it, both over the largest |g|. `null` is the same of a gradient spread evenly over the
    image. Only output pixels at least three pixels from every border count; if there is none, the middle one.
    Gradients that are zero everywhere are omitted; ``n`` counts the remaining images.

    Args:
        levels: of the stages.
        pixels: row and column of each output pixel, the middle one in the middle.
        gradients: by name of the output.

    Raises:
        UserError: if the numbers of gradients, levels and pixels do not match.
    """
    rows: list[dict[str, object]] = []
    for output, values in gradients.items():
        if values.shape[:2] != (len(levels), len(pixels)):
            raise UserError(
                f"input gradients: '{output}' holds {' × '.join(map(str, values.shape[:2]))} stages and pixels, not "
                f"{len(levels)} × {len(pixels)}"
            )
        height, width = values.shape[3:]
        chosen = inner_pixels(pixels, height, width)
        null = _averages(np.ones((len(chosen), 1, height, width)), pixels[chosen])
        for stage, level in enumerate(levels.tolist()):
            for quantity, by_image in _averages(values[stage, chosen].astype(np.float64), pixels[chosen]).items():
                count, estimate = mean_of_defined(by_image, _bounds(quantity))
                named = {"stage": stage, "level": level, "output": output, "quantity": quantity, "n": count}
                rows.append({**named, **estimate.columns(), "null": float(null[quantity][0])})
    return rows


def inner_pixels(pixels: Int[np.ndarray, "pixel 2"], height: int, width: int) -> list[int]:
    """Return which pixels have all discs inside the image; the middle one if there is none."""
    nearest_border = np.minimum(pixels, np.array([height, width]) - 1 - pixels).min(axis=1)
    return np.nonzero(nearest_border >= max(RADII))[0].tolist() or [len(pixels) // 2]


def measures(
    gradients: Float[np.ndarray, "image height width"], row: int, column: int
) -> dict[str, Float[np.ndarray, "image"]]:
    """Return each quantity of the gradients of one output pixel, NaN where they are zero everywhere."""
    height, width = gradients.shape[1:]
    distances = np.hypot(np.arange(height)[:, None] - row, np.arange(width)[None, :] - column)
    strength = np.abs(gradients)
    largest = strength.max(axis=(1, 2))
    largest = np.where(largest > 0, largest, np.nan)
    strength = strength / largest[:, None, None]  # so that the sum of very small gradients is no rounding error
    total = strength.sum(axis=(1, 2))
    found = {f"within_{radius}": strength[:, distances <= radius].sum(axis=1) / total for radius in RADII}
    found["effective_radius"] = (strength * distances).sum(axis=(1, 2)) / total
    found["centre"] = gradients[:, row, column] / largest
    found["neighbours"] = gradients[:, distances == 1].mean(axis=1) / largest
    return found


def _averages(
    gradients: Float[np.ndarray, "pixel image height width"], pixels: Int[np.ndarray, "pixel 2"]
) -> dict[str, Float[np.ndarray, "image"]]:
    """Return each quantity of each image, a mean over the output pixels whose gradient is not zero everywhere."""
    found = [measures(one, *where) for one, where in zip(gradients, pixels.tolist(), strict=True)]
    averages = {}
    for quantity in found[0]:
        values = np.stack([one[quantity] for one in found])
        count = (~np.isnan(values)).sum(axis=0)
        averages[quantity] = np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)
    return averages


def _bounds(quantity: str) -> Bounds:
    if quantity.startswith("within"):
        return SHARE
    return NOT_NEGATIVE if quantity == "effective_radius" else SIGNED


NAMES = {
    "within_1": "within 1 pixel",
    "within_2": "within 2",
    "within_3": "within 3",
    "effective_radius": "mean distance",
    "centre": "at the pixel",
    "neighbours": "at its neighbours",
}
WITHOUT_NULL = ("centre", "neighbours")


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, level and output, with its quantities."""
    texts = [
        text if row.quantity in WITHOUT_NULL else f"{text}, even {row.null:.2g}"
        for text, row in zip(interval_texts(table), table.itertuples(), strict=True)
    ]
    keys = ["experiment", "output", "level"]
    return widen(table.assign(text=texts), keys, "quantity").rename(columns=NAMES)


MEASURE = diagnostic_measure(
    "input_gradients",
    compute,
    {"gradients": diagnostic("gradients.npz", "the gradients of output pixels, .npz")},
    Table(
        heading="Locality of input gradients",
        explanation=(
            "Gradient of an output pixel with respect to the input, at stages of sampling, for the network's "
            "residual (`residual`) and the estimated image (`clean`). Locality: share of the absolute gradient "
            "within 1 to 3 pixels, and its mean distance (effective radius). Shape: gradient at the pixel and at "
            "its four neighbors, relative to the largest. Negative neighbors mean sharpening. Intervals of 95 % are "
            "over images. “even” is the value of a gradient spread evenly over the image."
        ),
        columns={
            "stage, level": "stage of sampling",
            "output": "`residual`, the change of the state; `clean`, the estimated image",
            "quantity": (
                "`within_1` … `within_3`: share of the absolute gradient within so many pixels; "
                "`effective_radius`: its mean distance in pixels; `centre`, `neighbours`: gradient at the pixel "
                "and next to it, over the largest"
            ),
        },
        summarize=summarize,
        notes=(
            "Null: `null`, the value of a gradient spread evenly over the image. Errors are those of a mean over "
            "images."
        ),
    ),
    job="diagnostics",
)
