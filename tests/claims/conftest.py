"""Tables made up for each claim: a value that satisfies it, one that violates it, and an error that hides which."""

import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

Tables = dict[str, pd.DataFrame]
Build = Callable[[float, float], Tables]


@dataclass(frozen=True)
class Case:
    """What makes the tables of a claim of one value and one standard error, and which they are to be."""

    build: Build
    good: float
    bad: float
    error: float = 0.001
    noise: float = 5.0

    @property
    def satisfied(self) -> Tables:
        return self.build(self.good, self.error)

    @property
    def violated(self) -> Tables:
        return self.build(self.bad, self.error)

    @property
    def hidden(self) -> Tables:
        return self.build(self.good, self.noise)


def V(value: float, _: float) -> float:  # noqa: N802
    """As a cell: the value itself."""
    return value


def made(name: str, columns: str, *rows: tuple[Any, ...], **common: Any) -> Build:
    """A table by its columns and rows, and what all rows have in common; cells may be functions of value and error."""

    def build(value: float, error: float) -> Tables:
        cells = [common | dict(zip(columns.split(), row, strict=True)) for row in rows]
        filled = [{key: cell(value, error) if callable(cell) else cell for key, cell in row.items()} for row in cells]
        return {name: pd.DataFrame([{"standard_error": error, "n": 500, **row} for row in filled])}

    return build


def joined(*builds: Build) -> Build:
    return lambda value, error: functools.reduce(operator.or_, (build(value, error) for build in builds))


DIGITS = {"experiment": "digits"}
KERNEL = {"metric": "kernel_distance", "extractor": "dct64"}
RESIDUAL = {"output": "residual"}


def forward(quantity: str, process: str) -> Build:
    rows = [(name, V) for name in ("digits", "photos") for _ in range(2)]
    return made("forward", "dataset value", *rows, quantity=quantity, process=process)


def minimum(**places: float | None) -> Build:
    """The places of minima by metric, each told or, where it is missing, the value."""

    def row(metric: str, told: float | None) -> tuple[Any, ...]:
        def place(value: float) -> float:
            return value if told is None else told

        return (
            *(metric, lambda v, _: place(v), lambda v, e: place(v) - e, lambda v, e: place(v) + e),
            lambda v, e: f"{place(v) - e}..{place(v) + e}:1",
        )

    rows = (row(*one) for one in places.items())
    edges = {"first_ratio": -9.0, "last_ratio": 9.0, "num_curves": 10_000}
    columns = "metric delta_ratio low high minima"
    return made("minimum", columns, *rows, **DIGITS, extractor="dct64", verdict="inside", **edges)


def spectrum(ratio: float) -> Build:
    named = {"set": "samples", "metric": "relative_power", "band": "highest"}
    return made("spectrum", "delta_ratio value", (ratio, V), **DIGITS, **named)


def disentanglement(quantity: str, source: str) -> Build:
    return made("disentanglement", f"quantity {source} {source}_error", (quantity, V, lambda _, e: e), **DIGITS)


def compared(name: str, **columns: Any) -> Build:
    """Heat has the value, and diffusion one."""
    return made(name, "experiment value", ("digits", V), ("digits_diffusion", 1.0), **columns)


def sweep() -> Build:
    """Few images raise heat's distance by the value, and leave diffusion's as it is."""
    rows = []
    for base, ratio, few in (("digits_brief", 1.25, lambda v, _: 1 + v), ("digits_diffusion_brief", 0.0, 1.0)):
        rows.append((base, ratio, base, None, 1297, 1.0))
        rows += [(base, ratio, f"{base}-num_train{n}", "num_train", n, v) for n, v in ((50, few), (450, 3.0))]
    named = {"set": "samples", "metric": "kernel_distance_held_out", "extractor": "dct64"}
    return made("sweep", "base delta_ratio experiment swept num_train value", *rows, **named)


def laplacian() -> Build:
    """At the last stage the neighbours have the value and the center its opposite; before, the other way round."""
    rows = [
        (quantity, stage, functools.partial(lambda sign, v, _: sign * v, sign * (1 if stage == 2 else -1)))
        for quantity, sign in (("neighbours", 1), ("centre", -1))
        for stage in (0, 2, 1)
    ]
    return made("input_gradients", "quantity stage value", *rows, **DIGITS, **RESIDUAL)


