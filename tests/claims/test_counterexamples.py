"""Every claim can say no: a made-up network, sampler or data set of which it is false, run through the real measure.

A mathematical check is false of a wrong operator instead. Networks are f(u, k) with the quick scale's own processes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.fft import dctn, idctn

from ihdm import calibration
from ihdm.claims import CLAIMS
from ihdm.claims.ledger import check
from ihdm.config.reading import read_config
from ihdm.config.stages import DistanceSettings, ErrorSettings, JointSettings, LikelihoodSettings
from ihdm.heat import HeatProcess, decay
from ihdm.likelihood import bits_per_dim
from ihdm.measures import forward, paths
from ihdm.measures.data_spectrum import power_law_rows
from ihdm.measures.departures import departure_table
from ihdm.measures.disentanglement import share_rows
from ihdm.measures.generation import generation_rows
from ihdm.measures.hierarchy import hierarchy_rows
from ihdm.measures.input_gradients import input_gradient_rows
from ihdm.measures.interpolation import interpolation_rows
from ihdm.measures.minimum import distance_minimum, fine_ratios, likelihood_minimum
from ihdm.measures.sweep import swept_experiments, tidy_table
from ihdm.metrics import asymptotics
from ihdm.metrics.distance import distance_rows, held_out_rows
from ihdm.metrics.evaluations import measure_columns, study_rows
from ihdm.metrics.features import CosineFeatures, StoredFeatures, extract
from ihdm.metrics.frechet_kernel import Moments
from ihdm.metrics.heldout import dequantize, held_out_errors
from ihdm.metrics.joints import joint_rows
from ihdm.metrics.likelihood import bound_images, likelihood_rows
from ihdm.metrics.memorization import memorization_rows
from ihdm.metrics.spectrum import MeanPower, band_rows
from ihdm.processes import build_process
from ihdm.runs import Run
from ihdm.samples.diagnostics import gradients
from ihdm.samples.generation import Chain

QUICK = read_config(Path(__file__).parents[2] / "workflow/config/quick.yaml")
HEAT = QUICK.variants["digits"].experiment.process
SIZE = 8
Tables = dict[str, pd.DataFrame]
Patch = pytest.MonkeyPatch


def made_up(count: int, seed: int, alpha: float = 2.0, size: int = SIZE) -> np.ndarray:
    """Gaussian images whose power falls as 1/f^alpha, of about the contrast of digits."""
    rng = np.random.default_rng(seed)
    rows = np.arange(size)
    frequencies = np.hypot(*np.meshgrid(rows, rows))
    frequencies[0, 0] = 1
    spectrum = frequencies ** (-alpha / 2)
    values = idctn(spectrum * rng.standard_normal((count, size, size)), axes=(1, 2), norm="ortho")
    return stored(0.5 + 0.15 * values / values.std())


def stored(values: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)[..., None]


REAL, OTHERS, TEST = made_up(1200, 0), made_up(400, 1), made_up(60, 2)
NOISE = stored(0.5 + 0.3 * np.random.default_rng(3).standard_normal((400, SIZE, SIZE)))
DIM, DARK = (stored(share * OTHERS[..., 0] / 255) for share in (0.8, 0.4))


def nothing(images: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """f = 0: the image stays as blurred and as noisy as it is."""
    return 0 * images


def labeled(rows: list[dict[str, object]], **labels: object) -> pd.DataFrame:
    return pd.DataFrame([{**labels, **row} for row in rows])


def features(images: np.ndarray) -> StoredFeatures:
    return extract(CosineFeatures(images[0].size), images)


REFERENCE = features(REAL)
MOMENTS = Moments.of(REFERENCE[:])


def distances(images: np.ndarray) -> list[dict[str, object]]:
    settings = DistanceSettings(num_images=(len(images),), num_resamples=20, num_neighbors=3, extrapolate=False, seed=0)
    return distance_rows({"samples": features(images)}, REFERENCE, MOMENTS, settings)


def chain(network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], experiment: str) -> Chain:
    return Chain.of(network, REAL, QUICK.sampling(experiment))


def forward_of(dataset: str, images: np.ndarray) -> Tables:
    return {"forward": labeled(forward.forward_rows(images[:50], 20, 0), dataset=dataset)}


def wrong_blur(patch: Patch) -> Tables:
    patch.setattr("ihdm.heat.HeatProcess", lambda widths, *size: HeatProcess([1.2 * width for width in widths], *size))
    return forward_of("digits", REAL)


def blur_of_low_frequencies(patch: Patch) -> Tables:
    patch.setattr("ihdm.heat.decay", lambda size, blurs: decay(size, blurs)[:, ::-1].copy())
    return forward_of("digits", REAL)


def noise_twice(patch: Patch) -> Tables:
    class Twice:
        def __init__(self, *place: Any) -> None:
            self.rng = np.random.default_rng(place[2:])

        def standard_normal(self, shape: tuple[int, ...], kind: type) -> np.ndarray:
            return np.sqrt(2) * self.rng.standard_normal(shape, kind)

    patch.setattr(forward, "generator", Twice)
    return forward_of("digits", REAL)


def images_of_detail(_: Patch) -> Tables:
    return forward_of("photos", made_up(50, 0, alpha=-2.0))


def white_images(_: Patch) -> Tables:
    return {"data_spectrum": labeled(power_law_rows(NOISE, 20, 0), dataset="photos")}


def best_without_noise(_: Patch) -> Tables:
    """The noise of the steps stays in the samples, as brightness."""
    noise = np.random.default_rng(4).standard_normal((len(OTHERS), 1, 1))
    parts = [
        labeled(distances(stored(OTHERS[..., 0] / 255 + 0.3 * ratio * noise)), delta_ratio=ratio)
        for ratio in QUICK.variants["digits"].delta_ratios
    ]
    return {"minimum": labeled(distance_minimum(pd.concat(parts), 0), experiment="digits")}


def bound_without_network(_: Patch) -> Tables:
    """With f = 0 what is left of the blur asks for a far larger δ."""
    ratios = QUICK.variants["digits"].delta_ratios[1:]
    errors = held_out_errors(
        nothing, dequantize(TEST), ErrorSettings(process=HEAT, seed=0, num_images=len(TEST), micro_batch=60)
    )
    settings = LikelihoodSettings(process=HEAT, prior_noise="delta", delta_ratios=ratios)
    fine = fine_ratios(ratios)
    bits = bits_per_dim(bound_images(errors, REAL, TEST, settings, fine.tolist()).nats(), errors.num_dims)
    return {"minimum": labeled([likelihood_minimum(fine, bits, 20, 0)], experiment="digits")}


def best_deltas_reversed(patch: Patch) -> Tables:
    parts = [make(patch)["minimum"] for make in (best_without_noise, bound_without_network)]
    return {"minimum": pd.concat(parts, ignore_index=True)}


def spectrum_of(images: np.ndarray, ratio: float) -> Tables:
    rows = band_rows({"samples": images}, MeanPower.of(REAL), 20)
    return {"spectrum": labeled(rows, experiment="digits", delta_ratio=ratio)}


def grid(images: np.ndarray, *, of_noise: bool) -> Tables:
    """What eight starts and eight noises give, if one of them alone decides."""
    numbers = np.arange(8)[None] if of_noise else np.arange(8)[:, None]
    values = (images[np.broadcast_to(numbers, (8, 8))] / 255).astype(np.float32)
    return {"disentanglement": labeled(share_rows(values), experiment="digits")}


def jumping_paths(_: Patch) -> Tables:
    """Heat's jump at once, diffusion's are straight."""
    ends = OTHERS[:64].reshape(32, 2, -1) / 255
    way = np.linspace(0, 1, 7)
    shares = {"digits": (way > 0.5).astype(float), "digits_diffusion": way}
    return {
        "interpolation": pd.concat(
            labeled(
                interpolation_rows({"pixels": ends[:, :1] + share[:, None] * (ends[:, 1:] - ends[:, :1])}, 0),
                experiment=name,
            )
            for name, share in shares.items()
        )
    }


def gradients_of(network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], experiment: str) -> pd.DataFrame:
    found = gradients(chain(network, experiment), 4)
    arrays = {"residual": found["residual"], "clean": found["clean"]}
    return labeled(input_gradient_rows(found["levels"], found["pixels"], arrays), experiment=experiment)


def looking_everywhere(_: Patch) -> Tables:
    """Heat's adds the mean of the image; diffusion's takes what a pixel has beyond a part of the mean for noise."""
    far = gradients_of(lambda images, levels: 0.1 * images.mean(dim=(2, 3), keepdim=True) + 0 * images, "digits")
    near = gradients_of(lambda u, _: 0.1 * u - 0.001 * u.mean(dim=(2, 3), keepdim=True), "digits_diffusion")
    return {"input_gradients": pd.concat([far, near])}


def sharpening(_: Patch) -> Tables:
    """Of what is added the pixel itself counts positively, its neighbors negatively."""
    kernel = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])[None, None] / 10
    return {"input_gradients": gradients_of(lambda u, _: torch.nn.functional.conv2d(u, kernel, padding=1), "digits")}


def held_out(images: np.ndarray) -> list[dict[str, object]]:
    return held_out_rows({"samples": features(images)}, features(made_up(300, 5)), 20, 0)


def useless_with_few(_: Patch) -> Tables:
    """With fewer training images heat's samples are dark, and diffusion's stay as they are."""
    variants = [v for v in QUICK.variants.values() if v.swept in (None, "num_train") and v.base.endswith("_brief")]
    rows = [
        labeled(
            held_out(DARK if v.swept and v.base == "digits_brief" else OTHERS),
            **{"experiment": v.name, "base": v.base, "swept": v.swept, "delta_ratio": v.delta_ratio},
            num_train=v.experiment.num_train or len(REAL),
        )
        for v in variants
    ]
    return {"sweep": pd.concat(rows)}


def distance_of(sets: Mapping[str, np.ndarray]) -> Tables:
    """Samples of experiments, each at its own δ/σ."""
    rows = [
        labeled(
            distances(images),
            **{"experiment": name, "dataset": "digits", "reference": "training"},
            delta_ratio=QUICK.variants[name].delta_ratio,
        )
        for name, images in sets.items()
    ]
    return {"distance": pd.concat(rows)}


def fine_to_coarse(_: Patch) -> Tables:
    """Each estimate has one more of the bands, from the finest on."""
    coefficients = dctn(OTHERS[:50, ..., 0] / 255, axes=(1, 2), norm="ortho")
    frequencies = np.hypot(*np.meshgrid(np.arange(SIZE), np.arange(SIZE)))
    estimates = [
        idctn(coefficients * (frequencies >= limit), axes=(1, 2), norm="ortho")[..., None]
        for limit in np.linspace(10, 0, 21)
    ]
    rows = generation_rows(np.arange(21, -1, -1), np.stack(estimates), OTHERS[:50] / 255, 20, 0)
    return {"generation": labeled(rows, experiment="digits_diffusion")}


def late_splits_decide(_: Patch) -> Tables:
    """The leaves of a tree differ by the branch at its last split alone."""
    pairs = OTHERS[:20].reshape(10, 2, SIZE, SIZE, 1) / 255
    return {
        "hierarchy": labeled(
            hierarchy_rows(np.array([40, 27, 13]), np.tile(pairs, (1, 4, 1, 1, 1))), experiment="digits"
        )
    }


def copies(_: Patch) -> Tables:
    points = {name: part.reshape(len(part), -1) for name, part in
              {"samples": REAL[:100], "test": OTHERS[:100], "train": REAL}.items()}  # fmt: skip
    return {"memorisation": labeled(memorization_rows({("pixels", "0"): points}), experiment="digits")}


def toys() -> Tables:
    return {"asymptotics": labeled(asymptotics.toy_rows(), experiment="digits")}


def few_levels(patch: Patch) -> Tables:
    patch.setattr(asymptotics, "TOY_NUM_LEVELS", (5, 10))
    return toys()


def levels_reversed(patch: Patch) -> Tables:
    scales = asymptotics.toy_scales
    patch.setattr(asymptotics, "toy_scales", lambda count: scales(1010 - count))
    return toys()


def steps_of_the_paper(patch: Patch) -> Tables:
    """δ = 1.25 σ where √2 σ is meant."""
    power = asymptotics.toy_chain_power
    patch.setattr(asymptotics, "toy_chain_power", lambda *known: power(*known[:3], known[3] * 1.25 / 2**0.5))
    return toys()


def chains_without_network(_: Patch) -> Tables:
    """With f = 0 repeated steps blur on, and keep the noise."""
    process, clean = build_process(HEAT, SIZE), dequantize(TEST)
    measured = calibration.measure(nothing, process, clean, range(1, 41), 0, 60)
    settings = ErrorSettings(process=HEAT, seed=0, num_images=len(TEST), micro_batch=60, max_levels=4)
    rows = asymptotics.network_rows(asymptotics.Subject(nothing, process, clean, 0, 60), measured, settings)
    return {"asymptotics": labeled(rows, experiment="digits")}


def noise_that_parts(patch: Patch) -> Tables:
    bits, smallest, largest = paths.merged_bits, min(paths.SIGMAS), max(paths.SIGMAS)
    patch.setattr(paths, "branched_bits", lambda *known: np.zeros(2))  # which the claim is not about
    patch.setattr(paths, "merged_bits", lambda *known: bits(*known[:2], smallest * largest / known[2]))
    return {"paths": pd.DataFrame(paths.path_rows())}


def departing(setting: str) -> Callable[[Patch], Tables]:
    """The variant's samples are darker than those of the description; other seeds change little."""

    def make(_: Patch) -> Tables:
        (variant,) = (v for v in QUICK.variants.values() if v.is_departure and v.swept == setting)
        seeds = {
            v.name: DIM[v.experiment.seed :]
            for v in QUICK.variants.values()
            if (v.base, v.swept) == (variant.base, "seed")
        }
        tables = distance_of({variant.base: DIM, variant.name: DARK, **seeds})
        tidy = tidy_table(tables, swept_experiments(Run(QUICK)).experiments, {"digits": len(REAL)})
        return {"departures": departure_table(tidy), "sweep": tidy}

    return make


