"""The command that converts released checkpoints."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ihdm.errors import UserError

app = typer.Typer()


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of the released code, .pth.")],
    preset: Annotated[str, typer.Option("--preset", "--experiment", help="Its experiment: mnist, cifar10 …")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the network.")],
    config: Annotated[
        Path | None, typer.Option(help="Configuration with the experiment, by default the paper's.", show_default=False)
    ] = None,
    weights: Annotated[
        Literal["averaged", "last"], typer.Option(help="Averaged weights, or the weights of the last step.")
    ] = "averaged",
) -> None:
    """Convert a checkpoint released by the paper's authors to a network of this package.

    The experiment gives the network and process. The checkpoint may hold only tensors and plain values, whose shapes
    must match; no code in it is executed. To sample the network, export it with its training images:
    `python -m ihdm models export --model OUTPUT --train TRAIN.npy --output FOLDER`.
    """
    from ihdm.config.reading import read_config
    from ihdm.models.network import CONFIG_NAME, RECORD_NAME, WEIGHTS_NAME, save_network
    from ihdm.models.released import Checkpoint
    from ihdm.models.released import convert as converted
    from ihdm.storage.code import PACKAGE
    from ihdm.storage.provenance import record

    path = config or PACKAGE.parent / "config.yaml"
    if not path.exists():
        raise UserError(f"{path}: file not found; choose a configuration with --config")
    variants = read_config(path).variants
    known = [
        key for key, variant in variants.items() if variant.swept is None and variant.experiment.process.kind == "heat"
    ]
    if preset not in known:
        raise UserError(f"--preset {preset}: {path} has no heat experiment of this name; known are {', '.join(known)}")
    experiment = variants[preset].experiment
    found = Checkpoint.read(checkpoint)
    network = converted(found, experiment.network, weights)
    trained = experiment.model_dump(mode="json", include={"dataset", "network", "process", "seed", "num_train"})
    with record(
        [output / CONFIG_NAME, output / WEIGHTS_NAME],
        command="convert",
        meta=output / RECORD_NAME,
        inputs=[checkpoint],
        settings=trained | {"preset": preset, "weights": weights, "step": found.step},
    ):
        save_network(network, output, experiment.process)
