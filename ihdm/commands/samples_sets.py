"""Stage ``samples``, its part on sets of generated images.

The pipeline gives every setting. By hand a trained network is enough, as its folder tells how it was trained.
"""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import require_apart
from ihdm.commands.sampling import (
    ModelOption,
    SettingsOption,
    TrainOption,
    needed_calibration,
    read_sampling,
    sampled_from,
)
from ihdm.errors import UserError
from ihdm.storage.disk import owned
from ihdm.storage.files import atomic_path, clear_folder, give, sha256
from ihdm.storage.provenance import record, settings_hash

app = typer.Typer()

SHEET = 100
"""Samples, the first of a set, that its sheet shows."""


@app.command()
def draw(
    context: typer.Context,
    model: ModelOption,
    num_samples: Annotated[
        int, typer.Option("--num-samples", "--count", help="Number of images in the whole set.", min=1)
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="Folder for samples.npy, starts.npy, samples.csv and, of a whole set, grid.png; or a .png, for one "
            "sheet of them all."
        ),
    ],
    settings: SettingsOption = "{}",
    train: TrainOption = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder of unfinished images, from which the same command goes on; by default OUTPUT.state.",
            show_default=False,
        ),
    ] = None,
    shard: Annotated[int, typer.Option(help="Which part of the set to generate, from 0.", min=0)] = 0,
    num_shards: Annotated[int, typer.Option(help="Number of parts.", min=1)] = 1,
) -> None:
    """Generate a part of a set of images, each from its own number alone, so that the parts make the same set.

    Images are written to disk as they are finished. `samples gather` joins the parts. On one machine the bytes are the
    same with any number of parts and wherever a run was stopped; another device, another version of PyTorch or another
    number of `--threads` changes last bits of what is computed, and so here and there a value by one.
    """
    import torch

    from ihdm.devices import compute_device, device_name
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.samples.generation import shard_numbers
    from ihdm.samples.state import STATE_FILES, draw_samples, samples_table
    from ihdm.storage.code import code_sha256
    from ihdm.storage.images import save_grid
    from ihdm.storage.reading import first_images, open_images

    state = state or output.absolute().with_name(f"{output.absolute().name}.state")
    require_apart(state, output)
    if shard >= num_shards:
        raise UserError(f"--shard {shard}: with {num_shards} shards they are 0…{num_shards - 1}")
    sampling, train = read_sampling(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    numbers = shard_numbers(num_samples, shard, num_shards)
    if not numbers:
        raise UserError(f"--num-shards {num_shards}: {num_samples} images leave shard {shard} none; take fewer shards")
    context.with_resource(owned(state))
    calibration = needed_calibration(sampling, model, images)
    inputs = sampled_from(sampling, model, train)
    is_sheet, names = output.suffix == ".png", ("samples.npy", "starts.npy", "samples.csv")
    grid = [output / "grid.png"] if num_shards == 1 and not is_sheet else []
    with record(
        [output] if is_sheet else [*(output / name for name in names), *grid],
        command="samples draw",
        inputs=inputs,
        settings={**sampling.model_dump(), "num_samples": num_samples, "shard": shard, "num_shards": num_shards},
        seed=sampling.seed,
        device=device_name(device),
    ):
        origin = {
            "code": code_sha256("samples draw"),
            "settings": sampling.model_dump(mode="json"),
            "numbers": [numbers.start, numbers.stop],
            "inputs": [sha256(path) for path in inputs],
            "device": device_name(device),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        network = load_network(model, sampling.process, images, device, sampling.compute)
        with Progress(f"sampling {output}", len(numbers), unit="images") as progress:
            finished = draw_samples(
                network, images, sampling, numbers, state, calibration=calibration, origin=settings_hash(origin),
                device=device, report=progress.update,
            )  # fmt: skip
        if is_sheet:
            save_grid(open_images(state / "samples.npy"), output)
        else:
            with atomic_path(output / "samples.csv") as temporary:
                samples_table(finished, numbers, sampling.seed).to_csv(temporary, index=False)
            for name in names[:2]:
                give(state / name, output / name)
            for path in grid:
                save_grid(open_images(state / "samples.npy")[:SHEET], path)
    clear_folder(state, STATE_FILES)


@app.command()
def gather(
    shards: Annotated[list[Path], typer.Argument(help="Folders of the parts, in order.")],
    output: Annotated[Path, typer.Option(help="Folder for samples.npy, starts.npy, samples.csv and grid.png.")],
) -> None:
    """Join the parts of a set of images, reading a few at a time."""
    from ihdm.samples.state import RECORD_NAME, read_shards, shard_devices
    from ihdm.storage.images import join_images, save_grid
    from ihdm.storage.reading import open_images

    names = ("samples.npy", "starts.npy", "samples.csv", RECORD_NAME)
    with record(
        [output / name for name in (*names[:3], "grid.png")],
        command="samples gather",
        inputs=[folder / name for folder in shards for name in names],
        settings={"num_shards": len(shards)},
        device=shard_devices(shards),
    ):
        table = read_shards(shards)
        for name in names[:2]:
            with atomic_path(output / name) as temporary:
                join_images([open_images(folder / name) for folder in shards], temporary)
        with atomic_path(output / "samples.csv") as temporary:
            table.to_csv(temporary, index=False)
        save_grid(open_images(output / "samples.npy")[:SHEET], output / "grid.png")
