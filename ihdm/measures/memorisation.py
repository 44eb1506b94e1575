"""Compare the distances of samples and of held-out images to the nearest training image, in pixels and features.

As many held-out images as samples are used, or all if there are fewer. The Fréchet distance of all samples from
all held-out images is measured as well.
"""

import pandas as pd

from ihdm.config.experiments import format_number
from ihdm.config.settings import AtLeastTwo, Count, NumResamples, Seed
from ihdm.config.stages import HasSquares
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import TEST, TEST_FEATURES, TRAIN, TRAIN_FEATURES, squares_of
from ihdm.measures.texts import estimates
from ihdm.runs import Input, Run

SETS = ("samples", "test", "train")


class MemorisationSettings(HasSquares):
    """Settings of the distance to the nearest training image."""

    num_images: AtLeastTwo
    """Samples, and held-out images, whose nearest training image is found."""
    num_train: Count | None = None
    """First training images that the network saw; all of them if None."""
    num_resamples: NumResamples
    seed: Seed


def compute(files: Files, settings: MemorisationSettings) -> Results:
    """Return distances to the nearest training image, shares near one, and the held-out distance."""
    from ihdm.data.order import photograph_numbers
    from ihdm.metrics.distance import held_out_rows
    from ihdm.metrics.features import StoredFeatures, require_one_extractor, weights_sha256
    from ihdm.metrics.memorization import memorization_rows
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images, require_one_shape

    held_out = open_images(files["test"])
    photographs = photograph_numbers(settings.num_images, len(held_out), settings.squares, "test")
    pixels = {
        "samples": first_images(files["samples"], settings.num_images),
        "test": held_out[: settings.num_images],
        "train": first_images(files["train"], settings.num_train),
    }
    require_one_shape({str(files[name]): pixels[name] for name in SETS})
    stored = {name: StoredFeatures.read(files[f"{name}_features"]) for name in SETS}
    require_one_extractor((name, (part.extractor, part.sha256)) for name, part in stored.items())
    for name, part in stored.items():
        if len(part) < (needed := len(pixels[name])):
            raise UserError(f"{files[f'{name}_features']}: features of {len(part)} images; {needed} are needed")
    points = {name: part.reshape(len(part), -1) for name, part in pixels.items()}
    vectors = {name: part.values[: len(pixels[name])] for name, part in stored.items()}
    spaces = {
        ("pixels", weights_sha256()): points,
        (stored["train"].extractor, stored["train"].sha256): vectors,
    }
    with Progress(f"nearest training images of {files['samples'].parent}", len(spaces), unit="spaces") as progress:
        progress.update(0)
        rows = memorization_rows(spaces, progress.update, photographs)
        rows += held_out_rows({"samples": stored["samples"]}, stored["test"], settings.num_resamples, settings.seed)
    return {"memorisation": rows}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images and space: distance to the nearest training image, and share near one."""
    names = {
        "extractor": "space",
        "nearest_distance": "nearest training image",
        "share_near": "share near one",
        "frechet_distance_held_out": "distance from held-out",
        "fid_held_out": "FID from held-out",
        "kernel_distance_held_out": "kernel distance from held-out",
        "kid_held_out": "KID from held-out",
    }
    return estimates(table, ["extractor"], "metric").rename(columns=names)


def memorization_settings(run: Run) -> MemorisationSettings:
    """Return the settings of the distances of an experiment's samples to the nearest training image."""
    evaluation = run.config.evaluation
    return MemorisationSettings(
        num_images=evaluation.memorization_images(run.dataset),
        num_train=run.variant.experiment.num_train,
        num_resamples=evaluation.num_resamples,
        seed=0,
        squares=squares_of(run, "test"),
    )


MEASURE = Measure(
    compute=compute,
    # At one δ/σ, because memorization is a property of the network.
    runs=lambda config: [
        Run(config, name, ratio=format_number(variant.delta_ratio))
        for name, variant in config.variants.items()
        if variant.is_trained
    ],
    inputs={
        "samples": Input("samples/{experiment}/delta{ratio}/samples.npy", about="the samples, .npy"),
        "test": TEST,
        "train": TRAIN,
        "samples_features": Input("metrics/features/{experiment}/delta{ratio}.npz", about="features of samples, .npz"),
        "test_features": TEST_FEATURES,
        "train_features": TRAIN_FEATURES,
    },
    outputs={"memorisation": "metrics/memorisation/{experiment}/delta{ratio}.csv"},
    settings=memorization_settings,
    model=MemorisationSettings,
    labels=lambda run: {
        "dataset": run.dataset,
        "reference": "training",
        "experiment": run.experiment,
        "delta_ratio": run.ratio,
    },
    tables={
        "memorisation": Table(
            heading="Memorization of training images",
            explanation=(
                "Distance to the nearest training image, in pixels and in features. “near” counts images that are "
                "closer than 95 % of held-out images, so 5 % of held-out images are near by definition. A model that "
                "repeats training images has a much larger share. Samples are also compared with held-out images."
            ),
            summarize=summarize,
            notes=(
                "| `metric` | meaning | null |\n|---|---|---|\n| `nearest_distance` | mean distance to the nearest "
                "training image | rows of `test` |\n| `share_near` | share of images closer than 95 % of held-out "
                "images | 0.05, the value for `test` by definition |\n| `frechet_distance_held_out`, `fid_held_out`, "
                "`kernel_distance_held_out`, `kid_held_out` | distance of all samples from all held-out images, in "
                "features only | that of real images: `test` in [distance](#distance) |\n\n`extractor` is `pixels`, "
                "or that of the features. A model that repeats training images has a share far above 5 %, and "
                "distances below those of `test`. Errors are those of means over images; that of the share includes "
                "the threshold, which depends on the held-out images."
            ),
        ),
    },
    memory_mb=8000,
    minutes=720,
)
