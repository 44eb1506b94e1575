"""Interactive sections of the page: levels under a slider, δ under a slider, and quality against evaluations.

Functions return the content of a template as data.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ihdm.config.experiments import Variant
from ihdm.figures.delta_curve import STORED_BITS
from ihdm.figures.style import DISTANCES, evenly_spaced, to_stored
from ihdm.measures.texts import interval_text
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.quality import NAMES
from ihdm.report import charts
from ihdm.report.render import sheet
from ihdm.report.results import Results, ranked
from ihdm.storage.reading import open_images, read_archive

MAX_STAGES = 41
MAX_TRAJECTORIES = 8
MAX_SAMPLES = 32
SAMPLERS = {"paper": "paper, default δ", "paper_best": "paper, best δ"}
INTERVAL = ["ratio", "value", "low", "high"]


class Process(NamedTuple):
    """An experiment under a level slider; levels, one per stage, descend from K to 0.

    A strip has the title, the sheet (a row per stage) and the text alternative of forward or reverse images.
    """

    experiment: str
    title: str
    levels: list[int]
    strips: list[dict[str, Any]]


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
            alt = f"{shown.columns} {words} {title} at the chosen level"
            strips.append({"title": heading, "images": shown, "alt": alt})
    return Process(name, title, arrays["levels"][stages].astype(int).tolist(), strips)


def opening(groups: Iterable[list[Process]], count: int = 7) -> tuple[Process, list[int]] | None:
    """Return the first experiment and evenly spaced stages of it, to show at the top of the page."""
    for processes in groups:
        return processes[0], evenly_spaced(len(processes[0].levels), count).tolist()
    return None


def explorers(results: Results) -> list[dict[str, Any]]:
    """Return the experiments that were sampled at three δ/σ or more.

    Of each: its ratios δ/σ, ascending, and the index of the default as ``first``; a sheet of samples with a row for
    each δ/σ, with the same starts and noise; charts by name; and for each δ/σ the measured values as text.
    """
    return [
        _explorer(results, variant)
        for variant in results.curves.values()
        if all(path.exists() for path in results.samples(variant).values())
    ]


def _explorer(results: Results, variant: Variant) -> dict[str, Any]:
    ratios, own = list(variant.delta_ratios), variant.delta_ratio
    images = [open_images(path) for path in results.samples(variant).values()]
    shown = min(MAX_SAMPLES, *map(len, images))
    drawn: dict[str, charts.Chart] = {}
    words: dict[float, list[str]] = {ratio: [] for ratio in ratios}

    def describe(measure: str, rows: pd.DataFrame, unit: str = "") -> None:
        for ratio, *estimate in rows[INTERVAL].to_numpy(float).tolist():
            words[ratio].append(f"{measure} {interval_text(*estimate)} {unit}".rstrip())

    if (distances := results.distances("samples", experiment=variant.name)) is not None:
        metric = distances["metric"].iloc[0]
        measure, rows = DISTANCES[metric], _by_ratio(distances)
        level = _floor(results, variant.dataset, metric)
        drawn["distance"] = charts.curve(rows, own, measure, level, metric in NAMES["frechet_distance"])
        describe(measure, rows)
    if len(rows := _bounds(results, variant.name)):
        level = STORED_BITS, f"{STORED_BITS} bits, as stored"
        drawn["bound"] = charts.curve(rows, own, "bound (bits/dim)", level, is_log=False)
        describe("bound", rows, "bits/dim")
    if len(rows := _spectrum(results, variant.name)):
        drawn["spectrum"] = charts.spectrum(rows, own)
        describe("power in the finest band", rows[rows["band"] == charts.BANDS[-1]])
    return {
        "experiment": variant.name,
        "title": results.titles[variant.name],
        "ratios": ratios,
        "first": ratios.index(own),
        "samples": sheet(np.stack([part[:shown] for part in images])),
        "charts": drawn,
        "readouts": [" · ".join(words[ratio]) for ratio in ratios],
    }


def _by_ratio(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"delta_ratio": "ratio"}).dropna(subset="ratio")
    return table.sort_values("ratio", kind="stable", ignore_index=True)


def _bounds(results: Results, experiment: str) -> pd.DataFrame:
    """Return the paper's bound for each δ/σ; empty if it was not measured."""
    table = results.tables.get("likelihood", pd.DataFrame(columns=["experiment", "joint", "variance"]))
    rows = table[table["experiment"] == experiment].query("joint == 'independent' and variance == 'one'")
    if rows.empty:
        return rows
    value, half = rows["bits_per_dim"], half_widths(rows)
    return _by_ratio(rows.assign(value=value, low=value - half, high=value + half))[INTERVAL]


def _spectrum(results: Results, experiment: str) -> pd.DataFrame:
    """Return the relative power of samples by band and δ/σ; empty if it was not measured."""
    table = results.tables.get("spectrum", pd.DataFrame(columns=["experiment", "set", "band"]))
    rows = table[(table["experiment"] == experiment) & (table["set"] == "samples") & table["band"].isin(charts.BANDS)]
    return rows if rows.empty else _by_ratio(_positive(rows))[[*INTERVAL, "band"]]


def _floor(results: Results, dataset: str, metric: str) -> tuple[float, str] | None:
    """Return the distance of real images in the same metric with its label; None if it was not measured."""
    rows = results.distances("train", dataset=dataset)
    rows = None if rows is None else rows[rows["metric"] == metric]
    return None if rows is None or rows.empty else (float(rows["value"].iloc[0]), "real images")


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
