"""Display titles of experiments, such as "digits, diffusion (DDIM, 50 steps)", for figures and the report page."""

from collections import Counter

from ihdm.config.experiments import Variant
from ihdm.config.processes import PAPER
from ihdm.config.scale import Config

PROCESSES = {"blurring": "blurring diffusion", "soft": "soft diffusion", "flow": "flow matching"}
SAMPLERS = {
    ("independent", "delta", 1): "paper’s sampler",
    ("independent", "measured", 1): "independent",
    ("markov", "posterior", 1): "DDPM",
    ("markov", "measured", 1): "Markov",
    ("deterministic", "none", 1): "DDIM",
    ("deterministic", "none", 2): "second-order",
}
"""By coupling, noise and order."""
SWEPT = {
    "sigma": "σ = {experiment.process.sigma:g}",
    "num_levels": "K = {experiment.process.num_levels}",
    "blur_sigma_max": "σ_B,max = {experiment.process.blur_sigma_max:g}",
    "num_train": "{experiment.num_train} training images",
    "seed": "seed {experiment.seed}",
    "levels": "levels drawn {experiment.training.levels}",
    "prior_noise": "prior noise: {prior_noise}",
    "rounding": "rounding: {rounding}",
}


def titles(config: Config) -> dict[str, str]:
    """Return the display title of each experiment and variant by name; no two are equal."""
    found = {name: _title(variant, config.experiments[variant.base].title) for name, variant in config.variants.items()}
    counts = Counter(found.values())
    return {name: title if counts[title] == 1 else f"{title} [{name}]" for name, title in found.items()}


def _title(variant: Variant, configured: str | None) -> str:
    experiment, details = variant.experiment, []
    if configured is None and experiment.predicted.kind != experiment.process.own_prediction:
        details.append(experiment.predicted.kind)
    if variant.swept == "sampler" or (configured is None and variant.sampling != PAPER):
        sampler = variant.sampling
        details.append(SAMPLERS.get((sampler.coupling, sampler.noise, sampler.order), variant.sampler))
        details.append(f"{sampler.num_evaluations(experiment.process.num_levels)} steps")
    if variant.swept in SWEPT:
        details.append(SWEPT[variant.swept].format_map(vars(variant)).replace("_released", " released"))
    title = configured or f"{variant.dataset}, {PROCESSES.get(experiment.process.kind, experiment.process.kind)}"
    return title + (f" ({', '.join(details)})" if details else "")
