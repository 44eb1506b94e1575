"""Stage ``metrics``, its part on what a network can do beyond the paper: other joints, other samplers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ihdm.commands.options import (
    ExtractorOption,
    InceptionOption,
    MeanPowerOption,
    MomentsOption,
    ReferenceOption,
    SettingsOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.stages import MilestoneSettings, StudySettings
from ihdm.storage.provenance import record

app = typer.Typer()

ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network, with its calibration.npz.")]


@app.command()
def evaluations(
    settings: SettingsOption,
    model: ModelOption,
    train: TrainOption,
    extractor: ExtractorOption,
    reference: ReferenceOption,
    moments: MomentsOption,
    power: MeanPowerOption,
    sheets: Annotated[Path, typer.Option(help="Path of some samples of every set, .npz.")],
    output: OutputOption,
    inception: InceptionOption = Path("data/inception"),
    label: LabelOption = None,
) -> None:
    """Measure samples after few and many network evaluations, by every sampler named, with their seconds."""
    import numpy as np

    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device, device_name
    from ihdm.metrics.evaluations import Reference, count_sets, study_row, study_sets
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME, load_network
    from ihdm.progress import Progress
    from ihdm.storage.files import atomic_path
    from ihdm.storage.reading import first_images

    chosen, device = read_settings(StudySettings, settings), compute_device()
    images = first_images(train, chosen.sampling.num_train)
    inputs = [model / WEIGHTS_NAME, model / CONFIG_NAME, model / CALIBRATION_NAME]
    with record(
        [output, sheets],
        command="metrics evaluations",
        inputs=[*inputs, train, extractor, reference, moments, power],
        settings=chosen,
        seed=chosen.sampling.seed,
        device=device_name(device),
    ):
        network = load_network(model, chosen.sampling.process, images, device, chosen.sampling.compute)
        calibration = Calibration.read(model / CALIBRATION_NAME, chosen.sampling.process)
        transform, _ = load_extractor(extractor, images[:1], inception=inception)
        measured_from = Reference.read(reference, moments, power)
        rows: list[dict[str, object]] = []
        shown: dict[str, Any] = {}
        with Progress(f"evaluations {output.stem}", count_sets(chosen), unit="sets") as progress:
            progress.update(0)
            for found in study_sets(
                network, calibration, images, transform, measured_from, chosen, device, progress.update
            ):
                rows += [study_row(row, found) for row in found.rows]
                shown[f"{found.sampler}:{found.evaluations}"] = found.shown
        write_rows(rows, label, output)
        with atomic_path(sheets) as temporary:
            np.savez(temporary, **shown)


@app.command()
def milestones(
    settings: SettingsOption,
    model: Annotated[Path, typer.Option(help="Folder of the trained network, with its milestones.")],
    train: TrainOption,
    extractor: ExtractorOption,
    reference: ReferenceOption,
    moments: MomentsOption,
    power: MeanPowerOption,
    output: OutputOption,
    inception: InceptionOption = Path("data/inception"),
    label: LabelOption = None,
) -> None:
    """Measure samples of the networks that a training kept on its way: quality against steps."""
    from ihdm.devices import compute_device, device_name
    from ihdm.metrics.evaluations import DISTANCES, Reference, measure_columns, measure_set
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import WEIGHTS_NAME, find_milestones, load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images

    chosen, device = read_settings(MilestoneSettings, settings), compute_device()
    images, found = first_images(train, chosen.sampling.num_train), find_milestones(model)
    with record(
        [output],
        command="metrics milestones",
        inputs=[*(folder / WEIGHTS_NAME for folder in found.values()), train, extractor, reference, moments, power],
        settings=chosen,
        seed=chosen.sampling.seed,
        device=device_name(device),
    ):
        transform, _ = load_extractor(extractor, images[:1], inception=inception)
        measured_from = Reference.read(reference, moments, power)
        rows: list[dict[str, object]] = []
        with Progress(f"milestones {output.stem}", len(found), unit="networks") as progress:
            for done, (step, folder) in enumerate(found.items(), start=1):
                network = load_network(folder, chosen.sampling.process, images, device, chosen.sampling.compute)
                measured, _ = measure_set(
                    network, None, images, transform, measured_from, chosen.distance, chosen.num_samples,
                    chosen.sampling, device,
                )  # fmt: skip
                rows += [
                    {"step": step, "n": chosen.num_samples, **measure_columns(row)}
                    for row in measured
                    if row["metric"] in (*DISTANCES, "relative_power_highest")
                ]
                progress.update(done)
        write_rows(rows, label, output)
