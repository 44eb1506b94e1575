"""Estimate the δ at which the bound is lowest, on a fine grid without further network evaluations."""

from ihdm.config.settings import NumResamples, Seed
from ihdm.config.stages import LikelihoodSettings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import ERRORS, TEST, TRAIN, of_experiment
from ihdm.measures.likelihood import fitting_images, likelihood_settings
from ihdm.runs import Run, each_experiment


class LikelihoodMinimumSettings(LikelihoodSettings):
    """Settings of the minimum of the bound."""

    num_resamples: NumResamples
    seed: Seed = 0


def compute(files: Files, settings: LikelihoodMinimumSettings) -> Results:
    """Return the row of the minimum, and the bound on the grid."""
    from ihdm.likelihood import bits_per_dim
    from ihdm.metrics.estimates import mean_estimate
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import bound_images
    from ihdm.metrics.minimum import fine_ratios, likelihood_minimum

    stored = HeldOutErrors.read(files["errors"], settings.process)
    ratios = fine_ratios(settings.delta_ratios)
    centers, images = fitting_images(stored, settings, files)
    bound = bound_images(stored, centers, images, settings, ratios.tolist())
    bits = bits_per_dim(bound.nats(), stored.num_dims)
    return {
        "minimum": [likelihood_minimum(ratios, bits, settings.num_resamples, settings.seed, stored.photographs)],
        "curve": [
            {"delta_ratio": ratio} | mean_estimate(row, photographs=stored.photographs).columns()
            for ratio, row in zip(ratios, bits, strict=True)
        ],
    }


def minimum_settings(run: Run) -> LikelihoodMinimumSettings:
    """Return the settings of the minimum of an experiment's bound."""
    return LikelihoodMinimumSettings(
        **dict(likelihood_settings(run)), num_resamples=run.config.evaluation.num_resamples
    )


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.has_likelihood_curve),
    inputs={"errors": ERRORS, "train": TRAIN, "test": TEST},
    outputs={
        "minimum": "metrics/minimum/{experiment}/likelihood.csv",
        "curve": "metrics/minimum/{experiment}/likelihood_curve.csv",
    },
    settings=minimum_settings,
    model=LikelihoodMinimumSettings,
    labels=of_experiment,
    memory_mb=8000,
)
