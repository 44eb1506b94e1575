"""Small made-up results of a scale, with everything that the page shows."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from ihdm.config.reading import parse_config
from ihdm.config.scale import Config
from ihdm.report.results import Results

ROOT = Path(__file__).parents[2]
RATIOS = (0.0, 1.0, 1.25, 2.0)
BANDS = ("low", "middle", "high", "highest")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="session")
def scale() -> Config:
    """The smoke scale with a δ that is swept."""
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    content["sweeps"]["delta_ratio"] = {"digits": list(RATIOS)}
    return parse_config(content)


def write(path: Path, content: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content.to_csv(path, index=False)


def interval(value: float) -> dict[str, float]:
    return {"value": value, "standard_error": 0.1, "low": value - 0.2, "high": value + 0.2}


def tables(folder: Path) -> None:
    shared = {"dataset": "digits", "reference": "training", "n": 20, "note": None}
    features = {"metric": "kernel_distance", "extractor": "dct64", "extractor_sha256": "0", "n_reference": 100}
    real = {"experiment": None, "delta_ratio": None}
    samples = [{"experiment": "digits", "delta_ratio": ratio} for ratio in RATIOS]
    write(folder / "metrics/distance.csv", pd.DataFrame(
        [shared | features | {"set": "train"} | real | interval(0.5)]
        + [shared | features | {"set": "samples"} | row | interval(1 + abs(row["delta_ratio"] - 1)) for row in samples]
    ))  # fmt: skip
    write(folder / "metrics/spectrum.csv", pd.DataFrame([
        shared | {"metric": "relative_power", "band": band, "set": "samples"} | row | interval(1 + row["delta_ratio"])
        for row in samples for band in BANDS
    ]))  # fmt: skip
    parts = ("nats", "prior_nats", "transition_nats", "reconstruction_nats")
    write(folder / "metrics/likelihood.csv", pd.DataFrame([
        {"experiment": "digits", "joint": "independent", "variance": "one", "n": 5,
         "bits_per_dim": 3 + row["delta_ratio"], "delta_ratio": row["delta_ratio"],
         "standard_error": 0.1, "monte_carlo_error": 0.01, "nats_best_levels": 1.0,
         **dict.fromkeys(parts, 10.0), **{f"{part}_error": 1.0 for part in parts}}
        for row in samples if row["delta_ratio"]
    ]))  # fmt: skip
    write(folder / "metrics/evaluations.csv", pd.DataFrame([
        {"experiment": "digits", "dataset": "digits", "sampler": sampler, "evaluations": count, "delta_ratio": 1.25,
         "set": "samples", "n": 20, **features, **interval(10 / count)}
        for sampler in ("paper", "markov") for count in (3, 6)
    ]))  # fmt: skip


def pictures(folder: Path, scale: Config, has_forward: bool) -> None:
    (folder / "figures").mkdir()
    for name in ("psd", "delta_curve", "trajectories"):
        Image.fromarray(RNG.integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(folder / f"figures/{name}.png")
    frames = [Image.new("RGB", (30, 20), (shade, 0, 0)) for shade in (0, 120, 255)]
    frames[0].save(
        folder / "figures/trajectories.webp",
        save_all=True,
        append_images=frames[1:],
        duration=100,
        loop=0,
        lossless=True,
    )
    for name in scale.diagnostics:
        (folder / f"samples/{name}/probes").mkdir(parents=True)
        arrays = {"levels": np.array([6, 4, 2, 0]), "states": RNG.random((4, 3, 8, 8, 1), dtype=np.float32) * 2 - 0.5}
        if has_forward:
            arrays["forward"] = RNG.integers(0, 256, (4, 5, 8, 8, 1), dtype=np.uint8)
        np.savez(folder / f"samples/{name}/probes/trajectories.npz", **arrays)
    for ratio in ("0", "1", "1.25", "2"):
        (folder / f"samples/digits/delta{ratio}").mkdir(parents=True)
        np.save(
            folder / f"samples/digits/delta{ratio}/samples.npy", RNG.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
        )


def origins(folder: Path) -> None:
    for name, seconds in (("models/digits", 100.0), ("metrics/distance/real/digits", 2.0), ("figures/psd", 3.0)):
        row = {"s": seconds, "max_rss": 500.0, "cpu_time": seconds}
        path = folder / f"benchmarks/{name}.tsv"
        path.parent.mkdir(parents=True)
        pd.DataFrame([row]).to_csv(path, sep="\t", index=False)
    record = {
        "settings": {},
        "inputs": {},
        "versions": {"torch": "2.0"},
        "commit": "c0ffee",
        "device": "cpu",
        "threads": 1,
    }
    (folder / "metrics/distance.meta.json").write_text(json.dumps(record))


@pytest.fixture(scope="session")
def made_up(tmp_path_factory, scale) -> Callable[..., Results]:
    """Make the results, each time in another folder, as tests change them."""

    def make(has_forward: bool = True) -> Results:
        folder = tmp_path_factory.mktemp("made_up") / "tiny"
        folder.mkdir()
        tables(folder)
        pictures(folder, scale, has_forward)
        origins(folder)
        return Results(scale, folder)

    return make


def decision(**changes: object) -> dict[str, object]:
    return {
        "id": "best", "claim": "The best δ lies above σ.", "experiment": "digits", "verdict": "reproduced",
        "value": 1.5, "low": 1.25, "high": 2.0, "rule": "interval above 1", "paper": "figure 8",
        "table": "metrics/distance.csv", "reason": "Beyond σ itself.", "holm": True, "ours": False,
        "how_to_rerun": "snakemake one", "reference": "", "kind": "finding", "rule_set": "before results",
        "trainings": 1,
    } | changes  # fmt: skip


@pytest.fixture(scope="session")
def ledger(tmp_path_factory) -> Path:
    rows = [
        decision(),
        decision(experiment="photos", verdict="inconclusive", low=0.5, holm=False),
        decision(experiment="digits_brief", high=None, holm=False),
        decision(id="other", claim="Ours <b>", verdict="not run", value=None, ours=True) | {"low": None, "high": None},
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("ledger") / "claims.json"
    path.write_text(json.dumps({"version": 1, "tested": 2, "claims": rows, "borders": {"best": [1.0]}}))
    return path
