"""Tabulate the power that ranges of sampling steps add in each frequency band."""

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.measures import Files, Resampling, Results, Table
from ihdm.measures.inputs import diagnostic, diagnostic_measure
from ihdm.measures.texts import interval_texts, widen
from ihdm.metrics.estimates import SHARE, mean_of_defined
from ihdm.metrics.spectrum import NUM_WIDE_ANNULI, annulus_members, coefficient_power, radial_frequencies
from ihdm.storage.reading import read_arrays


def compute(files: Files, settings: Resampling) -> Results:
    """Return the shares of each range of levels."""
    stored = read_arrays(files["sums"], {"edges": 1, "sums": 5})
    return {"cumulative_sums": cumulative_sum_rows(stored["edges"], stored["sums"])}


def cumulative_sum_rows(
    edges: Int[np.ndarray, "edge"], sums: Float[np.ndarray, "range image height width channel"]
) -> list[dict[str, object]]:
    """Return one row for each range of levels and band: the band's share of the power of the range's sum.

    The power is that of all frequencies but the constant one; the shares of an image sum to one, and their mean over
    images is reported. Images without power in a range are omitted; ``n`` counts the others.

    Args:
        edges: levels that bound the ranges, descending from K to 0.
        sums: sum of the steps in each range.

    Raises:
        UserError: if there is not one range between each two edges.
    """
    if len(sums) != len(edges) - 1:
        raise UserError(f"cumulative sums: {len(sums)} ranges between {len(edges)} levels; there must be one less")
    height, width = sums.shape[2:4]
    inside = annulus_members(height, width, NUM_WIDE_ANNULI)
    frequencies = radial_frequencies(height, width).ravel()[1:] @ (inside / inside.sum(axis=0))
    rows: list[dict[str, object]] = []
    for number, added in enumerate(sums):
        power = coefficient_power(added).reshape(len(added), -1)[:, 1:] @ inside
        total = power.sum(axis=1, keepdims=True)
        shares = np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
        named = {"range": number, "level_from": int(edges[number]), "level_to": int(edges[number + 1])}
        for band, frequency in enumerate(frequencies.tolist()):
            count, estimate = mean_of_defined(shares[:, band], SHARE)
            rows.append({**named, "band": band, "frequency": frequency, "n": count, **estimate.columns()})
    return rows


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and range of levels, with the share of each band."""
    levels = [f"{row.level_from} … {row.level_to}" for row in table.itertuples()]
    table = table.assign(text=interval_texts(table), levels=levels, name=[f"band {band + 1}" for band in table["band"]])
    return widen(table, ["experiment", "levels"], "name").fillna("–")


MEASURE = diagnostic_measure(
    "cumulative_sums",
    compute,
    {"sums": diagnostic("sums.npz", "the sums of steps over ranges of levels, .npz")},
    Table(
        heading="Power added by ranges of levels",
        explanation=(
            "The sampling steps are summed over each range of levels. The table has the share of the sum's power in "
            "each frequency band, without the constant, with 95 % intervals over images. Shares that move to finer "
            "bands show generation from coarse to fine."
        ),
        columns={
            "range, level_from, level_to": "the range of levels, from the start",
            "band, frequency": "as above",
            "value": "share of the power of the sum in the band",
        },
        summarize=summarize,
        notes=(
            "Null: equal shares in every range. Errors are those of a mean over images; images without power in a "
            "range are omitted."
        ),
    ),
    job="diagnostics",
)