def calibrated_elsewhere(_: Patch) -> Tables:
    """The Markov joint has the variances that were measured on images without contrast."""
    flat = stored(0.5 + 0.01 * np.random.default_rng(7).standard_normal((50, SIZE, SIZE)))
    measured = calibration.measure(nothing, build_process(HEAT, SIZE), dequantize(flat), range(1, 41), 0, 50)
    joints = JointSettings(process=HEAT, seed=0, levels=tuple(range(1, 41)), num_images=len(TEST), micro_batch=60,
                           delta_ratios=(1.25,), bandwidth_ratio=1.25)  # fmt: skip
    errors = held_out_errors(
        nothing, dequantize(TEST), ErrorSettings(process=HEAT, seed=0, num_images=len(TEST), micro_batch=60)
    )
    paper = LikelihoodSettings(process=HEAT, prior_noise="delta", delta_ratios=(1.25, 2.0))
    rows = [*joint_rows(nothing, measured, REAL, TEST, joints), *likelihood_rows(errors, REAL, TEST, paper)]
    return {"likelihood": labeled(rows, experiment="digits")}


def studied(*sets: tuple[str, str, int, np.ndarray]) -> Callable[[Patch], Tables]:
    """Sets of samples by experiment, sampler and number of network evaluations."""

    def make(_: Patch) -> Tables:
        rows = []
        for experiment, sampler, count, images in sets:
            found = study_rows(distances(images), sampler, count, 1.25, len(images))
            rows += [{"experiment": experiment, **row} for row in found]
        return {"evaluations": pd.DataFrame(rows)}

    return make


