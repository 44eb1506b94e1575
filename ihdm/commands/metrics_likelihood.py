"""Stage ``metrics``, its part on networks: held-out errors, loss at each level, likelihood."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ihdm.commands.options import (
    ResamplesOption,
    SettingsOption,
    TestOption,
    TrainOption,
    read_settings,
    settings_text,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.storage.provenance import record

if TYPE_CHECKING:
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.storage.images import StoredImages

app = typer.Typer()

ErrorsOption = Annotated[Path, typer.Option(help="The held-out errors, .npz.")]


@app.command()
def levels(settings: SettingsOption, errors: ErrorsOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the held-out loss at each level against that of an output of zero, and for heat the level's best δ."""
    from ihdm.likelihood import best_deltas
    from ihdm.metrics.heldout import HeldOutErrors, level_rows
    from ihdm.processes import build_process
    from ihdm.processes.settings import read_process

    process = read_process("--settings", settings_text(settings))
    with record([output], command="metrics levels", inputs=[errors], settings=process):
        stored = HeldOutErrors.read(errors, process)
        rows = level_rows(stored, process)
        if process.has_constant_noise:
            sigma = build_process(process, 2).deviation(process.num_levels)  # of images of any size
            best = best_deltas(stored.means(), stored.num_dims, sigma) / sigma
            rows = [row | {"best_delta_ratio": ratio} for row, ratio in zip(rows, best, strict=True)]
        write_rows(rows, label, output)


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
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import likelihood_rows

    chosen = read_settings(LikelihoodSettings, settings)
    with record([output], command="metrics likelihood", inputs=[errors, train, test], settings=chosen):
        stored = HeldOutErrors.read(errors, chosen.process)
        centres, images = _fitting_images(stored, chosen, train, test)
        rows = likelihood_rows(stored, centres, images, chosen)
        write_rows(rows, label, output)


@app.command()
def likelihood_cost(
    settings: SettingsOption, errors: ErrorsOption, output: OutputOption, label: LabelOption = None
) -> None:
    """Compare ways to spend network evaluations: how many bring the error from noise to 0.01 bits per dimension."""
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import cost_rows

    chosen = read_settings(LikelihoodSettings, settings)
    with record([output], command="metrics likelihood-cost", inputs=[errors], settings=chosen):
        stored = HeldOutErrors.read(errors, chosen.process)
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
    curve: Annotated[Path, typer.Option(help="Path of the table of the bound on the fine grid, .csv.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell at which δ the bound is lowest, on a fine grid over the range of δ, which costs no network evaluation."""
    from ihdm.likelihood import bits_per_dim
    from ihdm.metrics.estimates import mean_estimate
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import bound_images
    from ihdm.metrics.minimum import fine_ratios, likelihood_minimum

    chosen = read_settings(LikelihoodSettings, settings)
    recorded = chosen.model_dump(mode="json") | {"resamples": resamples}
    with record(
        [output, curve], command="metrics likelihood-minimum", inputs=[errors, train, test], settings=recorded, seed=0
    ):
        stored = HeldOutErrors.read(errors, chosen.process)
        ratios = fine_ratios(chosen.delta_ratios)
        centres, images = _fitting_images(stored, chosen, train, test)
        bound = bound_images(stored, centres, images, chosen, ratios.tolist())
        bits = bits_per_dim(bound.nats(), stored.num_dims)
        write_rows([likelihood_minimum(ratios, bits, resamples, seed=0)], label, output)
        points = [
            {"delta_ratio": ratio} | mean_estimate(row).columns() for ratio, row in zip(ratios, bits, strict=True)
        ]
        write_rows(points, label, curve)


def _fitting_images(
    errors: "HeldOutErrors", settings: LikelihoodSettings, train: Path, test: Path
) -> tuple["StoredImages", "StoredImages"]:
    """Return the training images that the prior is made of, and the test images that the errors are of.

    Raises:
        UserError: if they are fewer, or of other sizes.
    """
    from ihdm.storage.reading import first_images, require_one_shape

    centres, images = first_images(train, settings.num_train), first_images(test, errors.network.shape[1])
    require_one_shape({str(train): centres, str(test): images})
    if images[0].size != errors.num_dims:
        raise UserError(
            f"{test}: the errors are of images of {errors.num_dims} values, but these have {images[0].size}"
        )
    return centres, images
