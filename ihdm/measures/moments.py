"""Compute the moments of the reference once for all distances."""

from ihdm.measures import Files, Measure, NoSettings, Results
from ihdm.measures.inputs import TRAIN_FEATURES
from ihdm.runs import each_dataset


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the moments of the features."""
    from ihdm.metrics.features import StoredFeatures
    from ihdm.metrics.moments import Moments
    from ihdm.storage.files import sha256

    path = files["features"]
    found = Moments.of(StoredFeatures.read(path)[:])
    return {"moments": lambda output: found.save(output, sha256(path))}


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"features": TRAIN_FEATURES},
    outputs={"moments": "metrics/features/{extractor}/{dataset}/moments.npz"},
    memory_mb=16000,
    minutes=720,
)
