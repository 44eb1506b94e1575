"""Distances between sets of images and a reference, in the features of one extractor, with intervals."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Int

from ihdm.config.stages import DistanceSettings
from ihdm.errors import UserError
from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, Photographs, error_over_photographs, jackknife
from ihdm.metrics.features import Features, StoredFeatures, require_one_extractor
from ihdm.metrics.frechet_kernel import FrechetDistance, Moments, kernel_distance
from ihdm.metrics.manifold import manifold_measures
from ihdm.seeds import generator

INCEPTION_NAMES = {
    "frechet_distance": "fid",
    "kernel_distance": "kid",
    "frechet_distance_extrapolated": "fid_extrapolated",
    "frechet_distance_held_out": "fid_held_out",
    "kernel_distance_held_out": "kid_held_out",
}
"""What the distances are called in Inception's features, and in no others."""
MISSING = dict.fromkeys(("frechet_distance", "kernel_distance"), Estimate(np.nan, np.nan))
"""Of too few images."""
MAX_PARTS = 4
"""For extrapolation the set counts whole and in two, three and four parts."""
NUM_REPEATS = 4
"""Random choices of the parts."""


def measure_distances(
    features: Features,
    reference: Features,
    moments: Moments,
    settings: DistanceSettings,
    photographs: Photographs | None = None,
) -> dict[str, Estimate]:
    """Return every distance of a set from a reference with known moments, by name.

    Intervals are over the images of the set; the reference is taken as fixed, as in published protocols. For squares of
    photographs, errors are a jackknife over these. Precision, recall, density and coverage use as many reference images
    as the set has, or all. Intervals are clipped to possible values, except for the kernel distance and the
    extrapolated one, which are estimates that may be negative. The extrapolated distance is omitted if a quarter of the
    set, or of the set without one of the photographs, has no more images than features.
    """
    if photographs is not None:
        brief = settings.model_copy(update={"num_resamples": 2})  # as errors over images are not used
        every = measure_distances(features, reference, moments, brief)
        left_out = [
            measure_distances(features[photographs != number], reference, moments, brief)
            for number in np.unique(photographs)
        ]
        return {
            name: error_over_photographs(found.value, [one[name].value for one in left_out], photographs, found.bounds)
            for name, found in every.items()
            if all(name in one for one in left_out)
        }
    frechet = FrechetDistance(features, moments.gaussian)
    whole = jackknife(frechet.value, len(features), settings.num_resamples, settings.seed, NOT_NEGATIVE)
    measures = {
        "frechet_distance": whole,
        "kernel_distance": kernel_distance(features, reference, moments.mean_kernel),
        **manifold_measures(features, reference[: len(features)], settings.num_neighbors),
    }
    if settings.extrapolate and can_extrapolate(*features.shape):
        measures["frechet_distance_extrapolated"] = extrapolate(frechet.value, len(features), whole, settings.seed)
    return measures


def can_extrapolate(num_images: int, num_features: int) -> bool:
    """Return whether the smallest part has more images than features.

    With fewer its covariance is singular, and the distance does not follow a line in 1/n.
    """
    return num_images // MAX_PARTS > num_features


def extrapolate(
    distance: Callable[[Int[np.ndarray, "part"]], float], num_images: int, whole: Estimate, seed: int
) -> Estimate:
    """Return the Fréchet distance of infinitely many images with its standard error (after Chong and Forsyth, 2020).

    The distance of n images is too large by a term that decreases as 1/n. A line in 1/n through the distances of parts
    of a set reaches 1/n = 0 at the distance without that term. The bias from the size of the reference remains. Parts
    of one size are disjoint and cover the whole set, so that their mean depends little on the choice of parts.

    Other images would shift the distances of the parts like that of the whole set. So the standard error is
    that of the whole set plus that of the choice of parts. This computes 36 distances of parts, which take as long as
    12 of the whole set.

    Args:
        distance: maps numbers of images, all different, to the distance.
        num_images: n, number of images in the set.
        whole: distance of the whole set.
        seed: seed of the choice of parts.
    """
    rng = generator(seed, "parts of a set")
    intercepts = []
    for _ in range(NUM_REPEATS):
        values = [whole.value]
        for num_parts in range(2, MAX_PARTS + 1):
            parts = np.array_split(rng.permutation(num_images), num_parts)
            values.append(float(np.mean([distance(part) for part in parts])))
        intercepts.append(np.polyfit(np.arange(1, MAX_PARTS + 1) / num_images, values, 1)[1])
    choice = np.std(intercepts, ddof=1) / np.sqrt(NUM_REPEATS)
    return Estimate(float(np.mean(intercepts)), float(np.hypot(whole.standard_error, choice)))


