"""Tables made up for each claim: a value that satisfies it, one that violates it, and an error that hides which."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

Tables = dict[str, pd.DataFrame]
DATASETS = ("digits", "photos")
PAIR = ("digits", "digits_diffusion")


@dataclass(frozen=True)
class Case:
    """What makes the tables of a claim of one value and one standard error, and which they are to be."""

    build: Callable[[float, float], Tables]
    good: float
    bad: float
    error: float = 0.001
    noise: float = 5.0


def table(name: str, error: float, rows: Iterable[Mapping[str, Any]]) -> Tables:
    return {name: pd.DataFrame([{"standard_error": error, "n": 500, **row} for row in rows])}


def forward(quantity: str, process: str) -> Callable[[float, float], Tables]:
    def build(value: float, error: float) -> Tables:
        row = {"quantity": quantity, "process": process, "value": value}
        return table("forward", error, [row | {"dataset": name} for name in DATASETS for _ in range(2)])

    return build


def data_spectrum(value: float, error: float) -> Tables:
    return table("data_spectrum", error, [{"dataset": "photos", "quantity": "alpha", "value": value}])


def minimum(**places: float) -> Callable[[float, float], Tables]:
    """The places of minima by metric, each told or, where it is missing, the value."""

    def build(value: float, error: float) -> Tables:
        rows = []
        for metric, told in places.items():
            place = value if told is None else told
            edges = {"low": place - error, "high": place + error, "first_ratio": -9.0, "last_ratio": 9.0}
            edges |= {"minima": f"{place - error}..{place + error}:1", "num_curves": 10_000, "n": 500}
            named = {"experiment": "digits", "metric": metric, "extractor": "dct64", "verdict": "inside"}
            rows.append({**named, "delta_ratio": place, **edges})
        return {"minimum": pd.DataFrame(rows)}

    return build


def spectrum(ratio: float) -> Callable[[float, float], Tables]:
    named = {"experiment": "digits", "set": "samples", "metric": "relative_power", "band": "highest"}
    return lambda value, error: table("spectrum", error, [{**named, "delta_ratio": ratio, "value": value}])


def disentanglement(quantity: str, source: str) -> Callable[[float, float], Tables]:
    named = {"experiment": "digits", "quantity": quantity}
    return lambda value, error: {"disentanglement": pd.DataFrame([{**named, source: value, f"{source}_error": error}])}


def compared(name: str, **columns: Any) -> Callable[[float, float], Tables]:
    """Heat has the value, and diffusion one."""

    def build(value: float, error: float) -> Tables:
        return table(
            name, error, [{"experiment": who, "value": v, **columns} for who, v in zip(PAIR, (value, 1.0), strict=True)]
        )

    return build


def distance(value: float, error: float) -> Tables:
    rows = zip(PAIR, (1.25, 0.0), (value, 1.0), strict=True)
    named = {"set": "samples", "metric": "kernel_distance", "extractor": "dct64", "n": 500}
    return table("distance", error, [{"experiment": a, "delta_ratio": b, "value": c, **named} for a, b, c in rows])


def published(value: float, error: float) -> Tables:
    named = {"experiment": "cifar10", "delta_ratio": 1.25, "set": "samples", "metric": "fid", "n": 50_000}
    named["extractor"] = "inception"
    return table("distance", 18.96 * error, [{**named, "value": 18.96 * value}])


def sweep(value: float, error: float) -> Tables:
    """Few images raise heat's distance by the value, and leave diffusion's as it is."""
    rows = []
    for base, ratio, factor in (("digits_brief", 1.25, 1 + value), ("digits_diffusion_brief", 0.0, 1.0)):
        named = {"base": base, "delta_ratio": ratio, "set": "samples", "n": 500}
        named |= {"metric": "kernel_distance_held_out", "extractor": "dct64"}
        rows.append({**named, "experiment": base, "swept": None, "num_train": 1297, "value": 1.0})
        for count, worse in ((50, factor), (450, 3.0)):
            few = {"experiment": f"{base}-num_train{count}", "swept": "num_train", "num_train": count, "value": worse}
            rows.append({**named, **few})
    return table("sweep", error, rows)


def generation(value: float, error: float) -> Tables:
    return table("generation", error, [{"experiment": name, "band": "order", "value": value} for name in PAIR])


def hierarchy(value: float, error: float) -> Tables:
    """Each level adds the value."""
    rows = [{"experiment": "digits", "level": level, "value": 1 + value * level} for level in (3, 1, 2)]
    return table("hierarchy", error, rows)


def laplacian(value: float, error: float) -> Tables:
    """At the last stage the neighbours have the value and the center its opposite; before, the other way round."""
    rows = [
        {"experiment": "digits", "output": "residual", "quantity": quantity, "stage": stage,
         "value": sign * value * (1 if stage == 2 else -1)}
        for quantity, sign in (("neighbours", 1), ("centre", -1))
        for stage in (0, 2, 1)
    ]  # fmt: skip
    return table("input_gradients", error, rows)


def memorisation(value: float, error: float) -> Tables:
    named = {"experiment": "digits", "set": "samples", "metric": "share_near", "extractor": "pixels"}
    return table("memorisation", error, [{**named, "value": value}])


def losses(part: str) -> Callable[[float, float], Tables]:
    """Of few levels 1.5, of many the value."""

    def build(value: float, error: float) -> Tables:
        named = {"experiment": "digits", "part": part, "band": None, "delta_ratio": None}
        rows = [{**named, "num_levels": levels, "value": ratio} for levels, ratio in ((1000, value), (10, 1.5))]
        return table("asymptotics", error, rows)

    return build


def langevin(part: str, *bands: str) -> Callable[[float, float], Tables]:
    """With √2 the value; what other δ give does not count."""

    def build(value: float, error: float) -> Tables:
        named = {"experiment": "digits", "part": part}
        ratios = ((2**0.5, value), (1.0, 99.0))
        rows = [
            {**named, "delta_ratio": ratio, "band": band, "value": v, "expected": 1.0}
            for ratio, v in ratios
            for band in bands
        ]
        return table("asymptotics", error, rows)

    return build


def paths(value: float, error: float) -> Tables:
    rows = [
        {"sigma": sigma, "level": level, "quantity": "merged", "value": merged}
        for sigma, merged in ((0.2, 1 + value), (0.1, 1.0))
        for level in (1, 2)
    ]
    return table("paths", error, rows)


def departures(setting: str) -> Callable[[float, float], Tables]:
    base = "digits_brief" if setting == "levels" else "digits"
    metric = {"metric": "kernel_distance", "extractor": "dct64"}
    named = {"experiment": base, "setting": setting, "value_described": 2.0, **metric}
    row = {"base": base, "set": "samples", "delta_ratio": 1.25, "num_train": 1297, **metric}
    trained = [
        {**row, "experiment": base, "swept": None, "value": 2.0},
        {**row, "experiment": f"{base}-seed1", "swept": "seed", "value": 2.001},
    ]
    return lambda value, error: {
        **table("departures", error, [{**named, "difference": 2 * value}, {**named, "n": 100, "difference": 9.0}]),
        **table("sweep", error, trained),
    }


def likelihood(value: float, error: float) -> Tables:
    """The Markov bound is the value above the paper's best."""
    joints = (("markov", "mode", 5 + value), ("independent", "one", 5.0), ("independent", "one", 40.0))
    return table(
        "likelihood",
        error,
        [{"experiment": "digits", "joint": j, "variance": v, "bits_per_dim": bits} for j, v, bits in joints],
    )


