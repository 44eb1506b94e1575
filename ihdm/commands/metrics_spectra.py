"""Stage ``metrics``, its part on spectra: of generated and real images, and of images under noise and heat."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import (
    ResamplesOption,
    SettingsOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, write_rows
from ihdm.config.settings import HeatSettings
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
def psd(settings: SettingsOption, train: TrainOption, output: OutputOption, label: LabelOption = None) -> None:
    """Tabulate the power spectral density of images under growing noise and under growing heat (figure 4)."""
    from ihdm.metrics.forward_spectra import SEED, forward_spectra
    from ihdm.storage.reading import open_images

    process = read_settings(HeatSettings, settings)
    with record([output], command="metrics psd", inputs=[train], settings=process, seed=SEED):
        write_rows(forward_spectra(open_images(train), process), label, output)


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
