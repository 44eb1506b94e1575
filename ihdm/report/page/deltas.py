"""What the sampling noise δ does to samples, their spectrum, distance and bound: what the explorer moves together."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ihdm.config.experiments import Variant
from ihdm.measures.texts import interval_text
from ihdm.report.page import charts
from ihdm.report.page.images import Sheet, sheet
from ihdm.report.page.results import Results
from ihdm.storage.reading import open_images

MOST_IMAGES = 32
BITS_OF_A_VALUE = 8


@dataclass(frozen=True)
class Explorer:
    """One experiment under the slider of δ/σ.

    Attributes:
        experiment: its name.
        ratios: every δ/σ, ascending.
        first: place among them that is shown first, that of the experiment's own.
        samples: a row of the sheet for each δ/σ, the same samples in each.
        charts: by name, Vega-Lite.
        readouts: for each δ/σ what was measured there, in words.
    """

    experiment: str
    ratios: list[float]
    first: int
    samples: Sheet
    charts: dict[str, charts.Chart]
    readouts: list[str]


def explorers(results: Results) -> list[Explorer]:
    """Return every experiment that was sampled at three δ/σ or more and whose samples are there."""
    return [
        _explorer(results, variant)
        for variant in results.curves.values()
        if all(results.samples(variant.name, ratio).exists() for ratio in variant.delta_ratios)
    ]


def _explorer(results: Results, variant: Variant) -> Explorer:
    ratios = list(variant.delta_ratios)
    images = [open_images(results.samples(variant.name, ratio)) for ratio in ratios]
    shown = min(MOST_IMAGES, *map(len, images))
    drawn: dict[str, charts.Chart] = {}
    words: dict[float, list[str]] = {ratio: [] for ratio in ratios}
    own = variant.delta_ratio
    for curve in _curves(results, variant):
        drawn[curve.name] = charts.curve(curve, own)
        for ratio, *estimate in _floats(curve.table):
            measure, _, unit = curve.title.partition(", ")
            words[ratio].append(f"{measure} {interval_text(*estimate)} {unit}".rstrip())
    bands = _spectrum(results, variant.name)
    if bands is not None:
        drawn["spectrum"] = charts.spectrum(bands, own)
        for ratio, *estimate in _floats(bands[bands["band"] == charts.BANDS[-1]]):
            words[ratio].append(f"power in the finest band {interval_text(*estimate)}")
    return Explorer(
        variant.name,
        ratios,
        ratios.index(own),
        sheet(np.stack([part[:shown] for part in images])),
        drawn,
        [" · ".join(words[ratio]) for ratio in ratios],
    )


def _curves(results: Results, variant: Variant) -> list[charts.Curve]:
    found = []
    distances = results.sampled_distances(variant.name)
    if distances is not None:
        floor = results.floor(variant.dataset)
        title = "FID" if (distances["metric"] == "fid").all() else "Fréchet distance"
        level = None if floor is None else (floor, "real images")
        found.append(charts.Curve("distance", title, _ratios(distances), level, is_log=True))
    bounds = _bounds(results, variant.name)
    if bounds is not None:
        level = (BITS_OF_A_VALUE, "8 bits, as stored")
        found.append(charts.Curve("bound", "bound, bits/dim", bounds, level, is_log=False))
    return found


def _ratios(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns={"delta_ratio": "ratio"})[["ratio", "value", "low", "high"]].reset_index(drop=True)


def _floats(table: pd.DataFrame) -> list[list[float]]:
    rows: list[list[float]] = table[["ratio", "value", "low", "high"]].to_numpy(float).tolist()
    return rows


def _bounds(results: Results, experiment: str) -> pd.DataFrame | None:
    """Return the paper's bound by δ/σ; δ = 0 has none."""
    table = results.tables.get("likelihood")
    if table is None:
        return None
    rows = table[
        (table["experiment"] == experiment) & (table["joint"] == "independent") & (table["variance"] == "one")
    ].dropna(subset="delta_ratio")
    half = 1.96 * rows["standard_error"]
    rows = rows.assign(value=rows["bits_per_dim"], low=rows["bits_per_dim"] - half, high=rows["bits_per_dim"] + half)
    return None if rows.empty else _ratios(rows.sort_values("delta_ratio"))


def _spectrum(results: Results, experiment: str) -> pd.DataFrame | None:
    table = results.tables.get("spectrum")
    if table is None:
        return None
    rows = table[
        (table["experiment"] == experiment) & (table["set"] == "samples") & table["band"].isin(charts.BANDS)
    ].dropna(subset="delta_ratio")
    if rows.empty:
        return None
    # A logarithmic scale has no place for an interval's end below zero.
    cut = rows["low"].where(rows["low"] > 0, rows["value"] / 10)
    return _ratios(rows.assign(low=cut)).assign(band=rows["band"].to_numpy())
