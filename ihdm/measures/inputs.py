"""The files that measures read, by the names that they share."""

from ihdm.measures import Resampling
from ihdm.runs import Input, Run

TRAIN = Input("data/{dataset}/train.npy", about="the training images, .npy")
TEST = Input("data/{dataset}/test.npy", about="the test images, .npy")

NETWORK_FILES = ("config.json", "diffusion_pytorch_model.safetensors")
NETWORK = Input("models/{model}", contains=NETWORK_FILES, about="the folder of the trained network")
CALIBRATED = Input(
    "models/{model}",
    contains=(*NETWORK_FILES, "calibration.npz"),
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


def _reference(run: Run) -> str:
    from ihdm.data.sources import reference_of  # needed to plan, not to compute

    return reference_of(run.config, run.dataset)


def _of_reference(run: Run, name: str) -> str:
    return run.fill(f"metrics/features/{{extractor}}/{_reference(run)}/{name}.npz")


def diagnostic(name: str, about: str) -> Input:
    """Return a file of the sampling diagnostics of an experiment, as an input."""
    return Input(f"samples/{{experiment}}/probes/{name}", about=about)


def resampling(run: Run) -> Resampling:
    """Return the settings of a measure that depends on resampling alone."""
    return Resampling(num_resamples=run.config.evaluation.num_resamples)


def of_dataset(run: Run) -> dict[str, str]:
    """Return the label of a data set's rows."""
    return {"dataset": run.dataset}


def of_experiment(run: Run) -> dict[str, str]:
    """Return the label of an experiment's rows."""
    return {"experiment": run.experiment}


def reference_name(run: Run) -> str:
    """Return what images of a data set are compared with, as tables call it."""
    return "training" if _reference(run) == run.dataset else run.config.evaluation.reference
