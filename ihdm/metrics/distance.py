"""Distances between sets of images and a reference, in one extractor's features, with intervals."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from ihdm.errors import UserError
from ihdm.metrics.bootstrap import Estimate, bootstrap
from ihdm.metrics.extrapolation import extrapolate
from ihdm.metrics.features import Features, StoredFeatures, require_one_extractor
from ihdm.metrics.frechet import FrechetDistance
from ihdm.metrics.kid import kernel_distance
from ihdm.metrics.manifold import manifold_measures
from ihdm.settings import DistanceSettings

INCEPTION_NAMES = {
    "frechet_distance": "fid",
    "kernel_distance": "kid",
    "frechet_distance_extrapolated": "fid_extrapolated",
}
"""What the distances are called in Inception's features, and in no others."""


def measure_distances(features: Features, reference: Features, settings: DistanceSettings) -> dict[str, Estimate]:
    """Return every distance of a set from a reference by name.

    The intervals tell how much the values would change with other images in the set; the reference is taken as given,
    as it is in the protocol that papers use. Precision, recall, density and coverage compare with the first of the
    reference, as many as the set has or all.
    """
    frechet = partial(FrechetDistance(reference).value, features)
    measures = {
        "frechet_distance": bootstrap(frechet, len(features), settings.num_bootstrap, settings.seed),
        "kernel_distance": kernel_distance(features, reference),
        **manifold_measures(features, reference[: len(features)], settings.num_neighbours),
    }
    if settings.extrapolate:
        measures["frechet_distance_extrapolated"] = extrapolate(frechet, len(features), settings.seed)
    return measures


def distance_rows(
    sets: Mapping[str, StoredFeatures], train: StoredFeatures, settings: DistanceSettings, *, optional: str = ""
) -> list[dict[str, object]]:
    """Return one row for each set and measure, with the extractor and the hash of its weights.

    Args:
        sets: features of the sets to compare, by name; each set's first n images count.
        train: features of the training images; those after the first n are the reference. As a set of its own, their
            first n are the real-against-real floor.
        settings: n, resamples and neighbours.
        optional: name of a set that may hold fewer than n images; its rows then have no value and say so.

    Raises:
        UserError: if the features are of different extractors, or too few images are left for set or reference.
    """
    count = settings.num_images
    require_one_extractor({name: (part.extractor, part.sha256) for name, part in {"train": train, **sets}.items()})
    if len(train) - count < 2:
        raise UserError(
            f"the data set holds {len(train)} training images; {count} for comparison leave too few for a reference: "
            f"at least {count + 2} are needed, or a smaller evaluation.num_samples"
        )
    rows: list[dict[str, object]] = []
    for name, part in sets.items():
        if len(part) >= count:
            measures, note = measure_distances(part[:count], train[count:], settings), ""
        elif name == optional:
            measures = {"frechet_distance": Estimate(np.nan, np.nan), "kernel_distance": Estimate(np.nan, np.nan)}
            note = f"only {len(part)} images"
        else:
            raise UserError(f"{name}: {count} images are asked for but there are features of {len(part)}")
        for metric, estimate in measures.items():
            rows.append(
                {
                    "set": name,
                    "metric": INCEPTION_NAMES.get(metric, metric) if train.extractor == "inception" else metric,
                    "extractor": train.extractor,
                    "extractor_sha256": train.sha256,
                    "n": count,
                    "n_reference": len(train) - count,
                    **estimate.columns(),
                    "note": note,
                }
            )
    return rows
