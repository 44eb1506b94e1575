"""Stage ``samples``: generated images.

The pipeline gives every setting. By hand a trained network is enough, as its folder tells how it was trained.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.commands.options import first_images, require_apart, settings_text
from ihdm.config.reading import parse_settings
from ihdm.config.stages import SamplingSettings
from ihdm.errors import UserError

if TYPE_CHECKING:
    from ihdm.calibration import Calibration

app = typer.Typer(help="Generate images.", no_args_is_help=True)

ModelOption = Annotated[Path, typer.Option(help="Folder of the trained network.")]
SettingsOption = Annotated[
    str,
    typer.Option(
        "--settings",
        help="Settings as JSON, '{\"delta_ratio\": 1}', or the path of a JSON file that holds them. Without a process "
        "among them, process, seed and num_train are those of the training.",
        metavar="JSON",
    ),
]
TrainOption = Annotated[
    Path | None, typer.Option(help="The training images, train.npy; by default those that the network was trained on.")
]


def _read(settings: str, model: Path, train: Path | None) -> tuple[SamplingSettings, Path]:
    """Return the settings and the path of the training images, completed by what the network's folder tells."""
    from ihdm.models.origin import read_origin

    text = settings_text(settings)
    with suppress(ValueError, TypeError):  # what is no mapping is refused below
        given = json.loads(text)
        if "process" not in given:
            text = json.dumps({**read_origin(model).settings, **given})
    return parse_settings(SamplingSettings, text), train or read_origin(model).training_images()