def langevin(part: str, *bands: str) -> Build:
    """With √2 the value; what other δ give does not count."""
    rows = [(ratio, band, v) for ratio, v in ((2**0.5, V), (1.0, 99.0)) for band in bands]
    return made("asymptotics", "delta_ratio band value", *rows, **DIGITS, part=part, expected=1.0)


def departures(setting: str) -> Build:
    base = "digits_brief" if setting == "levels" else "digits"
    found = {"experiment": base, "setting": setting, "value_described": 2.0, **KERNEL}
    row = {"base": base, "set": "samples", "delta_ratio": 1.25, "num_train": 1297, **KERNEL}
    trained = ((base, None, 2.0), (f"{base}-seed1", "seed", 2.001))
    return joined(
        made("departures", "n difference", (500, lambda v, _: 2 * v), (100, 9.0), **found),
        made("sweep", "experiment swept value", *trained, **row),
    )


DISTANCE = made(
    "distance", "experiment delta_ratio value", ("digits", 1.25, V), ("digits_diffusion", 0.0, 1.0),
    set="samples", **KERNEL,
)  # fmt: skip
PUBLISHED = made(
    "distance", "standard_error value", (lambda _, e: 18.96 * e, lambda v, _: 18.96 * v),
    experiment="cifar10", delta_ratio=1.25, set="samples", metric="fid", n=50_000, extractor="inception",
)  # fmt: skip
GENERATION = made("generation", "experiment value", ("digits", V), ("digits_diffusion", V), band="order")
HIERARCHY = made(
    "hierarchy", "level value", *((k, functools.partial(lambda k, v, _: 1 + k * v, k)) for k in (3, 1, 2)), **DIGITS
)
"""Each level adds the value."""
MEMORISATION = made(
    "memorisation", "value", (V,), **DIGITS, set="samples", metric="share_near", extractor="pixels"
)  # fmt: skip
LOSSES = made(
    "asymptotics", "num_levels value", (1000, V), (10, 1.5), **DIGITS, part="toy_loss", band=None, delta_ratio=None
)
"""Of few levels 1.5, of many the value."""
PATHS = made(
    "paths", "sigma level value",
    *((sigma, level, merged) for sigma, merged in ((0.2, lambda v, _: 1 + v), (0.1, 1.0)) for level in (1, 2)),
    quantity="merged",
)  # fmt: skip
LIKELIHOOD = made(
    "likelihood", "joint variance bits_per_dim",
    ("markov", "mode", lambda v, _: 5 + v), ("independent", "one", 5.0), ("independent", "one", 40.0), **DIGITS,
)  # fmt: skip
"""The Markov bound is the value above the paper's best."""
EVALUATIONS = made(
    "evaluations", "sampler evaluations value",
    ("markov", 10, V), ("markov", 40, 9.0), ("paper_best", 10, 9.0), ("paper_best", 40, 1.0), ("paper", 40, 0.1),
    **DIGITS, **KERNEL,
)  # fmt: skip
WHITENED = made(
    "evaluations", "experiment sampler evaluations value",
    *(("digits_whitened", "second", count, v) for count, v in ((5, V), (10, V), (40, 9.0))),
    *(("digits_whitened", "markov", count, 8.0) for count in (5, 10, 40)),
    ("digits", "paper", 40, 1.0), ("digits", "paper_best", 40, 1.0), **KERNEL,
)  # fmt: skip
"""The better of two samplers has the value at K/8 and K/4, the paper's has 1 at K, by default and at best δ."""
SNAPSHOTS = made(
    "milestones", "experiment step value",
    ("digits_whitened", 1100, V), ("digits_whitened", 2200, 9.0), ("digits", 1100, 9.0), ("digits", 2200, 1.0),
    **KERNEL,
)  # fmt: skip
"""The whitened network has the value after half of the steps, the residual network one after all."""
FROM_NOISE = made(
    "evaluations", "sampler evaluations value",
    ("second", 5, V), ("second", 40, 2.0), ("markov", 40, 1.0), ("deterministic", 40, 3.0),
    experiment="digits_flow", **KERNEL,
)  # fmt: skip
"""The second-order sampler has the value at the fewest evaluations, the best sampler one at the most."""

