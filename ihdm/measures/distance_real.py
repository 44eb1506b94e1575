"""Compare held-out images and training images with the reference; training images give the lower limit for samples."""

from ihdm.config.stages import DistanceSettings, HasSquares
from ihdm.measures import Files, Measure, Results
from ihdm.measures.inputs import MOMENTS, REFERENCE, TEST_FEATURES, TRAIN_FEATURES, reference_name, squares_of
from ihdm.measures.samples import distance_settings
from ihdm.runs import Run, each_dataset


class RealDistanceSettings(HasSquares, DistanceSettings):
    """Settings of the distances of real images."""


def compute(files: Files, settings: RealDistanceSettings) -> Results:
    """Return the distances; the lower limit of n images is measured from the reference without its first n."""
    import sys

    from ihdm.data.order import photograph_numbers
    from ihdm.metrics.distance import real_rows
    from ihdm.metrics.features import StoredFeatures
    from ihdm.metrics.moments import Moments
    from ihdm.progress import Progress
    from ihdm.storage.files import sha256

    seen, held_out, compared = (StoredFeatures.read(files[role]) for role in ("train", "test", "reference"))
    known = Moments.read(files["moments"], sha256(files["reference"]))
    with Progress(f"distances of {files['train'].parent}", len(settings.num_images), unit="sizes") as progress:
        progress.update(0)
        photographs = photograph_numbers(len(held_out), len(held_out), settings.squares, "test")
        rows = real_rows(seen, held_out, compared, known, settings, progress.update, photographs)
    for name, count, note in dict.fromkeys((row["set"], row["n"], row["note"]) for row in rows if row["note"]):
        print(f"warning: no distance of {count} images of {name}: {note}", file=sys.stderr)
    return {"distance": rows}


def real_settings(run: Run) -> RealDistanceSettings:
    """Return the settings of the distances of real images."""
    return RealDistanceSettings(**dict(distance_settings(run)), squares=squares_of(run, "test"))


MEASURE = Measure(
    compute=compute,
    runs=each_dataset,
    inputs={"reference": REFERENCE, "moments": MOMENTS, "train": TRAIN_FEATURES, "test": TEST_FEATURES},
    outputs={"distance": "metrics/distance/real/{dataset}.csv"},
    settings=real_settings,
    model=RealDistanceSettings,
    labels=lambda run: {"dataset": run.dataset, "reference": reference_name(run)},
    memory_mb=16000,
    minutes=720,
)