def snapshots(*sets: tuple[str, int, np.ndarray]) -> Callable[[Patch], Tables]:
    """Sets of samples by experiment and training step."""

    def make(_: Patch) -> Tables:
        rows = [
            {"experiment": experiment, "step": step, "n": len(images), **measure_columns(row)}
            for experiment, step, images in sets
            for row in distances(images)
        ]
        return {"milestones": pd.DataFrame(rows)}

    return make


WHITENED = studied(
    *(("digits", sampler, 40, OTHERS) for sampler in ("paper", "paper_best")),
    *(("digits_whitened", "second", count, DARK) for count in (5, 10)),
)
COUNTEREXAMPLES: dict[str, Callable[[Patch], Tables]] = {
    "heat_is_gaussian_blur": wrong_blur,
    "heat_removes_fine_first": blur_of_low_frequencies,
    "noise_adds_to_spectrum": noise_twice,
    "noise_drowns_fine_first": images_of_detail,
    "spectrum_follows_power_law": white_images,
    "best_delta_of_samples_above_sigma": best_without_noise,
    "best_delta_of_samples_near_1.25_sigma": best_without_noise,
    "best_delta_of_bound_just_above_sigma": bound_without_network,
    "best_deltas_differ": best_deltas_reversed,
    "little_delta_smooths": lambda _: spectrum_of(NOISE, 0.0),
    "much_delta_grains": lambda _: spectrum_of(made_up(400, 8, alpha=4.0), 2.0),
    "start_fixes_colour": lambda _: grid(OTHERS, of_noise=True),
    "noise_decides_structure": lambda _: grid(OTHERS, of_noise=False),
    "interpolation_smoother": jumping_paths,
    "gradients_more_local": looking_everywhere,
    "more_data_efficient": useless_with_few,
    "diffusion_has_better_samples": lambda _: distance_of({"digits": OTHERS, "digits_diffusion": DARK}),
    "coarse_to_fine": fine_to_coarse,
    "early_splits_change_more": late_splits_decide,
    "gradients_are_laplacian": sharpening,
    "samples_are_no_copies": copies,
    "many_levels_become_score_matching": few_levels,
    "more_levels_are_nearer_score_matching": levels_reversed,
    "langevin_at_root_two": steps_of_the_paper,
    "langevin_at_root_two_of_networks": chains_without_network,
    "noise_merges_paths": noise_that_parts,
    "departure_of_levels_changes_nothing": departing("levels"),
    "departure_of_prior_noise_changes_nothing": departing("prior_noise"),
    "departure_of_rounding_changes_nothing": departing("rounding"),
    "markov_bound_is_tighter": calibrated_elsewhere,
    "quarter_of_evaluations_suffices": studied(("digits", "markov", 10, DARK), ("digits", "paper_best", 40, OTHERS)),
    "whitened_eighth_beats_default": WHITENED,
    "whitened_quarter_matches_best": WHITENED,
    "whitened_needs_half_the_training": snapshots(("digits_whitened", 1100, DARK), ("digits", 2200, OTHERS)),
    "five_evaluations_suffice_from_noise": studied(
        ("digits_flow", "second", 5, DARK),
        *(("digits_flow", sampler, 40, OTHERS) for sampler in ("markov", "deterministic", "second")),
    ),
}
WITHOUT = {"fid_as_published": "needs 50 000 samples in Inception's features"}
"""Claims that have none, and why."""


@pytest.mark.parametrize("claim", COUNTEREXAMPLES)
def test_a_claim_says_no_to_what_it_is_false_of(claim, monkeypatch):
    ledger = check(COUNTEREXAMPLES[claim](monkeypatch), QUICK)
    run = ledger[(ledger["id"] == claim) & (ledger["verdict"] != "not run")]
    assert set(run["verdict"]) == {"not reproduced"}, run[["experiment", "verdict", "value", "low", "high"]]


def test_every_claim_has_a_counterexample_or_a_reason():
    assert {*COUNTEREXAMPLES} | {*WITHOUT} == {*CLAIMS}
    assert not {*COUNTEREXAMPLES} & {*WITHOUT}
