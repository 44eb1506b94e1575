"""Learning rates and their decay, tuned with equal effort for every process and prediction.

    python benchmarks/tuning.py [--cores 2]

Trains each digits experiment of `workflow/config/seeds.yaml` with each of the settings below, with a seed that this
scale does not use, and measures 1300 samples of each of its samplers at each number of function evaluations (NFE). The
results are in `results/tuning`; the command can be stopped and resumed. The table has the Fréchet distance of cosine
coefficients by the best sampler and δ, and its geometric mean over NFE, in which each NFE has the same weight.
"""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import yaml

SCALE = Path("workflow/config/seeds.yaml")
RESULTS = Path("results/tuning")
SEED = 3
SETTINGS = {
    "constant": {},
    "decay": {"learning_rate_decay": "cosine"},
    "decay2": {"learning_rate_decay": "cosine", "learning_rate": 0.002},
    "decay4": {"learning_rate_decay": "cosine", "learning_rate": 0.004},
}


def configuration() -> dict[str, Any]:
    """Return the seeds scale with its digits experiments only, each with every setting."""
    scale = yaml.safe_load(SCALE.read_text(encoding="utf-8"))
    names = [name for name in scale["experiments"] if name.startswith("digits")]
    variants = [(name, setting, f"{name}-{setting}".replace("-", "_")) for name in names for setting in SETTINGS]
    experiments = {
        variant: {
            **scale["experiments"][name],
            "seed": SEED,
            "training": scale["experiments"][name]["training"] | SETTINGS[setting],
            "measures": [],
        }
        for name, setting, variant in variants
    }
    return {
        **{name: scale[name] for name in ("gpus", "samplers")},
        "results": str(RESULTS),
        "datasets": {"digits": scale["datasets"]["digits"]},
        "networks": {"digits": scale["networks"]["digits"]},
        "experiments": experiments,
        "sweeps": {
            "delta_ratio": {
                variant: scale["sweeps"]["delta_ratio"][name] for name, _, variant in variants if name == "digits"
            }
        },
        "evaluation": scale["evaluation"] | {"num_samples": 1300, "extractors": {"digits": "dct"}},
        "studies": {variant: scale["studies"][name] for name, _, variant in variants},
        "figures": {},
    }


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the best distance of every experiment at every NFE, their geometric mean, and the setting."""
    rows = rows[rows["metric"] == "frechet_distance"]
    best = rows[rows["set"] == "samples"].groupby(["experiment", "evaluations"])["value"].min().unstack()
    best = best[sorted(best.columns, reverse=True)]
    best["mean"] = np.exp(np.log(best).mean(axis=1))
    return best.round(3)


def main(cores: Annotated[int, typer.Option(help="cores of Snakemake")] = 2) -> None:
    """Train, measure and print."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "tuning.yaml"
    path.write_text(yaml.safe_dump(configuration(), sort_keys=False), encoding="utf-8")
    target = str(RESULTS / "metrics/evaluations.csv")
    command = ["snakemake", "--cores", str(cores), "--configfile", str(path), "--rerun-incomplete", "--", target]
    if subprocess.run(command).returncode:  # noqa: S603
        sys.exit("tuning: a job failed; run the same command again to go on")
    print(table(pd.read_csv(target)).to_markdown())


if __name__ == "__main__":
    typer.run(main)
