"""Compare the power of held-out images, and of some training images, with that of the training images."""

from ihdm.config.settings import AtLeastTwo
from ihdm.config.stages import HasSquares
from ihdm.measures import Files, Measure, Resampling, Results
from ihdm.measures.inputs import MEAN_POWER, TEST, TRAIN, squares_of
from ihdm.runs import Run, each_dataset


class RealSpectrumSettings(HasSquares, Resampling):
    """Settings of the power of real images."""

    num_images: AtLeastTwo


def compute(files: Files, settings: RealSpectrumSettings) -> Results:
    """Return the power in bands of frequency."""
    from ihdm.data.order import photograph_numbers
    from ihdm.metrics.spectrum import MeanPower, real_band_rows
    from ihdm.storage.reading import open_images

    real, seen, held_out = MeanPower.read(files["power"]), open_images(files["train"]), open_images(files["test"])
    real.require_same_size({str(files["train"]): seen, str(files["test"]): held_out})
    photographs = photograph_numbers(settings.num_images, len(held_out), settings.squares, "test")
    return {"spectrum": real_band_rows(seen, held_out, real, settings.num_images, settings.num_resamples, photographs)}


def settings_of(run: Run) -> RealSpectrumSettings:
    """Return the settings of the power of real images."""
    evaluation = run.config.evaluation
    return RealSpectrumSettings(
        num_images=evaluation.compared[0],
        num_resamples=evaluation.num_resamples,
        squares=squares_of(run, "test"),
    )


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"power": MEAN_POWER, "train": TRAIN, "test": TEST},
    outputs={"spectrum": "metrics/spectrum/real/{dataset}.csv"},
    settings=settings_of,
    model=RealSpectrumSettings,
    labels=lambda run: {"dataset": run.dataset, "reference": "training"},
)
