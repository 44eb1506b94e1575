"""Tabulate the power spectral density of images under growing noise and under growing heat (paper, figure 4)."""

import numpy as np

from ihdm.config.processes import HeatSettings
from ihdm.config.settings import Seed, Settings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import TRAIN, of_experiment
from ihdm.metrics.spectrum import power_spectrum
from ihdm.runs import Run, each_experiment
from ihdm.seeds import generator
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images

NUM_IMAGES = 500
NOISE_LEVELS = np.geomspace(0.01, 1.0, 8)
NUM_BLUR_LEVELS = 9


class SpectraSettings(Settings):
    """Settings of spectra under noise and heat."""

    process: HeatSettings
    seed: Seed = 0


def compute(files: Files, settings: SpectraSettings) -> Results:
    """Return frequency and power."""
    return {"psd": forward_spectra(open_images(files["train"]), settings.process, settings.seed)}


def forward_spectra(images: StoredImages, settings: HeatSettings, seed: int = 0) -> list[dict[str, object]]:
    """Return rows of frequency and power: of the images, under eight levels of noise, under nine levels of blur.

    The power is averaged over the first 500 images, or all if there are fewer. ``process`` is ``none``, ``noise`` or
    ``heat``; ``strength`` is the noise's standard deviation in units of the image range, or the blur width in pixels.
    """
    import torch

    from ihdm.heat import heat_process
    from ihdm.storage.tensors import to_tensor

    clean = to_tensor(images[:NUM_IMAGES])
    heat = heat_process(settings, images.shape[1])
    rng = generator(seed, "spectrum under noise")
    noise = torch.as_tensor(rng.standard_normal(tuple(clean.shape), dtype=np.float32))
    levels = np.unique(np.rint(np.linspace(1, heat.num_levels, NUM_BLUR_LEVELS)).astype(int))
    versions = [("none", 0.0, clean)]
    versions += [("noise", float(scale), clean + scale * noise) for scale in NOISE_LEVELS]
    versions += [("heat", float(heat.blur_sigmas[level]), heat.blur(clean, int(level))) for level in levels]
    num_bins = min(50, 2 * images.shape[1])
    return [
        {"process": process, "strength": strength, "n": len(clean), "frequency": frequency, "power": power}
        for process, strength, version in versions
        for frequency, power in zip(*power_spectrum(version.permute(0, 2, 3, 1).numpy(), num_bins), strict=True)
    ]


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
