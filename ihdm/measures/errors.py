"""Evaluate a network at every level on held-out images, for the likelihood bound and the loss at each level."""

from ihdm.config.stages import ErrorSettings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import NETWORK, TEST, squares_of
from ihdm.runs import Run, each_experiment


def compute(files: Files, settings: ErrorSettings) -> Results:
    """Return squared errors by draw, image and level."""
    from dataclasses import replace

    from ihdm.data.order import photograph_numbers
    from ihdm.devices import compute_device
    from ihdm.metrics.heldout import dequantize, held_out_errors
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images

    device = compute_device()
    images = first_images(files["test"], settings.num_images)
    network = load_network(files["model"], settings.process, images, device, settings.compute)
    with Progress(f"evaluating {files['model'].name}", len(settings.observed), unit="levels") as progress:
        measured = held_out_errors(network, dequantize(images).to(device), settings, progress.update)
    photographs = photograph_numbers(len(images), len(open_images(files["test"])), settings.squares, "test")
    return {"errors": lambda path: replace(measured, photographs=photographs).save(path, settings.process)}


def error_settings(run: Run) -> ErrorSettings:
    """Return the settings of the held-out squared errors of an experiment's network."""
    experiment, evaluation = run.variant.experiment, run.config.evaluation
    return ErrorSettings(
        process=experiment.process,
        prediction=experiment.prediction,
        seed=experiment.seed,
        num_images=evaluation.likelihood_images(run.dataset),
        micro_batch=evaluation.micro_batch_of(run.dataset),
        compute=evaluation.compute,
        num_draws=evaluation.likelihood_draws,
        # The paper's bound is a sum over all levels.
        max_levels=None if experiment.process.has_constant_noise else evaluation.max_levels,
        extra_draws=evaluation.extra_draws,
        squares=squares_of(run, "test"),
    )


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.has_levels),
    inputs={"model": NETWORK, "test": TEST},
    outputs={"errors": "metrics/errors/{experiment}.npz"},
    settings=error_settings,
    model=ErrorSettings,
    gpu="network",
    memory_mb=8000,
    minutes=720,
)
