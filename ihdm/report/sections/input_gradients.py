"""Where networks look."""

import pandas as pd

from ihdm.measures.texts import interval_texts, widen
from ihdm.report.parts import parts_by_probe

HEADING = "How far does a network look?"
EXPLANATION = (
    "The gradient of an output pixel with respect to the input, at levels from the start to the end of generation: of "
    "what is added to the state (residual) and of the estimated image (clean). Shares of its absolute value within so "
    "many pixels, and its mean distance; then the gradient at the pixel itself and at its four neighbours, relative "
    "to the largest anywhere, negative at the neighbours where the network sharpens. With 95 % intervals over images; "
    "even: the same of a gradient spread evenly over the image, of a network that looks everywhere alike."
)
NAMES = {
    "within_1": "within 1 pixel",
    "within_2": "within 2",
    "within_3": "within 3",
    "effective_radius": "mean distance",
    "centre": "at the pixel",
    "neighbours": "at its neighbours",
}
SIGNED = ("centre", "neighbours")

parts = parts_by_probe("input_gradients")


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, level and output, with its quantities."""
    texts = [
        text if row.quantity in SIGNED else f"{text}, even {row.null:.2g}"
        for text, row in zip(interval_texts(table), table.itertuples(), strict=True)
    ]
    keys = ["experiment", "output", "level"]
    return widen(table.assign(text=texts), keys, "quantity").rename(columns=NAMES)
