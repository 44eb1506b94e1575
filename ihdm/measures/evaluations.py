"""Measure samples of several samplers at several numbers of function evaluations (NFE), with their run time."""

from functools import partial
from typing import Any

import pandas as pd

from ihdm.config.stages import NfeSettings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import CALIBRATED, COMPARED, TRAIN
from ihdm.measures.samples import distance_settings
from ihdm.measures.texts import interval_text, widen
from ihdm.runs import Run


def compute(files: Files, settings: NfeSettings) -> Results:
    """Return the measures of every set of samples, and some samples of each."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device
    from ihdm.metrics.evaluations import Reference, count_sets, study_row, study_sets
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.storage.arrays import save_arrays
    from ihdm.storage.reading import first_images

    sampling, device = settings.sampling, compute_device()
    images = first_images(files["train"], sampling.num_train)
    network = load_network(files["model"], sampling.process, images, device, sampling.compute)
    calibration = Calibration.read(files["model"] / CALIBRATION_NAME, sampling.process, images.shape[1])
    transform, _ = load_extractor(files["extractor"], images[:1], inception=files["inception"])
    reference = Reference.read(files["reference"], files["moments"], files["power"])
    rows: list[dict[str, object]] = []
    shown: dict[str, Any] = {}
    with Progress(f"samples by NFE of {files['model'].name}", count_sets(settings), unit="sets") as progress:
        progress.update(0)
        for found in study_sets(network, calibration, images, transform, reference, settings, device, progress.update):
            rows += [study_row(row, found) for row in found.rows]
            shown[f"{found.sampler}:{found.evaluations}"] = found.shown
    return {"evaluations": rows, "sheets": partial(save_arrays, **shown)}


def study_settings(run: Run) -> NfeSettings:
    """Return the settings of the study of quality against NFE of an experiment's network."""
    config, study = run.config, run.config.studies[run.experiment]
    default = config.evaluation.delta_ratio
    return NfeSettings(
        samplers={name: config.all_samplers[name] for name in study.samplers},
        counts=study.counts,
        # With fewer levels more noise is needed, never less.
        delta_ratios=tuple(ratio for ratio in run.variant.delta_ratios if ratio > default),
        sampling=config.sampling(run.experiment, default),
        distance=distance_settings(run),
        num_samples=config.evaluation.compared[-1],
    )


NAMES = {
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "fid": "FID",
    "kid": "KID",
    "relative_power_highest": "power, finest band",
}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, sampler and NFE, with its measures."""
    texts = [
        f"{row['value']:.1f}" if row["metric"] == "seconds" else interval_text(row["value"], row["low"], row["high"])
        for row in table.to_dict("records")
    ]
    table = table.assign(text=texts, ratio=table["delta_ratio"].map("{:g}".format).replace("nan", "–"))
    keys = ["experiment", "sampler", "evaluations", "ratio"]
    return widen(table, keys, "metric").rename(columns={"ratio": "δ/σ", **NAMES})


MEASURE = Measure(
    compute=compute,
    runs=lambda config: [Run(config, name) for name in config.studies],
    inputs={
        "model": CALIBRATED,
        "train": TRAIN,
        **COMPARED,
    },
    outputs={
        "evaluations": "metrics/evaluations/{experiment}.csv",
        "sheets": "metrics/evaluations/{experiment}.npz",
    },
    settings=study_settings,
    model=NfeSettings,
    labels=lambda run: {"experiment": run.experiment, "dataset": run.dataset},
    gpu="network",
    memory_mb=16000,
    minutes=1440,
    tables={
        "evaluations": Table(
            heading="Quality against NFE",
            explanation=(
                "Samples of every sampler at every number of function evaluations (NFE), from the same network, "
                "starts and noise, with 95 % intervals. `paper` is the paper's sampler at its default δ, `paper_best` "
                "at the δ/σ with the smallest distance. Power in the finest band is relative to training images; one "
                "is right."
            ),
            columns={
                "sampler": (
                    "its name; `paper_best` is the paper's sampler at the δ/σ with the smallest distance among those "
                    "tried"
                ),
                "evaluations": "NFE",
                "metric": (
                    "a distance as above; `relative_power_highest`, power in the finest band, one is right; `seconds` "
                    "to draw the whole set"
                ),
            },
            summarize=summarize,
            notes=(
                "Null: the sampler at all levels, and the distance of real images ([distance](#distance)). "
                "`paper_best` is selected by the same distance, which makes it slightly optimistic. Seconds depend on "
                "the machine and have no error."
            ),
        ),
    },
)
