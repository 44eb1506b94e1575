"""Sample quality against the number of function evaluations (NFE), for several samplers of one network."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from ihdm.calibration import Calibration
from ihdm.config.processes import with_evaluations
from ihdm.config.stages import DistanceSettings, NfeSettings, SamplingSettings
from ihdm.metrics.distance import distance_rows
from ihdm.metrics.features import FeatureExtractor, StoredFeatures, extract
from ihdm.metrics.frechet_kernel import Moments
from ihdm.metrics.quality import ranking_distance
from ihdm.metrics.spectrum import MeanPower, band_rows
from ihdm.objective import Network
from ihdm.samples.generation import generate
from ihdm.storage.files import sha256
from ihdm.storage.images import StoredImages
from ihdm.storage.tensors import to_uint8

SHOWN = 8
"""Samples that are kept of every set."""
DISTANCES = ("frechet_distance", "kernel_distance", "fid", "kid")
FINEST_BAND = "highest"


@dataclass(frozen=True)
class Reference:
    """Features and moments of the reference, and mean power of the training images."""

    features: StoredFeatures
    moments: Moments
    power: MeanPower

    @classmethod
    def read(cls, features: Path, moments: Path, power: Path) -> "Reference":
        """Read all of them.

        Raises:
            UserError: if a file cannot be read, or the moments belong to other features.
        """
        return cls(StoredFeatures.read(features), Moments.read(moments, sha256(features)), MeanPower.read(power))


@dataclass(frozen=True)
class SampledSet:
    """A set of samples by one sampler.

    Attributes:
        sampler: name of the sampler; ``NAME_best`` for the best δ/σ.
        evaluations: NFE per image.
        delta_ratio: δ/σ; NaN for a sampler without δ.
        num_samples: n.
        rows: its measures.
        shown: some of its samples.
    """

    sampler: str
    evaluations: int
    delta_ratio: float
    num_samples: int
    rows: list[dict[str, object]]
    shown: UInt8[np.ndarray, "image height width channel"]


def study_sets(
    network: Network,
    calibration: Calibration,
    train: StoredImages,
    extractor: FeatureExtractor,
    reference: Reference,
    settings: NfeSettings,
    device: torch.device | str = "cpu",
    report: Callable[[int], None] = lambda _done: None,
) -> Iterator[SampledSet]:
    """Yield every set at the default δ/σ with its measures and, for a sampler with δ, also the best of all δ/σ.

    The best δ/σ has the smallest ranking distance; see :mod:`ihdm.metrics.quality`.

    All sets have the same starts and, level by level, the same noise.

    Args:
        network: the network of the process, on ``device``.
        calibration: calibration of the network.
        train: the training images.
        extractor: extractor of the data set.
        reference: the reference of the distances.
        settings: samplers, NFE and all other settings.
        device: device of the computation.
        report: called with the number of finished sets.
    """
    done = 0
    default = settings.sampling.delta_ratio
    for name, sampler in settings.samplers.items():
        ratios = sorted({default, *settings.delta_ratios}) if sampler.uses_delta else [default]
        for count in settings.counts:
            here = settings.sampling.model_copy(update={"sampler": with_evaluations(sampler, count)})
            tried = []
            for ratio in ratios:
                chosen = here.model_copy(update={"delta_ratio": ratio})
                tried.append(
                    measure_set(
                        network,
                        calibration,
                        train,
                        extractor,
                        reference,
                        settings.distance,
                        settings.num_samples,
                        chosen,
                        device,
                    )
                )
                done += 1
                report(done)
            for label, (rows, samples), ratio in _reported(name, tried, ratios, default):
                shown_ratio = ratio if sampler.uses_delta else float("nan")
                yield SampledSet(label, count, shown_ratio, len(samples), rows, samples[:SHOWN])


def count_sets(settings: NfeSettings) -> int:
    """Return the number of sets that are sampled."""
    ratios = len({settings.sampling.delta_ratio, *settings.delta_ratios})
    return len(settings.counts) * sum(ratios if sampler.uses_delta else 1 for sampler in settings.samplers.values())


Measured = tuple[list[dict[str, object]], StoredImages]


def _reported(
    name: str, tried: list[Measured], ratios: list[float], default: float
) -> Iterator[tuple[str, Measured, float]]:
    yield name, tried[ratios.index(default)], default
    if len(ratios) > 1:
        best = min(range(len(ratios)), key=lambda place: ranked_by(tried[place][0], len(tried[place][1])))
        yield f"{name}_best", tried[best], ratios[best]


def ranked_by(rows: list[dict[str, object]], num_samples: int) -> float:
    """Return the ranking distance among the measures of a set; see :mod:`ihdm.metrics.quality`."""
    by_name = {row["metric"]: row for row in rows}
    extractor = next(str(row["extractor"]) for row in rows if row.get("extractor"))
    return float(str(by_name[ranking_distance(extractor, num_samples)]["value"]))


def measure_set(
    network: Network,
    calibration: Calibration | None,
    train: StoredImages,
    extractor: FeatureExtractor,
    reference: Reference,
    distance: DistanceSettings,
    num_samples: int,
    sampling: SamplingSettings,
    device: torch.device | str,
) -> Measured:
    """Return the measures of one set, the Fréchet distance first, and its samples."""
    numbers = range(num_samples)
    needed = calibration if sampling.is_calibrated else None
    begun = time.perf_counter()
    parts = []
    for batch in generate(network, train, sampling, starts=numbers, noises=numbers, calibration=needed, device=device):
        batch.require_finite(numbers)
        parts.append(to_uint8(batch.images, sampling.rounding))
    seconds = time.perf_counter() - begun
    samples = np.concatenate(parts)
    features = extract(extractor, samples)
    distance = distance.model_copy(update={"num_images": (num_samples,)})
    rows = [
        row
        for row in distance_rows({"samples": features}, reference.features, reference.moments, distance)
        if row["metric"] in DISTANCES
    ]
    bands = band_rows({"samples": samples}, reference.power, distance.num_resamples)
    rows += [row | {"metric": "relative_power_highest"} for row in bands if row.get("band") == FINEST_BAND]
    nothing = float("nan")
    rows.append({"metric": "seconds", "value": seconds, "standard_error": nothing, "low": nothing, "high": nothing})
    return rows, samples


def measure_columns(row: dict[str, object]) -> dict[str, object]:
    """Return the table columns of one measure of a set."""
    kept = (
        "metric",
        "value",
        "standard_error",
        "low",
        "high",
        "degrees",
        "error_parts",
        "extractor",
        "extractor_sha256",
    )
    return {column: row.get(column) for column in kept}


def study_row(row: dict[str, object], found: SampledSet) -> dict[str, object]:
    """Return a row of the study's table."""
    return {
        "sampler": found.sampler,
        "evaluations": found.evaluations,
        "delta_ratio": found.delta_ratio,
        "set": "samples",
        "n": found.num_samples,
        **measure_columns(row),
    }
