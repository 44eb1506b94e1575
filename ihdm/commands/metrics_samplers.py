"""Stage ``metrics``, its part on what a network can do beyond the paper: other joints, other samplers."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import (
    SettingsOption,
    TestOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.stages import JointSettings
from ihdm.storage.provenance import record

app = typer.Typer()

ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network, with its calibration.npz.")]


@app.command()
def joints(
    settings: SettingsOption,
    model: ModelOption,
    train: TrainOption,
    test: TestOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Bound −log p of the test images by the independent and the Markov joint, with one variance, one a level or more.

    Variances were measured on training images (`models calibrate`).
    """
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device, device_name
    from ihdm.metrics.joints import joint_rows
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME, load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images

    chosen, device = read_settings(JointSettings, settings), compute_device()
    images = first_images(test, chosen.num_images)
    with record(
        [output],
        command="metrics joints",
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, model / CALIBRATION_NAME, train, test],
        settings=chosen,
        seed=chosen.seed,
        device=device_name(device),
    ):
        network = load_network(model, chosen.process, images, device, chosen.compute)
        calibration = Calibration.read(model / CALIBRATION_NAME, chosen.process)
        with Progress(f"bounds {output.stem}", len(chosen.levels), unit="levels") as progress:
            centres = first_images(train, chosen.num_train)
            rows = joint_rows(network, calibration, centres, images, chosen, device, progress.update)
        write_rows(rows, label, output)