def evaluations(value: float, error: float) -> Tables:
    named = {"experiment": "digits", "metric": "kernel_distance", "extractor": "dct64"}
    ours, paper = (("markov", 10, value), ("markov", 40, 9.0)), (("paper_best", 10, 9.0), ("paper_best", 40, 1.0))
    rows = (*ours, *paper, ("paper", 40, 0.1))
    return table(
        "evaluations", error, [{**named, "sampler": s, "evaluations": count, "value": v} for s, count, v in rows]
    )


def whitened(value: float, error: float) -> Tables:
    """The second-order sampler has the value at K/8 and K/4, the paper's has 1 at K, by default and at best δ."""
    named = {"metric": "kernel_distance", "extractor": "dct64"}
    rows = [("digits_whitened", "second", count, value) for count in (5, 10)]
    rows += [("digits_whitened", "second", 40, 9.0), ("digits", "paper", 40, 1.0), ("digits", "paper_best", 40, 1.0)]
    return table("evaluations", error, [
        {**named, "experiment": experiment, "sampler": sampler, "evaluations": count, "value": v}
        for experiment, sampler, count, v in rows
    ])  # fmt: skip


def snapshots(value: float, error: float) -> Tables:
    """The whitened network has the value after half of the steps, the residual network one after all."""
    named = {"metric": "kernel_distance", "extractor": "dct64"}
    rows = [("digits_whitened", 1100, value), ("digits_whitened", 2200, 9.0), ("digits", 1100, 9.0)]
    rows += [("digits", 2200, 1.0)]
    return table("milestones", error, [{**named, "experiment": e, "step": step, "value": v} for e, step, v in rows])


