"""Stage ``models``: training."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, first_images, read_settings
from ihdm.experiments import Experiment
from ihdm.settings import RunSettings

app = typer.Typer(help="Train networks.", no_args_is_help=True)


@app.command()
def train(
    settings: SettingsOption,
    data: Annotated[Path, typer.Option(help="The training images, train.npy.")],
    state: Annotated[Path, typer.Option(help="Folder of the training state; the same command goes on from it.")],
    output: Annotated[Path, typer.Option(help="Folder for the trained network and its history.")],
    test: Annotated[Path | None, typer.Option(help="Held-out images, test.npy, for losses on the way.")] = None,
    previews: Annotated[Path | None, typer.Option(help="Folder for sheets of samples on the way.")] = None,
    run_settings: Annotated[
        str, typer.Option(help="How to run, as JSON or the path of a JSON file.", metavar="JSON")
    ] = "{}",
) -> None:
    """Train the network of an experiment, going on from an earlier state if there is one.

    The network is written in diffusers' format, with averaged weights; `UNet2DModel.from_pretrained` loads the folder.
    Beside it go history.csv, the training loss, and held_out.csv, the losses at each level on held-out images. On
    SIGINT, SIGTERM or SIGUSR1 the state is saved and the command ends with status 130. With `torchrun
    --nproc-per-node N -m ihdm models train …` N processes share each batch.
    """
    import shutil
    from collections import deque

    import pandas as pd

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, processes, save_network
    from ihdm.progress import Progress
    from ihdm.provenance import record
    from ihdm.training import LOG_EVERY
    from ihdm.training import train as train_network

    experiment, run = read_settings(Experiment, settings), read_settings(RunSettings, run_settings)
    images, held_out = first_images(data, experiment.num_train), open_images(test) if test else None
    if not processes().is_main_process:
        train_network(experiment, images, state, run=run)
        return
    tables = ["history.csv", "held_out.csv"] if test else ["history.csv"]
    with record(
        output / "model.meta.json",
        outputs=[output / name for name in (CONFIG_NAME, WEIGHTS_NAME, *tables)],
        inputs=[data, test] if test else [data],
        settings=experiment.model_dump(mode="json")
        | {"run": run.model_dump() | {"processes": processes().num_processes}},
        seed=experiment.seed,
        device=str(compute_device()),
    ):
        batch_size = experiment.training.batch_size
        recent: deque[float] = deque(maxlen=LOG_EVERY)
        with Progress(f"training {output.name}", experiment.training.steps * batch_size, unit="images") as progress:

            def report(step: int, loss: float) -> None:
                recent.append(loss)
                progress.update(step * batch_size, f"loss {sum(recent) / len(recent):.4g}")

            network, history = train_network(
                experiment, images, state, run=run, test=held_out, previews=previews, report=report
            )
        save_network(network, output)
        for name in tables:
            rows = [row for row in history if ("level" in row) == (name == "held_out.csv")]
            with atomic_path(output / name) as temporary:
                pd.DataFrame(rows).to_csv(temporary, index=False)
    # A finished state would make a deliberate second training end at once.
    shutil.rmtree(state)
