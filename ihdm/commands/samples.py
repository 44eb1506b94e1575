"""Stage ``samples``: generated images."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.settings import SamplingSettings

app = typer.Typer(help="Generate images.", no_args_is_help=True)

ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network.")]
DataOption = Annotated[
    Path, typer.Option(help="The training images, train.npy, whose blurred versions are the starts.")
]


@app.command()
def draw(
    settings: SettingsOption,
    model: ModelOption,
    data: DataOption,
    num_samples: Annotated[int, typer.Option(help="Number of images.", min=1)],
    output: Annotated[Path, typer.Option(help="Folder for samples.npy, starts.npy, samples.csv and grid.png.")],
) -> None:
    """Generate a set of images, each from its own number alone."""
    import numpy as np
    import pandas as pd

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.generation import generate
    from ihdm.images import save_grid
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, load_network
    from ihdm.progress import Progress
    from ihdm.provenance import record
    from ihdm.tensors import to_uint8

    sampling = read_settings(SamplingSettings, settings)
    train, device = open_images(data), compute_device()
    samples = np.empty((num_samples, *train.shape[1:]), dtype=np.uint8)
    starts = np.empty_like(samples)
    train_images = np.empty(num_samples, dtype=np.int64)
    paths = {name: output / name for name in ("samples.npy", "starts.npy", "samples.csv", "grid.png")}
    with record(
        output / "samples.meta.json",
        outputs=list(paths.values()),
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, data],
        settings={**sampling.model_dump(), "num_samples": num_samples},
        seed=sampling.seed,
        device=str(device),
    ):
        numbers = range(num_samples)
        network = load_network(model, device)
        with Progress(f"sampling {output.parent.name} {output.name}", num_samples, unit="images") as progress:
            for batch in generate(network, train, sampling, starts=numbers, noises=numbers, device=device):
                here = slice(batch.first, batch.first + len(batch.images))
                samples[here] = to_uint8(batch.images, sampling.rounding)
                starts[here] = to_uint8(batch.starts, sampling.rounding)
                train_images[here] = batch.train_images
                progress.update(here.stop)
        for name, images in (("samples.npy", samples), ("starts.npy", starts)):
            with atomic_path(paths[name]) as temporary:
                np.save(temporary, images, allow_pickle=False)
        with atomic_path(paths["samples.csv"]) as temporary:
            pd.DataFrame({"sample": list(numbers), "train_image": train_images}).to_csv(temporary, index=False)
        save_grid(samples[:100], paths["grid.png"])


@app.command()
def sequence(
    settings: SettingsOption,
    model: ModelOption,
    data: DataOption,
    output: Annotated[Path, typer.Option(help="Path of the sequences, .npz.")],
    rows: Annotated[int, typer.Option(help="Number of sequences.", min=1)] = 4,
    columns: Annotated[int, typer.Option(help="Stages of each sequence, both ends included.", min=2)] = 6,
) -> None:
    """Show both directions: training images as they blur, and samples as they form, at evenly spaced levels.

    The file holds `levels` (from K down to 0), `forward` and `reverse` (row, stage, height, width, channel).
    """
    import numpy as np

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.generation import generate
    from ihdm.heat import heat_process
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, load_network
    from ihdm.provenance import record
    from ihdm.tensors import to_tensor, to_uint8

    sampling = read_settings(SamplingSettings, settings)
    train, device = open_images(data), compute_device()
    num_levels = sampling.process.num_levels
    levels = np.unique(np.rint(np.linspace(0, num_levels, columns)).astype(int))[::-1]
    numbers = range(rows)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, data],
        settings={**sampling.model_dump(), "rows": rows, "columns": columns},
        seed=sampling.seed,
        device=str(device),
    ):
        network = load_network(model, device)
        kept = [int(level) for level in levels]
        batches = list(
            generate(network, train, sampling, starts=numbers, noises=numbers, keep_levels=kept, device=device)
        )
        # Each start stands beside the training image that it is the blurred version of.
        originals = np.concatenate([train[batch.train_images] for batch in batches])
        stages = [
            [
                to_uint8(batch.starts if level == num_levels else batch.means[level], sampling.rounding)
                for batch in batches
            ]
            for level in kept
        ]
        heat = heat_process(sampling.process, train.shape[1])
        with atomic_path(output) as temporary:
            np.savez(
                temporary,
                levels=levels,
                forward=np.stack([to_uint8(heat.blur(to_tensor(originals), level)) for level in kept], axis=1),
                reverse=np.stack([np.concatenate(parts) for parts in stages], axis=1),
            )


@app.command()
def grid(
    settings: SettingsOption,
    model: ModelOption,
    data: DataOption,
    output: Annotated[Path, typer.Option(help="Path of the grid, .npy: start, noise, height, width, channel.")],
    starts: Annotated[int, typer.Option(help="Number of starts.", min=2)],
    noises: Annotated[int, typer.Option(help="Number of noises.", min=2)],
) -> None:
    """Cross every start with every noise: what a sample owes to the one and to the other can then be told apart."""
    import numpy as np

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.generation import generate
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, load_network
    from ihdm.progress import Progress
    from ihdm.provenance import record

    sampling = read_settings(SamplingSettings, settings)
    train, device = open_images(data), compute_device()
    pairs = [(start, noise) for start in range(starts) for noise in range(noises)]
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, data],
        settings={**sampling.model_dump(), "starts": starts, "noises": noises},
        seed=sampling.seed,
        device=str(device),
    ):
        network = load_network(model, device)
        parts = []
        with Progress(f"sampling {output.parent.name} {output.stem}", len(pairs), unit="images") as progress:
            for batch in generate(
                network,
                train,
                sampling,
                starts=[start for start, _ in pairs],
                noises=[noise for _, noise in pairs],
                device=device,
            ):
                parts.append(batch.images.permute(0, 2, 3, 1).cpu().numpy())
                progress.update(batch.first + len(batch.images))
        images = np.concatenate(parts)
        with atomic_path(output) as temporary:
            np.save(temporary, images.reshape(starts, noises, *images.shape[1:]), allow_pickle=False)
