"""Interactive sections of the page: levels under a slider, δ under a slider, and quality against evaluations."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ihdm.config.experiments import Variant
from ihdm.figures.style import evenly_spaced, to_stored
from ihdm.measures.texts import interval_text
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.quality import NAMES
from ihdm.report.page import charts
from ihdm.report.page.images import Sheet, sheet
from ihdm.report.page.results import DISTANCES, Results, ranked
from ihdm.storage.reading import open_images, read_archive

MAX_STAGES = 41
MAX_TRAJECTORIES = 8
MAX_SAMPLES = 32
STORED_BITS = 8
SAMPLERS = {"paper": "paper, default δ", "paper_best": "paper, best δ"}


@dataclass(frozen=True)
class Strip:
    """Images under a level slider: a row of the sheet for each stage, with a title and a text alternative."""

    title: str
    images: Sheet
    alt: str


@dataclass(frozen=True)
class Process:
    """An experiment under a level slider.

    Attributes:
        experiment: its name.
        title: its display title.
        levels: the level of each stage, from K down to 0.
        strips: forward and reverse images.
    """

    experiment: str
    title: str
    levels: list[int]
    strips: list[Strip]


def level_groups(results: Results) -> dict[str, list[Process]]:
    """Return by data set the experiments with stored trajectories; each data set has a slider."""
    groups: dict[str, list[Process]] = {}
    for name in results.config.diagnostics:
        if results.trajectories(name).exists():
            groups.setdefault(results.config.variants[name].dataset, []).append(_process(results, name))
    return groups


def _process(results: Results, name: str) -> Process:
    path, title = results.trajectories(name), results.titles[name]
    arrays = read_archive(path, ("levels", "states"))
    with np.load(path) as archive:
        forward = archive["forward"] if "forward" in archive.files else None
    stages = evenly_spaced(len(arrays["levels"]), MAX_STAGES)
    strips = []
    for heading, words, images in (
        ("Training images, forward process", "training images of", forward),
        ("Samples, reverse process", "samples of", arrays["states"]),
    ):
        if images is not None:
            shown = sheet(to_stored(images[stages, :MAX_TRAJECTORIES]))
            strips.append(Strip(heading, shown, f"{shown.columns} {words} {title} at the chosen level"))
    return Process(name, title, [int(level) for level in arrays["levels"][stages]], strips)


def opening(groups: Iterable[list[Process]], count: int = 7) -> tuple[Process, list[int]] | None:
    """Return the first experiment and evenly spaced stages of it, to show at the top of the page."""
    for processes in groups:
        return processes[0], evenly_spaced(len(processes[0].levels), count).tolist()
    return None


@dataclass(frozen=True)
class Explorer:
    """An experiment under a slider of δ/σ.

    Attributes:
        experiment: its name.
        title: its display title.
        ratios: every δ/σ, ascending.
        first: index of the default δ/σ.
        samples: a row of the sheet for each δ/σ, with the same starts and noise.
        charts: Vega-Lite charts by name.
        readouts: for each δ/σ, the measured values as text.
    """

    experiment: str
    title: str
    ratios: list[float]
    first: int
    samples: Sheet
    charts: dict[str, charts.Chart]
    readouts: list[str]


def explorers(results: Results) -> list[Explorer]:
    """Return the experiments that were sampled at three δ/σ or more."""
    return [
        _explorer(results, variant)
        for variant in results.curves.values()
        if all(results.samples(variant.name, ratio).exists() for ratio in variant.delta_ratios)
    ]


def _explorer(results: Results, variant: Variant) -> Explorer:
    ratios, own = list(variant.delta_ratios), variant.delta_ratio
    images = [open_images(results.samples(variant.name, ratio)) for ratio in ratios]
    shown = min(MAX_SAMPLES, *map(len, images))
    drawn: dict[str, charts.Chart] = {}
    words: dict[float, list[str]] = {ratio: [] for ratio in ratios}
    for curve in _curves(results, variant):
        drawn[curve.name] = charts.curve(curve, own)
        for ratio, *estimate in _floats(curve.table):
            words[ratio].append(f"{curve.measure} {interval_text(*estimate)} {curve.unit}".rstrip())
    bands = _spectrum(results, variant.name)
    if bands is not None:
        drawn["spectrum"] = charts.spectrum(bands, own)
        for ratio, *estimate in _floats(bands[bands["band"] == charts.BANDS[-1]]):
            words[ratio].append(f"power in the finest band {interval_text(*estimate)}")
    return Explorer(
        variant.name,
        results.titles[variant.name],
        ratios,
        ratios.index(own),
        sheet(np.stack([part[:shown] for part in images])),
        drawn,
        [" · ".join(words[ratio]) for ratio in ratios],
    )


def _curves(results: Results, variant: Variant) -> list[charts.Curve]:
    found = []
    distances = results.distances("samples", experiment=variant.name)
    if distances is not None:
        metric = distances["metric"].iloc[0]
        floor = _floor(results, variant.dataset, metric)
        level = None if floor is None else (floor, "real images")
        is_log = metric in NAMES["frechet_distance"]
        found.append(charts.Curve("distance", DISTANCES[metric], "", _ratios(distances), level, is_log))
    table = results.tables.get("likelihood")
    if table is not None:
        paper = (table["joint"] == "independent") & (table["variance"] == "one")
        rows = table[(table["experiment"] == variant.name) & paper].dropna(subset="delta_ratio")
        if len(rows):
            value, half = rows["bits_per_dim"], half_widths(rows)
            bounds = _ratios(rows.assign(value=value, low=value - half, high=value + half))
            found.append(charts.Curve("bound", "bound", "bits/dim", bounds, (STORED_BITS, "8 bits, as stored"), False))
    return found


def _floor(results: Results, dataset: str, metric: str) -> float | None:
    """Return the distance of real images in the same metric; None if it was not measured."""
    rows = results.distances("train", dataset=dataset)
    rows = None if rows is None else rows[rows["metric"] == metric]
    return None if rows is None or rows.empty else float(rows["value"].iloc[0])


def _ratios(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"delta_ratio": "ratio"}).sort_values("ratio")
    return table[["ratio", "value", "low", "high"]].reset_index(drop=True)


def _floats(table: pd.DataFrame) -> list[list[float]]:
    rows: list[list[float]] = table[["ratio", "value", "low", "high"]].to_numpy(float).tolist()
    return rows


def _spectrum(results: Results, experiment: str) -> pd.DataFrame | None:
    table = results.tables.get("spectrum")
    if table is None:
        return None
    is_shown = (table["experiment"] == experiment) & (table["set"] == "samples") & table["band"].isin(charts.BANDS)
    rows = table[is_shown].dropna(subset="delta_ratio").sort_values("delta_ratio", kind="stable")
    return None if rows.empty else _ratios(_positive(rows)).assign(band=rows["band"].to_numpy())


def _positive(rows: pd.DataFrame) -> pd.DataFrame:
    """Return intervals for a logarithmic axis: those that reach below zero end at a tenth of the value."""
    return rows.assign(low=rows["low"].where(rows["low"] > 0, rows["value"] / 10))


def quality_charts(results: Results) -> dict[str, charts.Chart]:
    """Return by display title a chart of distance against function evaluations for each study."""
    table = results.tables.get("evaluations")
    drawn = {}
    for experiment, part in [] if table is None else table[table["set"] == "samples"].groupby("experiment", sort=False):
        rows = ranked(part)
        if rows is not None:
            metric = rows["metric"].iloc[0]
            is_log = metric in NAMES["frechet_distance"]
            shown = (_positive(rows) if is_log else rows).replace({"sampler": SAMPLERS}).reset_index(drop=True)
            floor = _floor(results, rows["dataset"].iloc[0], metric)
            columns = shown[["sampler", "evaluations", "value", "low", "high"]]
            title = results.titles.get(str(experiment), str(experiment))
            drawn[title] = charts.quality(columns, DISTANCES[metric], floor, is_log)
    return drawn
