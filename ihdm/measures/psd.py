"""Tabulate the power spectral density of images under growing noise and under growing heat (paper, figure 4)."""

from ihdm.config.processes import HeatSettings
from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import TRAIN, of_experiment
from ihdm.runs import Run, each_experiment


class SpectraSettings(Settings):
    """Settings of spectra under noise and heat."""

    process: HeatSettings
    seed: Seed = 0


def compute(files: Files, settings: SpectraSettings) -> Results:
    """Return frequency and power."""
    from ihdm.metrics.forward_spectra import forward_spectra
    from ihdm.storage.reading import open_images

    return {"psd": forward_spectra(open_images(files["train"]), settings.process, settings.seed)}


def spectra_settings(run: Run) -> SpectraSettings:
    """Return the settings of the spectra of an experiment's training images."""
    return SpectraSettings.model_validate({"process": run.variant.experiment.process})


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.experiment.process.has_constant_noise),
    inputs={"train": TRAIN},
    outputs={"psd": "metrics/psd/{experiment}.csv"},
    settings=spectra_settings,
    model=SpectraSettings,
    labels=of_experiment,
)
