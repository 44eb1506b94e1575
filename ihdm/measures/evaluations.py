"""Sample quality against the number of function evaluations (NFE), and against training steps."""

from functools import partial
from typing import Any

import pandas as pd

from ihdm.config.processes import SAMPLERS, default_sampler
from ihdm.config.settings import AtLeastTwo, Settings
from ihdm.config.stages import DistanceSettings, NfeSettings, SamplingSettings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import CALIBRATED, COMPARED, NETWORK, TRAIN, distance_settings
from ihdm.measures.texts import interval_text, interval_texts, widen
from ihdm.runs import Run, each_experiment


def compute_studies(files: Files, settings: NfeSettings) -> Results:
    """Measure samples of several samplers at several numbers of function evaluations (NFE), with their run time."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device
    from ihdm.metrics.evaluations import Evaluator, count_sets, study
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.storage.arrays import save_arrays

    sampling, device = settings.sampling, compute_device()
    evaluator = Evaluator.read(files, sampling.num_train, settings.distance, settings.num_samples, device)
    network = load_network(files["model"], sampling.process, evaluator.train, device, sampling.compute)
    path = files["model"] / CALIBRATION_NAME
    calibration = Calibration.read(path, sampling.process, evaluator.train.shape[1])
    rows: list[dict[str, object]] = []
    shown: dict[str, Any] = {}
    with Progress(f"samples by NFE of {files['model'].name}", count_sets(settings), unit="sets") as progress:
        progress.update(0)
        for found, samples in study(network, calibration, evaluator, settings, progress.update):
            rows += found
            shown[f"{found[0]['sampler']}:{found[0]['evaluations']}"] = samples
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


def summarize_studies(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, sampler and NFE, with its measures."""
    texts = [
        f"{row['value']:.1f}" if row["metric"] == "seconds" else interval_text(row["value"], row["low"], row["high"])
        for row in table.to_dict("records")
    ]
    table = table.assign(text=texts, ratio=table["delta_ratio"].map("{:g}".format).replace("nan", "–"))
    keys = ["experiment", "sampler", "evaluations", "ratio"]
    return widen(table, keys, "metric").rename(columns={"ratio": "δ/σ", **NAMES})


EVALUATIONS = Measure(
    compute=compute_studies,
    runs=lambda config: [Run(config, name) for name in config.studies],
    inputs={"model": CALIBRATED, "train": TRAIN, **COMPARED},
    outputs={"evaluations": "metrics/evaluations/{experiment}.csv", "sheets": "metrics/evaluations/{experiment}.npz"},
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
            summarize=summarize_studies,
            notes=(
                "Null: the sampler at all levels, and the distance of real images ([distance](#distance)). "
                "`paper_best` is selected by the same distance, which makes it slightly optimistic. Seconds depend on "
                "the machine and have no error."
            ),
        )
    },
)


class SnapshotSettings(Settings):
    """Settings of the measures of snapshots."""

    sampling: SamplingSettings
    distance: DistanceSettings
    num_samples: AtLeastTwo


def compute_snapshots(files: Files, settings: SnapshotSettings) -> Results:
    """Measure samples of the snapshots of a training: quality against training steps."""
    from ihdm.devices import compute_device
    from ihdm.metrics.evaluations import Evaluator
    from ihdm.models.network import find_snapshots, load_network
    from ihdm.progress import Progress

    sampling, device, found = settings.sampling, compute_device(), find_snapshots(files["model"])
    evaluator = Evaluator.read(files, sampling.num_train, settings.distance, settings.num_samples, device)
    rows: list[dict[str, object]] = []
    with Progress(f"snapshots of {files['model'].name}", len(found), unit="networks") as progress:
        for done, (step, folder) in enumerate(found.items(), start=1):
            network = load_network(folder, sampling.process, evaluator.train, device, sampling.compute)
            measured, _ = evaluator.measure(network, None, sampling)
            rows += [{"step": step, "n": settings.num_samples, **row} for row in measured if row["metric"] != "seconds"]
            progress.update(done)
    return {"milestones": rows}


def snapshot_settings(run: Run) -> SnapshotSettings:
    """Return the settings of the measures of an experiment's snapshots.

    The sampler is that of the experiment, or the paper's if the former needs the calibration of the finished network.
    """
    sampling = run.config.sampling(run.experiment)
    if sampling.is_calibrated:
        sampling = sampling.model_copy(update={"sampler": SAMPLERS[default_sampler(sampling.process)]})
    compared = run.config.evaluation.compared
    return SnapshotSettings(sampling=sampling, distance=distance_settings(run), num_samples=compared[0])


def has_snapshots(run: Run) -> bool:
    """Return whether the training of the experiment keeps snapshots."""
    return run.variant.is_trained and bool(run.config.run(run.experiment).snapshot_every)


def summarize_snapshots(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and step, with its measures."""
    table = table.assign(text=interval_texts(table))
    return widen(table, ["experiment", "step", "n"], "metric").rename(columns=NAMES)


MILESTONES = Measure(
    compute=compute_snapshots,
    runs=each_experiment(has_snapshots),
    inputs={"model": NETWORK, "train": TRAIN, **COMPARED},
    outputs={"milestones": "metrics/milestones/{experiment}.csv"},
    settings=snapshot_settings,
    model=SnapshotSettings,
    labels=lambda run: {"experiment": run.experiment, "dataset": run.dataset},
    gpu="network",
    memory_mb=16000,
    minutes=1440,
    tables={
        "milestones": Table(
            heading="Quality against training steps",
            explanation=(
                "Samples of the averaged network at snapshots of the training, from the same starts and noise and "
                "against the same reference, with 95 % intervals. If the last ones agree, more steps would hardly "
                "help. Power in the finest band is relative to training images; one is right."
            ),
            columns={"step": "training steps", "metric": "a distance as above, or `relative_power_highest`"},
            summarize=summarize_snapshots,
            notes=(
                "The table has the experiments with `run.snapshot_every`. Null: the distance of real images "
                "([distance](#distance)), and one for the power."
            ),
        )
    },
)
