"""Compute likelihood bounds of test images by the independent and the Markov joint, for several variances.

Variances were measured on training images (``models calibrate``).
"""

from ihdm.config.processes import observed_levels
from ihdm.config.stages import JointSettings
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import CALIBRATED, TEST, TRAIN, of_experiment, squares_of
from ihdm.runs import Run, each_experiment


def compute(files: Files, settings: JointSettings) -> Results:
    """Return one row for each joint, variance and δ."""
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.data.order import photograph_numbers
    from ihdm.devices import compute_device
    from ihdm.metrics.joints import joint_rows
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images

    device, model = compute_device(), files["model"]
    images = first_images(files["test"], settings.num_images)
    network = load_network(model, settings.process, images, device, settings.compute)
    calibration = Calibration.read(model / CALIBRATION_NAME, settings.process, images.shape[1])
    with Progress(f"bounds of {model.name}", len(settings.levels), unit="levels") as progress:
        centers = first_images(files["train"], settings.num_train)
        photographs = photograph_numbers(len(images), len(open_images(files["test"])), settings.squares, "test")
        rows = joint_rows(
            network, calibration, centers, images, settings, device, progress.update, photographs=photographs
        )
    return {"likelihood": rows}


def joint_settings(run: Run) -> JointSettings:
    """Return the settings of the bounds of an experiment's network by several joints."""
    variant, evaluation = run.variant, run.config.evaluation
    process = variant.experiment.process
    ratios = tuple(ratio for ratio in variant.delta_ratios if ratio > 0) if process.has_constant_noise else ()
    return JointSettings(
        process=process,
        prediction=variant.experiment.prediction,
        seed=variant.experiment.seed,
        levels=observed_levels(process, evaluation.max_levels),
        num_images=evaluation.likelihood_images(variant.dataset),
        micro_batch=evaluation.micro_batch_of(variant.dataset),
        compute=evaluation.compute,
        num_draws=evaluation.likelihood_draws,
        delta_ratios=ratios or (1.0,),
        bandwidth_ratio=evaluation.delta_ratio or 1.0,
        num_train=variant.experiment.num_train,
        squares=squares_of(run, "test"),
    )


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.has_levels),
    inputs={"model": CALIBRATED, "train": TRAIN, "test": TEST},
    outputs={"likelihood": "metrics/joints/{experiment}.csv"},
    settings=joint_settings,
    model=JointSettings,
    labels=of_experiment,
    gpu="network",
    memory_mb=8000,
    minutes=720,
)
