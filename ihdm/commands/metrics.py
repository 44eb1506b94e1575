"""Stage ``metrics``: tables of what can be said about networks and generated images."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zipfile import BadZipFile

import typer

from ihdm.commands import image_sets
from ihdm.commands.options import ResamplesOption, SettingsOption, first_images, read_settings
from ihdm.commands.tables import (
    LabelOption,
    OutputOption,
    TestOption,
    TrainOption,
    named_paths,
    write_rows,
    write_table,
)
from ihdm.errors import UserError
from ihdm.settings import ErrorSettings, HeatSettings, LikelihoodSettings, SweptExperiments

if TYPE_CHECKING:
    from ihdm.heldout import HeldOutErrors

app = typer.Typer(help="Measure networks and generated images.", no_args_is_help=True)
app.add_typer(image_sets.app)

ErrorsOption = Annotated[Path, typer.Option(help="The held-out errors, .npz.")]


@app.command()
def errors(
    settings: SettingsOption,
    model: Annotated[Path, typer.Option(help="Folder of the trained network.")],
    test: TestOption,
    output: Annotated[Path, typer.Option(help="Path of the errors, .npz: draw × image × level.")],
) -> None:
    """Evaluate a network at every level on held-out images; likelihood and loss per level both come from this."""
    from dataclasses import asdict

    import numpy as np

    from ihdm.files import atomic_path
    from ihdm.heldout import held_out_errors
    from ihdm.network import CONFIG_NAME, WEIGHTS_NAME, compute_device, load_network
    from ihdm.progress import Progress
    from ihdm.provenance import record

    chosen = read_settings(ErrorSettings, settings)
    device = compute_device()
    images = first_images(test, chosen.num_images)
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
            np.savez(temporary, **asdict(measured))


@app.command()
def levels(settings: SettingsOption, errors: ErrorsOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the held-out loss at each level against that of predicting f = 0, and the level's best δ."""
    from ihdm.heldout import level_rows
    from ihdm.likelihood import best_deltas
    from ihdm.provenance import record

    process = read_settings(HeatSettings, settings)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[errors], settings=process):
        stored = _read_errors(errors, process)
        best = best_deltas(stored.means(), stored.num_dims, process.sigma) / process.sigma
        rows = level_rows(stored, process)
        write_rows([row | {"best_delta_ratio": ratio} for row, ratio in zip(rows, best, strict=True)], label, output)


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
        stored = _read_errors(errors, chosen.process)
        rows = likelihood_rows(stored, first_images(train, chosen.num_train), open_images(test), chosen)
        write_rows(rows, label, output)


@app.command()
def likelihood_cost(
    settings: SettingsOption, errors: ErrorsOption, output: OutputOption, label: LabelOption = None
) -> None:
    """Compare ways to spend network evaluations: how many bring the error from noise to 0.01 bits per dimension."""
    from ihdm.likelihood import cost_rows
    from ihdm.provenance import record

    chosen = read_settings(LikelihoodSettings, settings)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[errors], settings=chosen):
        stored = _read_errors(errors, chosen.process)
        if len(stored.network) < 2:
            raise UserError(f"{errors}: one draw of noise tells nothing of its variance; set likelihood_draws to 2")
        write_rows(cost_rows(stored, chosen.process.sigma, chosen.delta_ratios[0]), label, output)


@app.command()
def likelihood_minimum(
    settings: SettingsOption,
    errors: ErrorsOption,
    train: TrainOption,
    test: TestOption,
    resamples: ResamplesOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell at which δ the bound is lowest, on a fine grid over the range of δ, which costs no network evaluation."""
    from ihdm.data.arrays import open_images
    from ihdm.likelihood import bits_per_dim, bound_images
    from ihdm.metrics.minimum import fine_ratios, likelihood_minimum
    from ihdm.provenance import record

    chosen = read_settings(LikelihoodSettings, settings)
    with record(
        output.with_suffix(".meta.json"), outputs=[output], inputs=[errors, train, test],
        settings=chosen.model_dump(mode="json") | {"resamples": resamples}, seed=chosen.seed,
    ):  # fmt: skip
        stored = _read_errors(errors, chosen.process)
        ratios = fine_ratios(chosen.delta_ratios)
        centres = first_images(train, chosen.num_train)
        bound = bound_images(stored.means(), centres, open_images(test), chosen, ratios.tolist())
        bits = bits_per_dim(bound.nats(), stored.num_dims)
        write_rows([likelihood_minimum(ratios, bits, resamples, chosen.seed)], label, output)


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
        write_rows(share_rows(images), label, output)


@app.command()
def psd(settings: SettingsOption, train: TrainOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the power spectral density of images under growing noise and under growing heat (figure 4)."""
    from ihdm.data.arrays import open_images
    from ihdm.forward_spectra import SEED, forward_spectra
    from ihdm.provenance import record

    process = read_settings(HeatSettings, settings)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[train], settings=process, seed=SEED):
        write_rows(forward_spectra(open_images(train), process), label, output)


@app.command()
def data_spectrum(
    train: TrainOption,
    resamples: ResamplesOption,
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
        write_rows(power_law_rows(open_images(train), num_resamples=resamples, seed=0), label, output)


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: OutputOption,
) -> None:
    """Join tables of one kind, one after another; rows of one data set must be of one extractor."""
    import pandas as pd

    from ihdm.metrics.tables import join_tables
    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=parts, settings={}):
        write_table(join_tables({str(part): pd.read_csv(part) for part in parts}), output)


@app.command()
def sweep(
    settings: SettingsOption,
    tables: Annotated[list[Path], typer.Argument(help="Joint tables, KIND.csv.")],
    train: Annotated[list[str], typer.Option(help="DATASET=PATH of the training images, .npy; may be repeated.")],
    output: OutputOption,
) -> None:
    """Put every measure of every experiment into one tidy table, as .csv and, beside it, as .parquet."""
    import pandas as pd

    from ihdm.data.arrays import open_images
    from ihdm.files import atomic_path
    from ihdm.metrics.sweep import tidy_table
    from ihdm.provenance import record

    chosen = read_settings(SweptExperiments, settings)
    parquet = output.with_suffix(".parquet")
    with record(output.with_suffix(".meta.json"), outputs=[output, parquet], inputs=tables, settings=chosen):
        num_train = {dataset: len(open_images(path)) for dataset, path in named_paths("--train", train).items()}
        table = tidy_table({path.stem: pd.read_csv(path) for path in tables}, chosen.experiments, num_train)
        write_table(table, output)
        with atomic_path(parquet) as temporary:
            table.to_parquet(temporary, index=False)


@app.command()
def departures(
    table: Annotated[Path, typer.Argument(help="The tidy table of `metrics sweep`, .csv.")], output: OutputOption
) -> None:
    """Tabulate what each departure of the released code from the description does."""
    import pandas as pd

    from ihdm.metrics.departures import departure_table
    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[table], settings={}):
        write_table(departure_table(pd.read_csv(table)), output)


def _read_errors(path: Path, process: HeatSettings) -> "HeldOutErrors":
    import numpy as np

    from ihdm.heldout import HeldOutErrors

    try:
        stored = np.load(path, allow_pickle=False)
        errors = HeldOutErrors(stored["network"], stored["baseline"], stored["controls"], int(stored["num_dims"]))
    except (OSError, ValueError, KeyError, IndexError, BadZipFile) as error:
        raise UserError(f"{path}: no held-out errors can be read from it: {error}") from None
    if (found := errors.network.shape[-1]) != process.num_levels:
        raise UserError(f"{path}: holds errors of {found} levels; num_levels is {process.num_levels}")
    return errors
