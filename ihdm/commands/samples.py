"""Stage ``samples``: generated images, as sets, sequences, grids and diagnostics.

The pipeline passes all settings. Without Snakemake a trained network is enough: its folder records how it was trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ihdm.commands.options import SettingsOption, TrainOption, read_settings, require_apart, write_table
from ihdm.commands.sampling import (
    ModelOption,
    OriginTrainOption,
    SamplingOption,
    needed_calibration,
    read_sampling,
    sampled_from,
)
from ihdm.config.stages import SamplingDiagnosticsSettings, SamplingSettings
from ihdm.errors import UserError
from ihdm.storage.arrays import save_array, save_arrays
from ihdm.storage.files import atomic_path, clear_folder, give, owned, sha256
from ihdm.storage.provenance import record, settings_hash

app = typer.Typer(help="Generate images.")

SHEET = 100
"""Samples on the sheet of a set."""
NUM_FORWARD = 8
"""Training images whose forward process is stored with trajectories."""


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
            help="Folder for samples.npy, starts.npy, samples.csv and, for a whole set, grid.png; or a .png for one "
            "sheet of all images."
        ),
    ],
    settings: SamplingOption = "{}",
    train: OriginTrainOption = None,
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder of unfinished images, from which the same command resumes; by default OUTPUT.state.",
            show_default=False,
        ),
    ] = None,
    shard: Annotated[int, typer.Option(help="Shard of the set to generate, from 0.", min=0)] = 0,
    num_shards: Annotated[int, typer.Option(help="Number of shards.", min=1)] = 1,
) -> None:
    """Generate a set of images, or one shard of it; every image depends only on its own number.

    Images are written to disk as they finish; `samples gather` joins shards. On one machine, the bytes do not depend on
    the number of shards or on interruptions. Another device, PyTorch version or number of `--threads` changes last
    bits, and so an occasional pixel value by one.
    """
    import torch

    from ihdm.devices import compute_device, device_name
    from ihdm.progress import Progress
    from ihdm.samples.generation import shard_numbers
    from ihdm.samples.state import STATE_FILES, draw_samples, samples_table
    from ihdm.storage.code import code_sha256
    from ihdm.storage.images import save_grid
    from ihdm.storage.reading import open_images

    state = state or output.absolute().with_name(f"{output.absolute().name}.state")
    require_apart(state, output)
    if shard >= num_shards:
        raise UserError(f"--shard {shard}: shards are numbered 0…{num_shards - 1}")
    sampling, train = read_sampling(settings, model, train)
    numbers = shard_numbers(num_samples, shard, num_shards)
    if not numbers:
        raise UserError(f"--num-shards {num_shards}: {num_samples} images leave shard {shard} empty; use fewer shards")
    context.with_resource(owned(state))
    is_sheet, names = output.suffix == ".png", ("samples.npy", "starts.npy", "samples.csv")
    grid = [output / "grid.png"] if num_shards == 1 and not is_sheet else []
    outputs = [output] if is_sheet else [*(output / name for name in names), *grid]
    counts = {"num_samples": num_samples, "shard": shard, "num_shards": num_shards}
    with _recorded("draw", outputs, sampling, model, train, {**sampling.model_dump(), **counts}) as source:
        origin = {
            "code": code_sha256("samples draw"),
            "settings": sampling.model_dump(mode="json"),
            "numbers": [numbers.start, numbers.stop],
            "inputs": [sha256(path) for path in sampled_from(sampling, model, train)],
            "device": device_name(compute_device()),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
        }
        with Progress(f"sampling {output}", len(numbers), unit="images") as progress:
            finished = draw_samples(
                **source, settings=sampling, numbers=numbers, state=state, origin=settings_hash(origin),
                report=progress.update,
            )  # fmt: skip
        if is_sheet:
            save_grid(open_images(state / "samples.npy"), output)
        else:
            write_table(samples_table(finished, numbers, sampling.seed), output / "samples.csv")
            for name in names[:2]:
                give(state / name, output / name)
            for path in grid:
                save_grid(open_images(state / "samples.npy")[:SHEET], path)
    clear_folder(state, STATE_FILES)


@app.command()
def gather(
    shards: Annotated[list[Path], typer.Argument(help="Folders of the shards, in order.")],
    output: Annotated[Path, typer.Option(help="Folder for samples.npy, starts.npy, samples.csv and grid.png.")],
) -> None:
    """Join the shards of a set of images."""
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
        write_table(table, output / "samples.csv")
        save_grid(open_images(output / "samples.npy")[:SHEET], output / "grid.png")


@app.command()
def sequence(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Path of the sequences, .npz.")],
    settings: SamplingOption = "{}",
    train: OriginTrainOption = None,
    rows: Annotated[int, typer.Option(help="Number of sequences.", min=1)] = 4,
    columns: Annotated[int, typer.Option(help="Stages of a sequence, both ends included.", min=2)] = 6,
) -> None:
    """Store training images as they blur, and samples as they form, at evenly spaced levels.

    The file holds `levels` (from K down to 0), `forward` and `reverse` (row, stage, height, width, channel).
    """
    import numpy as np

    from ihdm.samples.diagnostics import stage_levels
    from ihdm.samples.generation import even_size, forward_stages, generate
    from ihdm.storage.tensors import to_tensor, to_uint8

    sampling, train = read_sampling(settings, model, train)
    num_levels = sampling.process.num_levels
    kept = stage_levels(sampling.sampler.levels(sampling.process), columns)
    numbers = range(rows)
    recorded = {**sampling.model_dump(), "rows": rows, "columns": columns}
    with _recorded("sequence", [output], sampling, model, train, recorded) as source:
        batched = sampling.model_copy(update={"micro_batch": even_size(rows, sampling.micro_batch)})
        batches = list(generate(**source, settings=batched, starts=numbers, noises=numbers, keep_levels=kept))
        for batch in batches:
            batch.require_finite(numbers)
        # Each start is next to the training image that it blurs, if there is one.
        chosen = np.concatenate([batch.train_images for batch in batches])
        originals = to_tensor(source["train"][np.where(chosen < 0, numbers, chosen)])
        stages = [
            [
                to_uint8(batch.starts if level == num_levels else batch.means[level], sampling.rounding)
                for batch in batches
            ]
            for level in kept
        ]
        with atomic_path(output) as temporary:
            save_arrays(
                temporary,
                levels=np.array(kept),
                forward=np.stack(forward_stages(sampling.process, originals, kept, sampling.seed), axis=1),
                reverse=np.stack([np.concatenate(parts) for parts in stages], axis=1),
            )


@app.command()
def grid(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Path of the grid, .npy: start, noise, height, width, channel.")],
    starts: Annotated[int, typer.Option(help="Number of starts.", min=2)],
    noises: Annotated[int, typer.Option(help="Number of noises.", min=2)],
    settings: SamplingOption = "{}",
    train: OriginTrainOption = None,
) -> None:
    """Sample every start with every noise, to separate the effects of both."""
    import numpy as np

    from ihdm.progress import Progress
    from ihdm.samples.generation import even_size, generate

    sampling, train = read_sampling(settings, model, train)
    pairs = [(start, noise) for start in range(starts) for noise in range(noises)]
    batched = sampling.model_copy(update={"micro_batch": even_size(len(pairs), sampling.micro_batch)})
    recorded = {**sampling.model_dump(), "starts": starts, "noises": noises}
    parts = []
    with (
        _recorded("grid", [output], sampling, model, train, recorded) as source,
        Progress(f"sampling {output.parent.name} {output.stem}", len(pairs), unit="images") as progress,
    ):
        progress.update(0)
        first, second = ([pair[place] for pair in pairs] for place in (0, 1))
        for batch in generate(**source, settings=batched, starts=first, noises=second):
            batch.require_finite(pairs)
            parts.append(batch.images.permute(0, 2, 3, 1).cpu().numpy())
            progress.update(batch.first + len(batch.images))
        crossed = np.concatenate(parts)
        with atomic_path(output) as temporary:
            save_array(temporary, crossed.reshape(starts, noises, *crossed.shape[1:]))


@app.command()
def diagnose(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Folder for interpolations.npy, tree.npz, trajectories.npz, … .")],
    settings: SettingsOption,
    train: TrainOption,
) -> None:
    """Compute the sampling diagnostics: interpolations, branching trajectories, stages, input gradients.

    The folder gets `interpolations.npy` (pair × position), `tree.npz`, `trajectories.npz`, `sums.npz` and
    `gradients.npz`, as described in ihdm.samples.diagnostics.
    """
    import numpy as np

    from ihdm.progress import Progress
    from ihdm.samples.diagnostics import gradients, interpolations, trajectories, trees
    from ihdm.samples.generation import Chain, forward_stages
    from ihdm.storage.tensors import to_tensor

    chosen = read_settings(SamplingDiagnosticsSettings, settings)
    sampling, counts = chosen.sampling, chosen.diagnostics
    size = sampling.micro_batch
    names = ("interpolations.npy", "tree.npz", "trajectories.npz", "sums.npz", "gradients.npz")
    outputs, meta = [output / name for name in names], output / "probes.meta.json"
    with _recorded("diagnose", outputs, sampling, model, train, chosen.model_dump(mode="json"), meta) as source:
        chain = Chain.of(**source, settings=sampling)
        done = 0
        total = counts.num_pairs * counts.num_positions + (counts.num_trees << counts.num_splits)
        total += counts.num_trajectories + counts.num_gradients
        with Progress(f"sampling diagnostics {output}", total, unit="images") as progress:

            def report(more: int) -> None:
                nonlocal done
                done += more
                progress.update(done)

            report(0)
            between = interpolations(chain, counts.num_pairs, counts.num_positions, size, report)
            tree = trees(chain, counts.num_trees, counts.num_splits, size, report)
            stages = trajectories(chain, counts.num_trajectories, counts.num_stages, counts.num_ranges, size, report)
            derived = gradients(chain, counts.num_gradients, report)
        sums = {name: stages.pop(name) for name in ("edges", "sums")}
        images = to_tensor(source["train"][:NUM_FORWARD])
        forward = forward_stages(sampling.process, images, stages["levels"].tolist(), sampling.seed)
        arrays = (tree, {**stages, "forward": np.stack(forward)}, sums, derived)
        with atomic_path(output / names[0]) as temporary:
            save_array(temporary, between)
        for name, content in zip(names[1:], arrays, strict=True):
            with atomic_path(output / name) as temporary:
                save_arrays(temporary, **content)


@contextmanager
def _recorded(
    action: str,
    outputs: Sequence[Path],
    sampling: SamplingSettings,
    model: Path,
    train: Path,
    settings: Mapping[str, Any],
    meta: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Record the outputs of the block; yield the network, training images, calibration and device for sampling."""
    from ihdm.devices import compute_device, device_name
    from ihdm.models.network import load_network
    from ihdm.storage.reading import first_images

    images, device = first_images(train, sampling.num_train), compute_device()
    calibration = needed_calibration(sampling, model, images)
    with record(
        outputs,
        command=f"samples {action}",
        inputs=sampled_from(sampling, model, train),
        settings=settings,
        seed=sampling.seed,
        device=device_name(device),
        meta=meta,
    ):
        network = load_network(model, sampling.process, images, device, sampling.compute)
        yield {"network": network, "train": images, "calibration": calibration, "device": device}