def distance_rows(
    sets: Mapping[str, StoredFeatures],
    reference: StoredFeatures,
    moments: Moments,
    settings: DistanceSettings,
    report: Callable[[int], None] = lambda _done: None,
) -> list[dict[str, object]]:
    """Return one row for each n, set and measure.

    Args:
        sets: features of the sets to compare, by name; the first n images of each are used.
        reference: features of the reference; all are used.
        moments: moments of the reference.
        settings: the numbers n, resamples and neighbors.
        report: called with the number of finished pairs of n and set.

    Raises:
        UserError: if the extractors differ, or a set has fewer than n images.
    """
    _require_one_extractor(sets, reference)
    for name, part in sets.items():
        if len(part) < (most := max(settings.num_images)):
            raise UserError(f"{name}: {most} images are requested but there are features of {len(part)}")
    rows: list[dict[str, object]] = []
    pairs = [(name, part, count) for name, part in sets.items() for count in settings.num_images]
    compared = reference[:]
    for done, (name, part, count) in enumerate(pairs, start=1):
        measures = measure_distances(part[:count], compared, moments, settings)
        rows += _rows(name, measures, count, len(compared), reference)
        report(done)
    return rows


def real_rows(
    train: StoredFeatures,
    test: StoredFeatures,
    reference: StoredFeatures,
    moments: Moments,
    settings: DistanceSettings,
    report: Callable[[int], None] = lambda _done: None,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return the rows of real images: `test`, held-out images, and `train`, the lower limit.

    The lower limit is the distance of the first n training images from the reference without its first n, the
    same images. If fewer than n images remain, or are held out, the row has a note instead of a value. So has `test` if
    too few images for the measures remain without one of the photographs.

    Args:
        train: features of the training images.
        test: features of held-out images.
        reference: features of the reference, in the order of the training images.
        moments: moments of the whole reference.
        settings: the numbers n, resamples and neighbors.
        report: called with the number of finished n.
        photographs: the photograph of each held-out image; None if images are independent.

    Raises:
        UserError: if the extractors differ.
    """
    _require_one_extractor({"train": train, "test": test}, reference)
    rows: list[dict[str, object]] = []
    for done, count in enumerate(settings.num_images, start=1):
        if len(train) >= 2 * count:
            others = reference[count:]
            measures = measure_distances(train[:count], others, Moments.of(others), settings)
            rows += _rows("train", measures, count, len(others), reference)
        else:
            rows += _rows("train", MISSING, count, 0, reference, f"{2 * count} images are needed, not {len(train)}")
        known = None if photographs is None else photographs[:count]
        if len(test) < count:
            rows += _rows("test", MISSING, count, 0, reference, f"{count} images are needed, not {len(test)}")
        elif known is not None and count - np.bincount(known).max() <= settings.num_neighbors:
            note = "without one of the photographs too few images remain"
            rows += _rows("test", MISSING, count, 0, reference, note)
        else:
            measures = measure_distances(test[:count], reference[:], moments, settings, known)
            rows += _rows("test", measures, count, len(reference), reference)
        report(done)
    return rows


def held_out_rows(
    sets: Mapping[str, StoredFeatures], held_out: StoredFeatures, num_resamples: int, seed: int
) -> list[dict[str, object]]:
    """Return two rows per set: its Fréchet and kernel distance from held-out images, with all images of both.

    For a network trained on few images this measures quality, while the distance from all training images includes the
    images that it saw.

    Raises:
        UserError: if the extractors differ.
    """
    _require_one_extractor(sets, held_out)
    real = held_out[:]
    moments = Moments.of(real)
    rows: list[dict[str, object]] = []
    for name, part in sets.items():
        frechet = FrechetDistance(part[:], moments.gaussian)
        measures = {
            "frechet_distance_held_out": jackknife(frechet.value, len(part), num_resamples, seed, NOT_NEGATIVE),
            "kernel_distance_held_out": kernel_distance(part[:], real, moments.mean_kernel),
        }
        rows += _rows(name, measures, len(part), len(held_out), held_out)
    return rows


def _require_one_extractor(sets: Mapping[str, StoredFeatures], reference: StoredFeatures) -> None:
    every = {"the reference": reference, **sets}
    require_one_extractor((name, (part.extractor, part.sha256)) for name, part in every.items())


def _rows(
    name: str, measures: Mapping[str, Estimate], count: int, num_reference: int, origin: StoredFeatures, note: str = ""
) -> list[dict[str, object]]:
    return [
        {
            "set": name,
            "metric": INCEPTION_NAMES.get(metric, metric) if origin.extractor == "inception" else metric,
            "extractor": origin.extractor,
            "extractor_sha256": origin.sha256,
            "n": count,
            "n_reference": num_reference,
            **estimate.columns(),
            "note": note,
        }
        for metric, estimate in measures.items()
    ]
