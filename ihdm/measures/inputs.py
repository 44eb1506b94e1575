"""Inputs, settings and labels that several measures share."""

from collections.abc import Callable, Mapping

from ihdm.config.stages import DistanceSettings
from ihdm.measures import Files, Measure, Resampling, Results, Table
from ihdm.runs import Input, Run, each_diagnosed

TRAIN = Input("data/{dataset}/train.npy", about="the training images, .npy")
TEST = Input("data/{dataset}/test.npy", about="the test images, .npy")

NETWORK_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
STATISTICS = {"statistics.safetensors": lambda run: run.variant.has_statistics}
"""A further file of some networks."""
NETWORK = Input(
    "models/{model}", contains=NETWORK_FILES, contains_for=STATISTICS, about="the folder of the trained network"
)
CALIBRATED = Input(
    "models/{model}",
    contains=(*NETWORK_FILES, "calibration.npz"),
    contains_for=STATISTICS,
    about="the folder of the trained network, with its calibration.npz",
)
ERRORS = Input("metrics/errors/{model}.npz", about="the held-out errors, .npz")

EXTRACTOR = Input(
    lambda run: run.fill(f"metrics/features/{{extractor}}/{run.dataset.partition('-')[0]}/extractor.npz"),
    about="the data set's extractor, .npz",
)
TRAIN_FEATURES = Input("metrics/features/{extractor}/{dataset}/train.npz", about="features of training images, .npz")
TEST_FEATURES = Input("metrics/features/{extractor}/{dataset}/test.npz", about="features of test images, .npz")
REFERENCE = Input(lambda run: _of_reference(run, "train"), about="features of the reference, .npz")
MOMENTS = Input(lambda run: _of_reference(run, "moments"), about="moments of the reference, .npz")
MEAN_POWER = Input("metrics/mean_power/{dataset}.npz", about="mean power of the training images, .npz")
COMPARED = {"extractor": EXTRACTOR, "reference": REFERENCE, "moments": MOMENTS, "power": MEAN_POWER}
"""Inputs of a measure that compares samples with real images."""


def _reference(run: Run) -> str:
    from ihdm.data.sources import reference_of  # needed to plan, not to compute

    return reference_of(run.config, run.dataset)


def _of_reference(run: Run, name: str) -> str:
    return run.fill(f"metrics/features/{{extractor}}/{_reference(run)}/{name}.npz")


def diagnostic(name: str, about: str) -> Input:
    """Return a file of the sampling diagnostics of an experiment, as an input."""
    return Input(f"samples/{{experiment}}/probes/{name}", about=about)


def diagnostic_measure(
    name: str, compute: Callable[[Files, Resampling], Results], inputs: Mapping[str, Input], table: Table, job: str
) -> Measure:
    """Return a measure of the sampling diagnostics of an experiment."""
    return Measure(
        compute=compute,
        runs=each_diagnosed,
        inputs=inputs,
        outputs={name: f"metrics/{name}/{{experiment}}.csv"},
        settings=lambda run: Resampling(num_resamples=run.config.evaluation.num_resamples),
        model=Resampling,
        labels=of_experiment,
        job=job,
        gpu="features",
        memory_mb=16000,
        minutes=720,
        tables={name: table},
    )


def distance_settings(run: Run) -> DistanceSettings:
    """Return the settings of distances."""
    evaluation = run.config.evaluation
    return DistanceSettings(
        num_images=evaluation.compared,
        num_resamples=evaluation.num_resamples,
        num_neighbors=evaluation.num_neighbors,
        extrapolate=evaluation.extrapolate,
        seed=0,
    )


def of_dataset(run: Run) -> dict[str, str]:
    """Return the label of rows of a data set."""
    return {"dataset": run.dataset}


def of_experiment(run: Run) -> dict[str, str]:
    """Return the label of rows of an experiment."""
    return {"experiment": run.experiment}


def squares_of(run: Run, split: str) -> int:
    """Return how many images of a split, ``train`` or ``test``, are cut from each photograph; 1 if they are whole."""
    from ihdm.data.sources import find_source  # needed to plan, not to compute

    dataset = run.config.datasets[run.dataset.partition("-")[0]]
    return dataset.crops or find_source(dataset).squares.get(split, 1)


def reference_name(run: Run) -> str:
    """Return the name of a data set's reference in tables."""
    return "training" if _reference(run) == run.dataset else run.config.evaluation.reference