def from_noise(value: float, error: float) -> Tables:
    """The second-order sampler has the value at the fewest evaluations, the best sampler one at the most."""
    named = {"metric": "kernel_distance", "extractor": "dct64", "experiment": "digits_flow"}
    rows = [("second", 5, value), ("second", 40, 2.0), ("markov", 40, 1.0), ("deterministic", 40, 3.0)]
    return table("evaluations", error, [{**named, "sampler": s, "evaluations": n, "value": v} for s, n, v in rows])


CASES = {
    "heat_is_gaussian_blur": Case(forward("gaussian_difference", "heat"), 0.01, 0.03),
    "heat_removes_fine_first": Case(forward("order", "heat"), 0.95, -0.5),
    "noise_adds_to_spectrum": Case(forward("added_power", "noise"), 1.01, 1.5),
    "noise_drowns_fine_first": Case(forward("order", "noise"), 0.95, -0.5),
    "spectrum_follows_power_law": Case(data_spectrum, 2.1, 3.2),
    "best_delta_of_samples_above_sigma": Case(minimum(kernel_distance=None), 1.2, 0.9, 0.1, 0.5),
    "best_delta_of_samples_near_1.25_sigma": Case(minimum(kernel_distance=None), 1.2, 1.8, 0.1, 0.5),
    "best_delta_of_bound_just_above_sigma": Case(minimum(bits_per_dim=None), 1.05, 1.4, 0.01, 0.5),
    "best_deltas_differ": Case(minimum(kernel_distance=None, bits_per_dim=1.1), 1.3, 0.9, 0.01, 0.5),
    "little_delta_smooths": Case(spectrum(0.0), 0.5, 1.5),
    "much_delta_grains": Case(spectrum(2.0), 1.5, 0.5),
    "start_fixes_colour": Case(disentanglement("mean colour", "start"), 0.8, 0.2),
    "noise_decides_structure": Case(disentanglement("structure", "noise"), 0.8, 0.2),
    "interpolation_smoother": Case(compared("interpolation", space="pixels", quantity="largest_step"), 0.8, 1.2),
    "gradients_more_local": Case(compared("input_gradients", output="residual", quantity="effective_radius"), 0.5, 1.5),
    "more_data_efficient": Case(sweep, -0.2, 0.5),
    "diffusion_has_better_samples": Case(distance, 2.0, 0.5),
    "coarse_to_fine": Case(generation, 0.95, 0.3),
    "early_splits_change_more": Case(hierarchy, 0.5, -0.5),
    "gradients_are_laplacian": Case(laplacian, 0.2, -0.2),
    "samples_are_no_copies": Case(memorisation, 0.05, 0.8),
    "many_levels_become_score_matching": Case(losses("toy_loss"), 1.03, 1.4),
    "more_levels_are_nearer_score_matching": Case(losses("toy_loss"), 1.03, 1.9),
    "langevin_at_root_two": Case(langevin("toy_langevin", "live"), 1.01, 1.3),
    "langevin_at_root_two_of_networks": Case(langevin("network_langevin", "0", "1"), 1.05, 0.78),
    "noise_merges_paths": Case(paths, 0.3, -0.3),
    "departure_of_levels_changes_nothing": Case(departures("levels"), 0.02, 0.3),
    "departure_of_prior_noise_changes_nothing": Case(departures("prior_noise"), -0.02, -0.3),
    "departure_of_rounding_changes_nothing": Case(departures("rounding"), 0.02, 0.3),
    "fid_as_published": Case(published, 1.05, 1.3),
    "markov_bound_is_tighter": Case(likelihood, -1.0, 1.0),
    "quarter_of_evaluations_suffices": Case(evaluations, 0.9, 1.5),
    "whitened_eighth_beats_default": Case(whitened, 0.5, 1.5),
    "whitened_quarter_matches_best": Case(whitened, 0.9, 1.5),
    "whitened_needs_half_the_training": Case(snapshots, 0.5, 1.5),
    "five_evaluations_suffice_from_noise": Case(from_noise, 0.9, 1.5),
}
"""By the claim's id."""


@pytest.fixture
def cases() -> dict[str, Case]:
    """The made-up tables of each claim, by its id."""
    return CASES
