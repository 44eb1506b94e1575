"""Stage ``metrics``, its part on spectra: of generated and real images, and of images under noise and heat."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import (
    MeanPowerOption,
    ResamplesOption,
    SettingsOption,
    TestOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.processes import HeatSettings
from ihdm.storage.provenance import record

app = typer.Typer()

CountOption = Annotated[int, typer.Option(help="Images of each set.", min=2)]


@app.command()
def mean_power(train: TrainOption, output: Annotated[Path, typer.Option(help="Path of the mean power, .npz.")]) -> None:
    """Average the power of all training images in bands of frequency, once for all that is compared with it."""
    from ihdm.metrics.spectrum import MeanPower
    from ihdm.storage.files import atomic_path
    from ihdm.storage.reading import open_images

    with record([output], command="metrics mean-power", inputs=[train], settings={}):
        found = MeanPower.of(open_images(train))
        with atomic_path(output) as temporary:
            found.save(temporary)


@app.command()
def spectrum_real(
    reference: MeanPowerOption, train: TrainOption, test: TestOption, num_images: CountOption,
    resamples: ResamplesOption, output: OutputOption, label: LabelOption = None,
) -> None:  # fmt: skip
    """Compare the power of real images with that of others: of held-out ones, and of training images with the rest."""
    from ihdm.metrics.spectrum import MeanPower, real_band_rows
    from ihdm.storage.reading import open_images

    settings = {"num_images": num_images, "resamples": resamples}
    with record([output], command="metrics spectrum-real", inputs=[reference, train, test], settings=settings, seed=0):
        real, seen, held_out = MeanPower.read(reference), open_images(train), open_images(test)
        real.require_same_size({str(train): seen, str(test): held_out})
        write_rows(real_band_rows(seen, held_out, real, num_images, resamples), label, output)


@app.command()
def psd(settings: SettingsOption, train: TrainOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the power spectral density of images under growing noise and under growing heat (figure 4)."""
    from ihdm.metrics.forward_spectra import SEED, forward_spectra
    from ihdm.storage.reading import open_images

    process = read_settings(HeatSettings, settings)
    with record([output], command="metrics psd", inputs=[train], settings=process, seed=SEED):
        write_rows(forward_spectra(open_images(train), process), label, output)


@app.command()
def data_spectrum(
    train: TrainOption,
    resamples: ResamplesOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tabulate the power spectral density of a data set, and α of the power law 1/f^α fitted to it."""
    from ihdm.metrics.power_law import power_law_rows
    from ihdm.storage.reading import open_images

    with record([output], command="metrics data-spectrum", inputs=[train], settings={"resamples": resamples}, seed=0):
        write_rows(power_law_rows(open_images(train), num_resamples=resamples, seed=0), label, output)


@app.command()
def forward(
    train: TrainOption,
    resamples: ResamplesOption,
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Compare heat with a Gaussian filter and noise with a flat spectrum, and tell which detail each takes first."""
    from ihdm.metrics.forward import forward_rows
    from ihdm.storage.reading import open_images

    with record([output], command="metrics forward", inputs=[train], settings={"resamples": resamples}, seed=0):
        write_rows(forward_rows(open_images(train), num_resamples=resamples, seed=0), label, output)
