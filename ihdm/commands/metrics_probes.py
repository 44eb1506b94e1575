"""Stage ``metrics``, its part on the inside of generation: what was probed, the limit of many levels, toy paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.commands.options import (
    ExtractorOption,
    InceptionOption,
    ResamplesOption,
    SettingsOption,
    TestOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.storage.provenance import record

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer()

PROBES = {
    "interpolations.npy": {"": 5},
    "tree.npz": {"levels": 1, "leaves": 5},
    "trajectories.npz": {"levels": 1, "states": 5, "estimates": 5},
    "sums.npz": {"edges": 1, "sums": 5},
    "gradients.npz": {"levels": 1, "pixels": 2, "residual": 5, "clean": 5},
}
"""The files of `samples probe` that are measured here, with their arrays and the number of dimensions of each."""


@app.command()
def probes(
    folder: Annotated[Path, typer.Option("--probes", help="Folder of an experiment's probes.")],
    extractor: ExtractorOption,
    resamples: ResamplesOption,
    interpolation: Annotated[Path, typer.Option(help="Path of the table of paths between samples, .csv.")],
    hierarchy: Annotated[Path, typer.Option(help="Path of the table of trees of samples, .csv.")],
    generation: Annotated[Path, typer.Option(help="Path of the table of the order of generation, .csv.")],
    cumulative_sums: Annotated[Path, typer.Option(help="Path of the table of what ranges of steps add, .csv.")],
    input_gradients: Annotated[Path, typer.Option(help="Path of the table of input gradients, .csv.")],
    inception: InceptionOption = Path("data/inception"),
    label: LabelOption = None,
) -> None:
    """Measure what was probed of an experiment: interpolations, trees, trajectories, sums of steps and gradients."""
    import numpy as np

    from ihdm.metrics.cumulative_sums import cumulative_sum_rows
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import extract
    from ihdm.metrics.generation import generation_rows
    from ihdm.metrics.hierarchy import hierarchy_rows
    from ihdm.metrics.input_gradients import input_gradient_rows
    from ihdm.metrics.interpolation import interpolation_rows

    seed = 0
    with record(
        [interpolation, hierarchy, generation, cumulative_sums, input_gradients],
        command="metrics probes",
        inputs=[*(folder / name for name in PROBES), extractor],
        settings={"resamples": resamples},
        seed=seed,
    ):
        between, tree, trajectories, sums, gradients = (
            _read_probe(folder / name, dimensions) for name, dimensions in PROBES.items()
        )
        paths = between[""]
        stored = np.rint(np.clip(paths.reshape(-1, *paths.shape[2:]), 0, 1) * 255).astype(np.uint8)
        transform, _ = load_extractor(extractor, stored[:1], inception=inception)
        spaces = {"pixels": paths, "features": extract(transform, stored).values}
        tables = {
            interpolation: interpolation_rows(
                {name: points.reshape(*paths.shape[:2], -1) for name, points in spaces.items()}, seed
            ),
            hierarchy: hierarchy_rows(tree["levels"], tree["leaves"]),
            generation: generation_rows(
                trajectories["levels"], trajectories["estimates"], trajectories["states"][-1], resamples, seed
            ),
            cumulative_sums: cumulative_sum_rows(sums["edges"], sums["sums"]),
            input_gradients: input_gradient_rows(
                gradients["levels"], gradients["pixels"], {name: gradients[name] for name in ("residual", "clean")}
            ),
        }
        for path, rows in tables.items():
            write_rows(rows, label, path)


@app.command()
def asymptotics(
    settings: SettingsOption,
    model: Annotated[Path, typer.Option(help="Folder of the trained network.")],
    test: TestOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell how near the limit of many levels is: in closed form for Gaussian data, then for a network, if it has one.

    Of the settings' images at most 100 count; the levels are fewer too. A network needs its calibration
    (`models calibrate`), with which it leaps over levels.
    """
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.config.processes import observed_levels
    from ihdm.devices import compute_device, device_name
    from ihdm.metrics.asymptotics import (
        DELTA_RATIOS,
        MAX_IMAGES,
        NUM_LANGEVIN_LEVELS,
        NUM_LOSS_LEVELS,
        NUM_STEPS,
        network_rows,
        toy_rows,
    )
    from ihdm.metrics.heldout import dequantise
    from ihdm.models.network import CONFIG_NAME, WEIGHTS_NAME, load_network
    from ihdm.processes import build_process
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images

    chosen, device = read_settings(ErrorSettings, settings), compute_device()
    images = first_images(test, min(chosen.num_images, MAX_IMAGES))
    calibrations = [model / CALIBRATION_NAME] if chosen.has_paper_bound else []
    with record(
        [output],
        command="metrics asymptotics",
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, *calibrations, test],
        settings=chosen,
        seed=chosen.seed,
        device=device_name(device),
    ):
        rows = toy_rows()
        if chosen.has_paper_bound:
            levels = observed_levels(chosen.process, NUM_LOSS_LEVELS)
            visited = observed_levels(chosen.process, chosen.max_levels)
            inner = observed_levels(chosen.process, NUM_LANGEVIN_LEVELS + 1)[:NUM_LANGEVIN_LEVELS]
            total = len(levels) + len(visited) + len(inner) * len(DELTA_RATIOS)
            with Progress(f"asymptotics {output.stem}", total, unit="levels") as progress:
                rows += network_rows(
                    load_network(model, chosen.process, images, device, chosen.compute),
                    build_process(chosen.process, images.shape[1], device),
                    Calibration.read(model / CALIBRATION_NAME, chosen.process),
                    dequantise(images).to(device),
                    levels=levels,
                    visited=visited,
                    langevin_levels=inner,
                    delta_ratios=DELTA_RATIOS,
                    num_steps=NUM_STEPS,
                    seed=chosen.seed,
                    num_draws=chosen.num_draws,
                    batch_size=chosen.micro_batch,
                    report=progress.update,
                )
        write_rows(rows, label, output)


@app.command()
def paths(
    output: OutputOption,
    arrays: Annotated[Path, typer.Option(help="Path of the paths that a figure shows, .npz.")],
) -> None:
    """Tell where the forward paths of a toy merge and its reverse paths branch, for several σ."""
    import numpy as np

    from ihdm.metrics.paths import SEED, path_rows, shown_paths
    from ihdm.storage.files import atomic_path

    with record([output, arrays], command="metrics paths", settings={}, seed=SEED):
        write_rows(path_rows(), None, output)
        with atomic_path(arrays) as temporary:
            np.savez(temporary, **shown_paths())


def _read_probe(path: Path, dimensions: Mapping[str, int]) -> "dict[str, np.ndarray]":
    """Read the arrays of a probe by name; a file of one array alone, .npy, holds that of no name.

    Raises:
        UserError: if the file cannot be read, or an array has another number of dimensions.
    """
    from ihdm.storage.reading import read_archive, read_array

    stored = {"": read_array(path)} if path.suffix == ".npy" else read_archive(path, list(dimensions))
    for name, array in stored.items():
        if array.ndim != dimensions[name]:
            raise UserError(
                f"{path}: {name or 'its array'} is of shape {array.shape}, not of {dimensions[name]} dimensions; make "
                "it again with `samples probe`"
            )
    return stored
