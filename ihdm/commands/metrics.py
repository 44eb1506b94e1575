"""Stage ``metrics``: tables of what can be said about networks and generated images."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import BadZipFile

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.errors import UserError
from ihdm.settings import DistanceSettings, ErrorSettings, HeatSettings, LikelihoodSettings

if TYPE_CHECKING:
    import pandas as pd

    from ihdm.heldout import HeldOutErrors
    from ihdm.images import StoredImages

app = typer.Typer(help="Measure networks and generated images.", no_args_is_help=True)

OutputOption = Annotated[Path, typer.Option(help="Path of the table, .csv.")]
TrainOption = Annotated[Path, typer.Option(help="The training images, train.npy.")]
TestOption = Annotated[Path, typer.Option(help="The test images, test.npy.")]
ErrorsOption = Annotated[Path, typer.Option(help="The held-out errors, .npz.")]
ImagesOption = Annotated[list[str], typer.Option(help="NAME=PATH of a set of images to compare; may be repeated.")]
LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", help="COLUMN=VALUE for every row, e.g. experiment=digits; may be repeated."),
]


@app.command()
def errors(
    settings: SettingsOption,
    model: Annotated[Path, typer.Option(help="Folder of the trained network.")],
    test: TestOption,
    output: Annotated[Path, typer.Option(help="Path of the errors, .npz: `network` and `baseline`, image × level.")],
) -> None:
    """Evaluate a network at every level on held-out images; likelihood and loss per level both come from this."""
    import numpy as np

    from ihdm.files import atomic_path
    from ihdm.heldout import held_out_errors
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, load_network
    from ihdm.progress import Progress
    from ihdm.provenance import record

    chosen = read_settings(ErrorSettings, settings)
    device = compute_device()
    images = _first_images(test, chosen.num_images)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, test],
        settings=chosen,
        seed=chosen.seed,
        device=str(device),
    ):
        network = load_network(model, device)
        with Progress(f"evaluating {output.stem}", chosen.process.num_levels, unit="levels") as progress:
            measured = held_out_errors(network, images, chosen, device=device, report=progress.update)
        with atomic_path(output) as temporary:
            np.savez(temporary, network=measured.network, baseline=measured.baseline)


@app.command()
def levels(settings: SettingsOption, errors: ErrorsOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the held-out loss at each level against that of predicting f = 0."""
    from ihdm.heldout import level_rows
    from ihdm.provenance import record

    process = read_settings(HeatSettings, settings)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[errors], settings=process):
        _write_rows(level_rows(_read_errors(errors, process), process), label, output)


@app.command()
def likelihood(
    settings: SettingsOption,
    errors: ErrorsOption,
    train: TrainOption,
    test: TestOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Bound −log p of the test images, for every δ from the same errors, with its terms apart."""
    from ihdm.data.arrays import open_images
    from ihdm.likelihood import likelihood_rows
    from ihdm.provenance import record

    chosen = read_settings(LikelihoodSettings, settings)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[errors, train, test],
        settings=chosen,
        seed=chosen.seed,
    ):
        squared_errors = _read_errors(errors, chosen.process).network
        rows = likelihood_rows(squared_errors, open_images(train), open_images(test), chosen)
        _write_rows(rows, label, output)


@app.command()
def distance(
    settings: SettingsOption, train: TrainOption, images: ImagesOption, output: OutputOption, label: LabelOption = None
) -> None:
    """Compare sets of images with the training images, in a feature space named in every row.

    The reference is the training images after the first n; those first n, given as `train=…/train.npy`, are the
    real-against-real floor.
    """
    from ihdm.metrics.distance import distance_rows
    from ihdm.provenance import record

    chosen = read_settings(DistanceSettings, settings)
    paths = _named_paths(images)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[train, *paths.values()],
        settings=chosen,
        seed=chosen.seed,
    ):
        rows = distance_rows(
            {name: _first_images(path, chosen.num_images) for name, path in paths.items()},
            _reference_images(train, chosen.num_images),
            feature_space=chosen.feature_space,
            num_resamples=chosen.num_bootstrap,
            seed=chosen.seed,
        )
        _write_rows(rows, label, output)


@app.command()
def spectrum(
    train: TrainOption,
    images: ImagesOption,
    num_images: Annotated[
        int, typer.Option(help="Images of each set; the reference is the training images after them.", min=2)
    ],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Compare the power in bands of frequency with that of the training images after the first ones."""
    from ihdm.metrics.spectrum import band_rows
    from ihdm.provenance import record

    paths = _named_paths(images)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[train, *paths.values()],
        settings={"num_images": num_images},
    ):
        rows = band_rows(
            {name: _first_images(path, num_images) for name, path in paths.items()},
            _reference_images(train, num_images),
        )
        _write_rows(rows, label, output)


