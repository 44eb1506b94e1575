"""Measures of real images, once per data set: extractor, features, moments and power of the reference, lower limits."""

from ihdm.config.settings import AtLeastTwo, Extractor, Settings
from ihdm.config.stages import DistanceSettings, HasSquares
from ihdm.measures import Files, Measure, NoSettings, Resampling, Results, inputs
from ihdm.measures.inputs import distance_settings, reference_name, squares_of
from ihdm.runs import Input, Run, each_dataset


class ExtractorSettings(Settings):
    """Kind of the extractor."""

    kind: Extractor


class RealDistanceSettings(HasSquares, DistanceSettings):
    """Settings of the distances of real images."""


class RealSpectrumSettings(HasSquares, Resampling):
    """Settings of the power of real images."""

    num_images: AtLeastTwo


def store_extractor(files: Files, settings: ExtractorSettings) -> Results:
    """Fit or check the feature extractor of a data set, and store its name and the hash of its weights."""
    from ihdm.metrics.extractors import fit_extractor, save_extractor
    from ihdm.storage.reading import open_images, read_archive

    labels = read_archive(files["labels"], ["train"])["train"] if "labels" in files else None
    train = open_images(files["train"])
    fitted = fit_extractor(settings.kind, train, labels=labels, inception=files["inception"])
    return {"extractor": lambda path: save_extractor(settings.kind, fitted, path)}


def extract_features(files: Files, settings: NoSettings) -> Results:
    """Extract the features of a set of real images once, for all distances."""
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import extract
    from ihdm.progress import Progress
    from ihdm.storage.reading import open_images

    stored = open_images(files["images"])
    chosen = load_extractor(files["extractor"], stored[:1], inception=files["inception"])
    with Progress(f"features of {files['images']}", len(stored), unit="images") as progress:
        return {"features": extract(chosen, stored, progress.update).save}


def compute_moments(files: Files, settings: NoSettings) -> Results:
    """Compute the moments of the reference once for all distances."""
    from ihdm.metrics.features import StoredFeatures
    from ihdm.metrics.frechet_kernel import Moments
    from ihdm.storage.files import sha256

    path = files["features"]
    found = Moments.of(StoredFeatures.read(path)[:])
    return {"moments": lambda output: found.save(output, sha256(path))}


def average_power(files: Files, settings: NoSettings) -> Results:
    """Average the power of all training images in frequency bands, once for all comparisons."""
    from ihdm.metrics.spectrum import MeanPower
    from ihdm.storage.reading import open_images

    return {"power": MeanPower.of(open_images(files["train"])).save}


def compare_features(files: Files, settings: RealDistanceSettings) -> Results:
    """Compare held-out images and training images with the reference; training images give the lower limit for samples.

    The lower limit of n images is measured from the reference without its first n.
    """
    import sys

    from ihdm.data.order import photograph_numbers
    from ihdm.metrics.distance import real_rows
    from ihdm.metrics.features import StoredFeatures
    from ihdm.metrics.frechet_kernel import Moments
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


def compare_power(files: Files, settings: RealSpectrumSettings) -> Results:
    """Compare the power of held-out images, and of some training images, with that of the training images."""
    from ihdm.data.order import photograph_numbers
    from ihdm.metrics.spectrum import MeanPower, real_band_rows
    from ihdm.storage.reading import open_images

    real, seen, held_out = MeanPower.read(files["power"]), open_images(files["train"]), open_images(files["test"])
    real.require_same_size({str(files["train"]): seen, str(files["test"]): held_out})
    photographs = photograph_numbers(settings.num_images, len(held_out), settings.squares, "test")
    return {"spectrum": real_band_rows(seen, held_out, real, settings.num_images, settings.num_resamples, photographs)}


def real_spectrum_settings(run: Run) -> RealSpectrumSettings:
    """Return the settings of the power of real images."""
    evaluation = run.config.evaluation
    return RealSpectrumSettings(
        num_images=evaluation.compared[0], num_resamples=evaluation.num_resamples, squares=squares_of(run, "test")
    )


EXTRACTOR = Measure(
    compute=store_extractor,
    runs=each_dataset,
    inputs={
        "train": inputs.TRAIN,
        "labels": Input(
            "data/{dataset}/labels.npz",
            exists=lambda run: run.extractor == "classifier",
            about="the labels, .npz with array train, for a classifier",
            is_optional=True,
        ),
    },
    outputs={"extractor": "metrics/features/{extractor}/{dataset}/extractor.npz"},
    settings=lambda run: ExtractorSettings(kind=run.extractor),
    model=ExtractorSettings,
    gpu="features",
    memory_mb=8000,
)
FEATURES = Measure(
    compute=extract_features,
    runs=lambda config: [
        Run(config, dataset=run.dataset, split=split) for run in each_dataset(config) for split in ("train", "test")
    ],
    inputs={"extractor": inputs.EXTRACTOR, "images": Input("data/{dataset}/{split}.npy", about="the images, .npy")},
    outputs={"features": "metrics/features/{extractor}/{dataset}/{split}.npz"},
    gpu="features",
    memory_mb=8000,
    minutes=720,
)
MOMENTS = Measure(
    compute=compute_moments,
    runs=each_dataset,
    inputs={"features": inputs.TRAIN_FEATURES},
    outputs={"moments": "metrics/features/{extractor}/{dataset}/moments.npz"},
    memory_mb=16000,
    minutes=720,
)
MEAN_POWER = Measure(
    compute=average_power,
    runs=each_dataset,
    inputs={"train": inputs.TRAIN},
    outputs={"power": "metrics/mean_power/{dataset}.npz"},
)
DISTANCE_REAL = Measure(
    compute=compare_features,
    runs=each_dataset,
    inputs={
        "reference": inputs.REFERENCE,
        "moments": inputs.MOMENTS,
        "train": inputs.TRAIN_FEATURES,
        "test": inputs.TEST_FEATURES,
    },
    outputs={"distance": "metrics/distance/real/{dataset}.csv"},
    settings=lambda run: RealDistanceSettings(**dict(distance_settings(run)), squares=squares_of(run, "test")),
    model=RealDistanceSettings,
    labels=lambda run: {"dataset": run.dataset, "reference": reference_name(run)},
    memory_mb=16000,
    minutes=720,
)
SPECTRUM_REAL = Measure(
    compute=compare_power,
    runs=each_dataset,
    inputs={"power": inputs.MEAN_POWER, "train": inputs.TRAIN, "test": inputs.TEST},
    outputs={"spectrum": "metrics/spectrum/real/{dataset}.csv"},
    settings=real_spectrum_settings,
    model=RealSpectrumSettings,
    labels=lambda run: {"dataset": run.dataset, "reference": "training"},
)
