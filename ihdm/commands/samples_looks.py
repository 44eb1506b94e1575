"""Stage ``samples``, its part on how images come about: sequences, grids of starts and noises, diagnostics."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ihdm.commands.options import settings_text
from ihdm.commands.sampling import (
    ModelOption,
    SettingsOption,
    TrainOption,
    needed_calibration,
    read_sampling,
    sampled_from,
)
from ihdm.config.reading import parse_settings
from ihdm.storage.arrays import save_array, save_arrays
from ihdm.storage.files import atomic_path
from ihdm.storage.provenance import record

app = typer.Typer()

SHOWN = 8
"""Training images that are shown as the process destroys them, beside samples as they form."""


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

    from ihdm.devices import compute_device, device_name
    from ihdm.models.network import load_network
    from ihdm.samples.diagnostics import stage_levels
    from ihdm.samples.generation import even_size, forward_stages, generate
    from ihdm.storage.reading import first_images
    from ihdm.storage.tensors import to_tensor, to_uint8

    sampling, train = read_sampling(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    num_levels = sampling.process.num_levels
    kept = stage_levels(sampling.sampler, sampling.process, columns)
    numbers = range(rows)
    with record(
        [output],
        command="samples sequence",
        inputs=sampled_from(sampling, model, train),
        settings={**sampling.model_dump(), "rows": rows, "columns": columns},
        seed=sampling.seed,
        device=device_name(device),
    ):
        network = load_network(model, sampling.process, images, device, sampling.compute)
        batches = list(
            generate(
                network,
                images,
                sampling.model_copy(update={"micro_batch": even_size(rows, sampling.micro_batch)}),
                starts=numbers,
                noises=numbers,
                calibration=needed_calibration(sampling, model, images),
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
            save_arrays(
                temporary,
                levels=np.array(kept),
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

    from ihdm.devices import compute_device, device_name
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.samples.generation import even_size, generate
    from ihdm.storage.reading import first_images

    sampling, train = read_sampling(settings, model, train)
    images, device = first_images(train, sampling.num_train), compute_device()
    pairs = [(start, noise) for start in range(starts) for noise in range(noises)]
    size = even_size(len(pairs), sampling.micro_batch)
    with record(
        [output],
        command="samples grid",
        inputs=sampled_from(sampling, model, train),
        settings={**sampling.model_dump(), "starts": starts, "noises": noises},
        seed=sampling.seed,
        device=device_name(device),
    ):
        network = load_network(model, sampling.process, images, device, sampling.compute)
        parts = []
        with Progress(f"sampling {output.parent.name} {output.stem}", len(pairs), unit="images") as progress:
            progress.update(0)
            for batch in generate(
                network,
                images,
                sampling.model_copy(update={"micro_batch": size}),
                starts=[start for start, _ in pairs],
                noises=[noise for _, noise in pairs],
                calibration=needed_calibration(sampling, model, images),
                device=device,
            ):
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
    settings: Annotated[
        str, typer.Option(help="SamplingDiagnosticsSettings as JSON, or the path of a JSON file.", metavar="JSON")
    ],
    train: Annotated[Path, typer.Option(help="The training images, train.npy.")],
) -> None:
    """Look into how a network makes images: between samples, from splitting paths, stage by stage, by its gradients.

    The folder gets `interpolations.npy` (pair × position), `tree.npz`, `trajectories.npz`, `sums.npz` and
    `gradients.npz`; ihdm.samples.diagnostics says what is in them.
    """
    import numpy as np

    from ihdm.config.stages import SamplingDiagnosticsSettings
    from ihdm.devices import compute_device, device_name
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.samples.diagnostics import gradients, interpolations, trajectories, trees
    from ihdm.samples.generation import Chain, forward_stages
    from ihdm.storage.reading import first_images
    from ihdm.storage.tensors import to_tensor

    chosen = parse_settings(SamplingDiagnosticsSettings, settings_text(settings))
    sampling, counts = chosen.sampling, chosen.diagnostics
    sampler, size = sampling.sampler, sampling.micro_batch
    images, device = first_images(train, sampling.num_train), compute_device()
    names = ("interpolations.npy", "tree.npz", "trajectories.npz", "sums.npz", "gradients.npz")
    with record(
        [output / name for name in names],
        command="samples diagnose",
        inputs=sampled_from(sampling, model, train),
        settings=chosen,
        seed=sampling.seed,
        device=device_name(device),
        meta=output / "probes.meta.json",
    ):
        network = load_network(model, sampling.process, images, device, sampling.compute)
        chain = Chain.of(network, images, sampling, needed_calibration(sampling, model, images), device)
        done = 0
        total = counts.num_pairs * counts.num_positions + (counts.num_trees << counts.num_splits)
        total += counts.num_trajectories + counts.num_gradients
        with Progress(f"diagnosing {output}", total, unit="images") as progress:

            def report(more: int) -> None:
                nonlocal done
                done += more
                progress.update(done)

            report(0)
            between = interpolations(chain, counts.num_pairs, counts.num_positions, size, report)
            grown = trees(chain, sampler, counts.num_trees, counts.num_splits, size, report)
            followed = trajectories(
                chain, sampler, counts.num_trajectories, counts.num_stages, counts.num_ranges, size, report
            )
            derived = gradients(chain, sampler, counts.num_gradients, report)
        destroyed = to_tensor(images[: min(SHOWN, len(images))])
        forward = forward_stages(sampling.process, destroyed, followed.levels, sampling.seed)
        arrays: dict[str, dict[str, Any]] = {
            "tree.npz": {"levels": grown.levels, "leaves": grown.leaves, "shown": grown.shown},
            "trajectories.npz": {
                "levels": followed.levels, "states": followed.states, "estimates": followed.estimates,
                "forward": np.stack(forward),
            },
            "sums.npz": {"edges": followed.edges, "sums": followed.sums},
            "gradients.npz": {
                "levels": derived.levels, "pixels": derived.pixels, "residual": derived.residual, "clean": derived.clean
            },
        }  # fmt: skip
        with atomic_path(output / names[0]) as temporary:
            save_array(temporary, between)
        for name, content in arrays.items():
            with atomic_path(output / name) as temporary:
                save_arrays(temporary, **content)
