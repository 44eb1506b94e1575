"""Distance of samples from a folder of images, by the measures of the pipeline."""

import tempfile
from pathlib import Path
from typing import cast, get_args

import numpy as np

from ihdm.config.settings import DatasetSettings, Extractor
from ihdm.config.stages import DistanceSettings
from ihdm.data.sources import load_splits, obtain_raw
from ihdm.data.writing import prepare_splits
from ihdm.errors import UserError
from ihdm.metrics.distance import distance_rows
from ihdm.metrics.features import FeatureExtractor, PrincipalFeatures, extract
from ihdm.metrics.frechet_kernel import Moments
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import open_images

NUM_RESAMPLES = 200
NUM_NEIGHBOURS = 5


def require_extractor(name: str) -> Extractor:
    """Return an extractor by its name.

    Raises:
        UserError: if there is none of this name.
    """
    usable = [kind for kind in get_args(Extractor) if kind != "classifier"]
    if name not in usable:
        reason = "needs labels, which a folder of images does not have" if name == "classifier" else "unknown extractor"
        raise UserError(f"--extractor {name}: {reason}; use one of {', '.join(usable)}")
    return cast("Extractor", name)


def as_reference(data: Path, image_shape: tuple[int, int, int], *, skip_broken: bool = False) -> StoredImages:
    """Return images at the size of a model (channels, height, width).

    ``data`` is a folder of images, which are resized, or an array of images of this size.

    Raises:
        UserError: if there are none, or they have another size.
    """
    channels, height, width = image_shape
    if data.suffix == ".npy":
        images = open_images(data)
        if images.shape[1:] != (height, width, channels):
            found = "×".join(map(str, images.shape[1:]))
            raise UserError(
                f"{data}: has images of {found}, but the model makes {height}×{width}×{channels}; use equal sizes"
            )
        return images
    if not data.is_dir():
        raise UserError(f"--data {data}: neither a folder nor a .npy file; use a folder of images, or prepared images")
    settings = DatasetSettings(
        source="folder",
        path=str(data.absolute()),
        image_size=height,
        image_channels=1 if channels == 1 else 3,
        skip_broken=skip_broken,
    )
    splits = load_splits(settings, obtain_raw(settings, Path()))
    with tempfile.TemporaryDirectory() as folder:
        paths = prepare_splits(splits, settings, Path(folder, "state"), Path(folder, "images"), {})
        return np.concatenate([np.array(open_images(path)) for path in paths])


def require_enough(reference: StoredImages, kind: Extractor, data: Path) -> None:
    """Check, before images are sampled, that there are enough to compare with.

    Raises:
        UserError: if there are too few.
    """
    fewest = PrincipalFeatures.NUM_COMPONENTS if kind == "pca" else NUM_NEIGHBOURS + 1
    if len(reference) < fewest:
        advice = ", or use --extractor dct" if len(reference) > NUM_NEIGHBOURS else ""
        raise UserError(
            f"{data}: has {len(reference)} images, but --extractor {kind} needs at least {fewest}; add images{advice}"
        )


def distance_table(
    samples: StoredImages, reference: StoredImages, extractor: FeatureExtractor
) -> list[dict[str, object]]:
    """Return the distances of `metrics samples` of samples from reference images, in the features of an extractor.

    Raises:
        UserError: if there are too few images.
    """
    real, made = extract(extractor, reference), extract(extractor, samples)
    settings = DistanceSettings(
        num_images=(len(samples),),
        num_resamples=NUM_RESAMPLES,
        num_neighbors=NUM_NEIGHBOURS,
        extrapolate=False,
        seed=0,
    )
    return distance_rows({"samples": made}, real, Moments.of(real[:]), settings)