@app.command()
def disentanglement(
    grid: Annotated[Path, typer.Option(help="Samples of every start with every noise, .npy.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Split the variance of mean colour and of structure into what start, noise and interaction explain."""
    import numpy as np

    from ihdm.metrics.disentanglement import share_rows
    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[grid], settings={}):
        images = np.load(grid, allow_pickle=False)
        if images.ndim != 5:
            raise UserError(
                f"{grid}: holds an array of shape {images.shape}, not start × noise × height × width × channel"
            )
        _write_rows(share_rows(images), label, output)


@app.command()
def psd(settings: SettingsOption, train: TrainOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the power spectral density of images under growing noise and under growing heat (figure 4)."""
    from ihdm.data.arrays import open_images
    from ihdm.forward_spectra import SEED, forward_spectra
    from ihdm.provenance import record

    process = read_settings(HeatSettings, settings)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[train], settings=process, seed=SEED):
        _write_rows(forward_spectra(open_images(train), process), label, output)


@app.command()
def data_spectrum(
    train: TrainOption,
    resamples: Annotated[int, typer.Option(min=2, help="Bootstrap resamples behind the interval of α.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tabulate the power spectral density of a data set, and α of the power law 1/f^α fitted to it."""
    from ihdm.data.arrays import open_images
    from ihdm.metrics.power_law import power_law_rows
    from ihdm.provenance import record

    with record(
        output.with_suffix(".meta.json"), outputs=[output], inputs=[train], settings={"resamples": resamples}, seed=0
    ):
        _write_rows(power_law_rows(open_images(train), num_resamples=resamples, seed=0), label, output)


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: OutputOption,
) -> None:
    """Join tables of one kind, one after another."""
    import pandas as pd

    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=parts, settings={}):
        _write_table(pd.concat([pd.read_csv(part) for part in parts], ignore_index=True), output)


def _write_rows(rows: Iterable[dict[str, Any]], labels: list[str] | None, output: Path) -> None:
    """Write rows as a table, the labels as its first columns."""
    import pandas as pd

    columns = _named("--label", labels or [], "COLUMN=VALUE")
    _write_table(pd.DataFrame([{**columns, **row} for row in rows]), output)


def _write_table(table: "pd.DataFrame", output: Path) -> None:
    from ihdm.files import atomic_path

    with atomic_path(output) as temporary:
        table.to_csv(temporary, index=False)


def _named(option: str, pairs: list[str], form: str) -> dict[str, str]:
    named = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise UserError(f"{option} {pair}: write it as {form}")
        named[name] = value
    return named


def _named_paths(pairs: list[str]) -> dict[str, Path]:
    return {name: Path(path) for name, path in _named("--images", pairs, "NAME=PATH").items()}


def _read_errors(path: Path, process: HeatSettings) -> "HeldOutErrors":
    import numpy as np

    from ihdm.heldout import HeldOutErrors

    try:
        stored = np.load(path, allow_pickle=False)
        errors = HeldOutErrors(stored["network"], stored["baseline"])
    except (OSError, ValueError, KeyError, IndexError, BadZipFile) as error:
        raise UserError(f"{path}: no held-out errors can be read from it: {error}") from None
    if errors.network.shape[1] != process.num_levels:
        raise UserError(f"{path}: holds errors of {errors.network.shape[1]} levels; num_levels is {process.num_levels}")
    return errors


def _first_images(path: Path, count: int) -> "StoredImages":
    from ihdm.data.arrays import open_images

    images = open_images(path)
    if len(images) < count:
        raise UserError(f"{path}: {count} images are asked for but it holds {len(images)}")
    return images[:count]


def _reference_images(train: Path, skipped: int) -> "StoredImages":
    from ihdm.data.arrays import open_images

    images = open_images(train)
    if len(images) - skipped < 2:
        raise UserError(f"{train}: holds {len(images)} images; {skipped} for comparison leave too few for a reference")
    return images[skipped:]
