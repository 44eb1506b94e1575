"""Learning rates, settings of processes and spacings of levels, tuned with about equal effort for every process.

    python benchmarks/tuning.py [--cores 2]

Trains each digits experiment of `workflow/config/seeds.yaml` with each of the changes below, with a seed that this
scale does not use, and measures 1300 samples of each of its samplers at each number of function evaluations (NFE). The
spacings are those of the network with the settings of that scale. The results are in `results/tuning`; the command can
be stopped and resumed. The tables have the Fréchet distance of cosine coefficients, by the best sampler and δ in the
first table, and its geometric mean over NFE, in which each NFE has the same weight.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml

from ihdm.config.processes import SAMPLERS

SCALE = Path("workflow/config/seeds.yaml")
RESULTS = Path("results/tuning")
SEED = 3
TRAININGS: dict[str, dict[str, Any]] = {
    "constant": {},
    "decay": {"learning_rate_decay": "cosine"},
    "decay2": {"learning_rate_decay": "cosine", "learning_rate": 0.002},
    "decay4": {"learning_rate_decay": "cosine", "learning_rate": 0.004},
}
"""Changes of every experiment's training."""
NOISES: dict[str, dict[str, Any]] = {"sigma_half": {"sigma": 0.005}, "sigma_double": {"sigma": 0.02}}
PROCESSES: dict[str, dict[str, dict[str, Any]]] = {
    "digits": NOISES,
    "digits_whitened": NOISES,
    "digits_diffusion": {"cosine": {"schedule": "cosine"}, "clipped": {"schedule": "clipped_cosine"}},
    "digits_blurring": {"blur_half": {"blur_sigma_max": 2.0}, "blur_double": {"blur_sigma_max": 8.0}},
    "digits_soft": {"noise_half": {"sigma_max": 0.05}, "noise_double": {"sigma_max": 0.2}},
    "digits_flow": {},
}
"""Changes of each experiment's process; flow has no settings but K."""
SPACINGS = {"half": 0.5, "even": 1.0, "quadratic": 2.0}
SPACED = {
    "digits": "markov",
    "digits_whitened": "second",
    "digits_diffusion": "ddim",
    "digits_blurring": "ancestral",
    "digits_soft": "second",
    "digits_flow": "second",
}
"""The sampler of each experiment that is best with few evaluations."""


def configuration() -> dict[str, Any]:
    """Return the seeds scale with its digits experiments only, each with every change."""
    scale = yaml.safe_load(SCALE.read_text(encoding="utf-8"))
    known = scale["samplers"] | {name: sampler.model_dump() for name, sampler in SAMPLERS.items()}
    experiments: dict[str, Any] = {}
    studies: dict[str, Any] = {}
    samplers: dict[str, Any] = {}
    for name, sampler in SPACED.items():
        own = scale["experiments"][name] | {"seed": SEED, "measures": []}
        for kind, changes in {"training": TRAININGS, "process": PROCESSES[name]}.items():
            for label, change in changes.items():
                experiments[f"{name}_{label}"] = own | {kind: own[kind] | change}
                studies[f"{name}_{label}"] = scale["studies"][name]
        spaced = {f"{sampler}_{label}": known[sampler] | {"spacing": power} for label, power in SPACINGS.items()}
        # The scale studies some of these spacings itself.
        every = [*dict.fromkeys([*scale["studies"][name]["samplers"], *spaced])]
        studies[f"{name}_constant"] = studies[f"{name}_constant"] | {"samplers": every}
        samplers |= spaced
    ratios = scale["sweeps"]["delta_ratio"]["digits"]
    return {
        "gpus": scale["gpus"],
        "results": str(RESULTS),
        "datasets": {"digits": scale["datasets"]["digits"]},
        "networks": {"digits": scale["networks"]["digits"]},
        "experiments": experiments,
        "samplers": scale["samplers"] | samplers,
        "sweeps": {"delta_ratio": {f"digits_{label}": ratios for label in (*TRAININGS, *PROCESSES["digits"])}},
        "evaluation": scale["evaluation"] | {"num_samples": 1300, "extractors": {"digits": "dct"}},
        "studies": studies,
        "figures": {},
    }


def tables(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return distances at every NFE with their mean: of settings, and of spacings with the scale's settings."""
    rows = rows[(rows["metric"] == "frechet_distance") & (rows["set"] == "samples")]
    spaced = rows["sampler"].str.split("_").str[-1].isin(SPACINGS)
    of_settings = rows[~spaced].groupby(["experiment", "evaluations"])["value"].min().unstack()
    constant = rows[rows["experiment"].str.endswith("_constant")]
    of_spacings = constant.pivot_table("value", ["experiment", "sampler"], "evaluations", "min")
    return with_mean(of_settings), with_mean(of_spacings)


def with_mean(distances: pd.DataFrame) -> pd.DataFrame:
    """Add the geometric mean over NFE."""
    falling = distances[sorted(distances.columns, reverse=True)]
    return falling.assign(mean=np.exp(np.log(falling).mean(axis=1))).round(3)


def main(cores: Annotated[int, typer.Option(help="cores of Snakemake")] = 2) -> None:
    """Train, measure and print."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "tuning.yaml"
    path.write_text(yaml.safe_dump(configuration(), sort_keys=False), encoding="utf-8")
    target = str(RESULTS / "metrics/evaluations.csv")
    command = ["snakemake", "--cores", str(cores), "--configfile", str(path), "--rerun-incomplete", "--", target]
    if subprocess.run(command).returncode:  # noqa: S603
        sys.exit("tuning: a job failed; run the same command again to go on")
    print(*(table.to_markdown() for table in tables(pd.read_csv(target))), sep="\n\n")


if __name__ == "__main__":
    typer.run(main)
