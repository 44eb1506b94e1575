"""Measure samples of the snapshots of a training: quality against training steps."""

import pandas as pd

from ihdm.config.processes import SAMPLERS, default_sampler
from ihdm.config.settings import AtLeastTwo, Settings
from ihdm.config.stages import DistanceSettings, SamplingSettings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.evaluations import NAMES
from ihdm.measures.inputs import COMPARED, NETWORK, TRAIN
from ihdm.measures.samples import distance_settings
from ihdm.measures.texts import interval_texts, widen
from ihdm.runs import Run, each_experiment


class SnapshotSettings(Settings):
    """Settings of the measures of snapshots."""

    sampling: SamplingSettings
    distance: DistanceSettings
    num_samples: AtLeastTwo


def compute(files: Files, settings: SnapshotSettings) -> Results:
    """Return the measures of the samples of every snapshot."""
    from ihdm.devices import compute_device
    from ihdm.metrics.evaluations import DISTANCES, Reference, measure_columns, measure_set
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import find_snapshots, load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images

    sampling, device = settings.sampling, compute_device()
    images, found = first_images(files["train"], sampling.num_train), find_snapshots(files["model"])
    transform, _ = load_extractor(files["extractor"], images[:1], inception=files["inception"])
    reference = Reference.read(files["reference"], files["moments"], files["power"])
    rows: list[dict[str, object]] = []
    with Progress(f"snapshots of {files['model'].name}", len(found), unit="networks") as progress:
        for done, (step, folder) in enumerate(found.items(), start=1):
            network = load_network(folder, sampling.process, images, device, sampling.compute)
            measured, _ = measure_set(
                network, None, images, transform, reference, settings.distance, settings.num_samples, sampling, device
            )
            rows += [
                {"step": step, "n": settings.num_samples, **measure_columns(row)}
                for row in measured
                if row["metric"] in (*DISTANCES, "relative_power_highest")
            ]
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


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and step, with its measures."""
    table = table.assign(text=interval_texts(table))
    return widen(table, ["experiment", "step", "n"], "metric").rename(columns=NAMES)


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(has_snapshots),
    inputs={
        "model": NETWORK,
        "train": TRAIN,
        **COMPARED,
    },
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
            columns={
                "step": "training steps",
                "metric": "a distance as above, or `relative_power_highest`",
            },
            summarize=summarize,
            notes=(
                "The table has the experiments with `run.snapshot_every`. Null: the distance of real images "
                "([distance](#distance)), and one for the power."
            ),
        ),
    },
)