CASES = {
    "heat_is_gaussian_blur": Case(forward("gaussian_difference", "heat"), 0.01, 0.03),
    "heat_removes_fine_first": Case(forward("order", "heat"), 0.95, -0.5),
    "noise_adds_to_spectrum": Case(forward("added_power", "noise"), 1.01, 1.5),
    "noise_drowns_fine_first": Case(forward("order", "noise"), 0.95, -0.5),
    "spectrum_follows_power_law": Case(
        made("data_spectrum", "value", (V,), dataset="photos", quantity="alpha"), 2.1, 3.2
    ),
    "best_delta_of_samples_above_sigma": Case(minimum(kernel_distance=None), 1.2, 0.9, 0.1, 0.5),
    "best_delta_of_samples_near_1.25_sigma": Case(minimum(kernel_distance=None), 1.2, 1.8, 0.1, 0.5),
    "best_delta_of_bound_just_above_sigma": Case(minimum(bits_per_dim=None), 1.05, 1.4, 0.01, 0.5),
    "best_deltas_differ": Case(minimum(kernel_distance=None, bits_per_dim=1.1), 1.3, 0.9, 0.01, 0.5),
    "little_delta_smooths": Case(spectrum(0.0), 0.5, 1.5),
    "much_delta_grains": Case(spectrum(2.0), 1.5, 0.5),
    "start_fixes_colour": Case(disentanglement("mean colour", "start"), 0.8, 0.2),
    "noise_decides_structure": Case(disentanglement("structure", "noise"), 0.8, 0.2),
    "interpolation_smoother": Case(compared("interpolation", space="pixels", quantity="largest_step"), 0.8, 1.2),
    "gradients_more_local": Case(compared("input_gradients", **RESIDUAL, quantity="effective_radius"), 0.5, 1.5),
    "more_data_efficient": Case(sweep(), -0.2, 0.5),
    "diffusion_has_better_samples": Case(DISTANCE, 2.0, 0.5),
    "coarse_to_fine": Case(GENERATION, 0.95, 0.3),
    "early_splits_change_more": Case(HIERARCHY, 0.5, -0.5),
    "gradients_are_laplacian": Case(laplacian(), 0.2, -0.2),
    "samples_are_no_copies": Case(MEMORISATION, 0.05, 0.8),
    "many_levels_become_score_matching": Case(LOSSES, 1.03, 1.4),
    "more_levels_are_nearer_score_matching": Case(LOSSES, 1.03, 1.9),
    "langevin_at_root_two": Case(langevin("toy_langevin", "live"), 1.01, 1.3),
    "langevin_at_root_two_of_networks": Case(langevin("network_langevin", "0", "1"), 1.05, 0.78),
    "noise_merges_paths": Case(PATHS, 0.3, -0.3),
    "departure_of_levels_changes_nothing": Case(departures("levels"), 0.02, 0.3),
    "departure_of_prior_noise_changes_nothing": Case(departures("prior_noise"), -0.02, -0.3),
    "departure_of_rounding_changes_nothing": Case(departures("rounding"), 0.02, 0.3),
    "fid_as_published": Case(PUBLISHED, 1.05, 1.3),
    "markov_bound_is_tighter": Case(LIKELIHOOD, -1.0, 1.0),
    "quarter_of_evaluations_suffices": Case(EVALUATIONS, 0.9, 1.5),
    "whitened_eighth_beats_default": Case(WHITENED, 0.5, 1.5),
    "whitened_quarter_matches_best": Case(WHITENED, 0.9, 1.5),
    "whitened_needs_half_the_training": Case(SNAPSHOTS, 0.5, 1.5),
    "five_evaluations_suffice_from_noise": Case(FROM_NOISE, 0.9, 1.5),
}
"""By the claim's id."""


@pytest.fixture
def cases() -> dict[str, Case]:
    """The made-up tables of each claim, by its id."""
    return CASES