@app.command()
def draw(
    model: ModelOption,
    num_samples: Annotated[
        int, typer.Option("--num-samples", "--count", help="Number of images in the whole set.", min=1)
    ],
    output: Annotated[
        Path,
        typer.Option(help="Folder for samples.npy, starts.npy and samples.csv; or a .png, for one sheet of them all."),
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
    import shutil

    import torch

    from ihdm.devices import compute_device
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.samples.generation import shard_numbers
    from ihdm.samples.state import STATE_FILES, draw_samples, samples_table
    from ihdm.storage.code import code_sha256
    from ihdm.storage.files import atomic_path, clear_folder, sha256
    from ihdm.storage.images import save_grid
    from ihdm.storage.provenance import record, settings_hash
    from ihdm.storage.reading import open_images

    state = state or output.absolute().with_name(f"{output.absolute().name}.state")
    require_apart(state, output)
    if shard >= num_shards:
        raise UserError(f"--shard {shard}: with {num_shards} shards they are 0…{num_shards - 1}")
    sampling, train = _read(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    numbers = shard_numbers(num_samples, shard, num_shards)
    if not numbers:
        raise UserError(f"--num-shards {num_shards}: {num_samples} images leave shard {shard} none; take fewer shards")
    calibration = _calibration(sampling, model)
    inputs = _inputs(sampling, model, train)
    is_sheet, names = output.suffix == ".png", ("samples.npy", "starts.npy", "samples.csv")
    with record(
        [output] if is_sheet else [output / name for name in names],
        command="samples draw",
        inputs=inputs,
        settings={**sampling.model_dump(), "num_samples": num_samples, "shard": shard, "num_shards": num_shards},
        seed=sampling.seed,
        device=str(device),
    ):
        origin = {
            "code": code_sha256("samples draw"),
            "settings": sampling.model_dump(mode="json"),
            "numbers": [numbers.start, numbers.stop],
            "inputs": [sha256(path) for path in inputs],
            "device": str(device),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        network = load_network(model, sampling.process, images, device)
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
                with atomic_path(output / name) as temporary:
                    shutil.copyfile(state / name, temporary)
    clear_folder(state, STATE_FILES)


@app.command()
def gather(
    shards: Annotated[list[Path], typer.Argument(help="Folders of the parts, in order.")],
    output: Annotated[Path, typer.Option(help="Folder for samples.npy, starts.npy, samples.csv and grid.png.")],
) -> None:
    """Join the parts of a set of images, reading a few at a time."""
    from ihdm.samples.state import RECORD_NAME, read_shards
    from ihdm.storage.files import atomic_path
    from ihdm.storage.images import join_images, save_grid
    from ihdm.storage.provenance import record
    from ihdm.storage.reading import open_images

    names = ("samples.npy", "starts.npy", "samples.csv", RECORD_NAME)
    with record(
        [output / name for name in (*names[:3], "grid.png")],
        command="samples gather",
        inputs=[folder / name for folder in shards for name in names],
        settings={},
    ):
        table = read_shards(shards)
        for name in names[:2]:
            with atomic_path(output / name) as temporary:
                join_images([open_images(folder / name) for folder in shards], temporary)
        with atomic_path(output / "samples.csv") as temporary:
            table.to_csv(temporary, index=False)
        save_grid(open_images(output / "samples.npy")[:100], output / "grid.png")


@app.command()
def sequence(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Path of the sequences, .npz.")],
    settings: SettingsOption = "{}",
    train: TrainOption = None,
    rows: Annotated[int, typer.Option(help="Number of sequences.", min=1)] = 4,
    columns: Annotated[int, typer.Option(help="Stages of each sequence, both ends included.", min=2)] = 6,
) -> None:
    """Show both directions: training images as they blur, and samples as they form, at evenly spaced levels.

    The file holds `levels` (from K down to 0), `forward` and `reverse` (row, stage, height, width, channel).
    """
    import numpy as np

    from ihdm.devices import compute_device
    from ihdm.models.network import load_network
    from ihdm.samples.generation import forward_stages, generate
    from ihdm.storage.files import atomic_path
    from ihdm.storage.provenance import record
    from ihdm.storage.tensors import to_tensor, to_uint8

    sampling, train = _read(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    num_levels = sampling.process.num_levels
    visited = np.asarray(sampling.sampler.levels(num_levels))
    evenly = np.rint(np.linspace(0, num_levels, columns))
    levels = np.unique(visited[np.abs(visited[:, None] - evenly).argmin(axis=0)])[::-1]
    numbers = range(rows)
    with record(
        [output],
        command="samples sequence",
        inputs=_inputs(sampling, model, train),
        settings={**sampling.model_dump(), "rows": rows, "columns": columns},
        seed=sampling.seed,
        device=str(device),
    ):
        network = load_network(model, sampling.process, images, device)
        kept = [int(level) for level in levels]
        batches = list(
            generate(
                network,
                images,
                sampling,
                starts=numbers,
                noises=numbers,
                calibration=_calibration(sampling, model),
                keep_levels=kept,
                device=device,
            )
        )
        for batch in batches:
            batch.require_finite(numbers)
        # Each start stands beside the training image that it is the blurred version of, if it is.
        chosen = np.concatenate([batch.train_images for batch in batches])
        originals = images[np.where(chosen < 0, numbers, chosen)]
        stages = [
            [
                to_uint8(batch.starts if level == num_levels else batch.means[level], sampling.rounding)
                for batch in batches
            ]
            for level in kept
        ]
        with atomic_path(output) as temporary:
            np.savez(
                temporary,
                levels=levels,
                forward=np.stack(forward_stages(sampling.process, to_tensor(originals), kept, sampling.seed), axis=1),
                reverse=np.stack([np.concatenate(parts) for parts in stages], axis=1),
            )


@app.command()
def grid(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Path of the grid, .npy: start, noise, height, width, channel.")],
    starts: Annotated[int, typer.Option(help="Number of starts.", min=2)],
    noises: Annotated[int, typer.Option(help="Number of noises.", min=2)],
    settings: SettingsOption = "{}",
    train: TrainOption = None,
) -> None:
    """Cross every start with every noise: what a sample owes to the one and to the other can then be told apart."""
    import numpy as np

    from ihdm.devices import compute_device
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.samples.generation import generate
    from ihdm.storage.files import atomic_path
    from ihdm.storage.provenance import record

    sampling, train = _read(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    pairs = [(start, noise) for start in range(starts) for noise in range(noises)]
    with record(
        [output],
        command="samples grid",
        inputs=_inputs(sampling, model, train),
        settings={**sampling.model_dump(), "starts": starts, "noises": noises},
        seed=sampling.seed,
        device=str(device),
    ):
        network = load_network(model, sampling.process, images, device)
        parts = []
        with Progress(f"sampling {output.parent.name} {output.stem}", len(pairs), unit="images") as progress:
            progress.update(0)
            for batch in generate(
                network,
                images,
                sampling,
                starts=[start for start, _ in pairs],
                noises=[noise for _, noise in pairs],
                calibration=_calibration(sampling, model),
                device=device,
            ):
                batch.require_finite(pairs)
                parts.append(batch.images.permute(0, 2, 3, 1).cpu().numpy())
                progress.update(batch.first + len(batch.images))
        crossed = np.concatenate(parts)
        with atomic_path(output) as temporary:
            np.save(temporary, crossed.reshape(starts, noises, *crossed.shape[1:]), allow_pickle=False)


def _calibration(settings: SamplingSettings, model: Path) -> "Calibration | None":
    """Return what was measured of a network, which lies beside it, for a sampler that needs it."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration

    if not settings.sampler.is_calibrated(settings.process):
        return None
    return Calibration.read(model / CALIBRATION_NAME, settings.process)


def _inputs(settings: SamplingSettings, model: Path, train: Path) -> list[Path]:
    """Return the files that images are sampled from."""
    from ihdm.calibration import CALIBRATION_NAME
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME

    calibration = [model / CALIBRATION_NAME] if settings.sampler.is_calibrated(settings.process) else []
    return [model / WEIGHTS_NAME, model / CONFIG_NAME, *calibration, train]
