"""Stage ``models``: training."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.config import Experiment

app = typer.Typer(help="Train networks.", no_args_is_help=True)


@app.command()
def train(
    settings: SettingsOption,
    data: Annotated[Path, typer.Option(help="The training images, train.npy.")],
    state: Annotated[Path, typer.Option(help="Folder of the training state; the same command goes on from it.")],
    output: Annotated[Path, typer.Option(help="Folder for the trained network and its history.")],
    save_minutes: Annotated[float, typer.Option(help="Minutes between two savings of the state.")] = 5.0,
) -> None:
    """Train the network of an experiment, going on from an earlier state if there is one.

    The network is written in diffusers' format, with averaged weights; `UNet2DModel.from_pretrained` loads the folder.
    """
    import shutil

    import pandas as pd

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, save_network
    from ihdm.progress import Progress
    from ihdm.provenance import record
    from ihdm.training import train as train_network

    experiment = read_settings(Experiment, settings)
    images = open_images(data)
    outputs = [output / name for name in (CONFIG_NAME, WEIGHTS_NAME, "history.csv")]
    with record(
        output / "model.meta.json",
        outputs=outputs,
        inputs=[data],
        settings=experiment,
        seed=experiment.seed,
        device=str(compute_device()),
    ):
        batch_size = experiment.training.batch_size
        with Progress(f"training {output.name}", experiment.training.steps * batch_size, unit="images") as progress:
            network, history = train_network(
                experiment,
                images,
                state,
                save_minutes=save_minutes,
                report=lambda step, loss: progress.update(step * batch_size, f"loss {loss:.4g}"),
            )
        save_network(network, output)
        with atomic_path(output / "history.csv") as temporary:
            pd.DataFrame(history).to_csv(temporary, index=False)
    # A finished state would make a deliberate second training end at once.
    shutil.rmtree(state)
