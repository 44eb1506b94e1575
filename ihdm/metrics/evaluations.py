"""Sample quality against the number of function evaluations (NFE), for several samplers of one network."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ihdm.calibration import Calibration
from ihdm.config.processes import with_evaluations
from ihdm.config.stages import DistanceSettings, NfeSettings, SamplingSettings
from ihdm.metrics.distance import distance_rows
from ihdm.metrics.extractors import load_extractor
from ihdm.metrics.features import FeatureExtractor, StoredFeatures, extract
from ihdm.metrics.frechet_kernel import Moments
from ihdm.metrics.quality import ranking_distance
from ihdm.metrics.spectrum import MeanPower, band_rows
from ihdm.objective import Network
from ihdm.samples.generation import generate
from ihdm.storage.files import sha256
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import first_images
from ihdm.storage.tensors import to_uint8

SHOWN = 8
"""Samples that are kept of every set."""
DISTANCES = ("frechet_distance", "kernel_distance", "fid", "kid")
FINEST_BAND = "highest"

Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Evaluator:
    """Draws sets of samples and compares them with real images.

    Attributes:
        train: the training images.
        extractor: extractor of the data set.
        reference: features of the reference.
        moments: moments of the reference.
        power: mean power of the training images.
        distance: settings of the distances, except the number of images.
        num_samples: samples in each set.
        device: device of the computation.
    """

    train: StoredImages
    extractor: FeatureExtractor
    reference: StoredFeatures
    moments: Moments
    power: MeanPower
    distance: DistanceSettings
    num_samples: int
    device: torch.device | str = "cpu"

    @classmethod
    def read(
        cls,
        files: Mapping[str, Path],
        num_train: int | None,
        distance: DistanceSettings,
        num_samples: int,
        device: torch.device | str,
    ) -> "Evaluator":
        """Read training images, extractor and reference.

        Raises:
            UserError: if a file cannot be read, or the moments belong to other features.
        """
        train, reference = first_images(files["train"], num_train), files["reference"]
        extractor = load_extractor(files["extractor"], train[:1], inception=files["inception"])
        return cls(
            train,
            extractor,
            StoredFeatures.read(reference),
            Moments.read(files["moments"], sha256(reference)),
            MeanPower.read(files["power"]),
            distance,
            num_samples,
            device,
        )

    def measure(
        self, network: Network, calibration: Calibration | None, sampling: SamplingSettings
    ) -> tuple[Rows, StoredImages]:
        """Draw a set, and return its measures, the Fréchet distance first, and its samples."""
        numbers, device = range(self.num_samples), self.device
        needed = calibration if sampling.is_calibrated else None
        begun = time.perf_counter()
        parts = []
        for batch in generate(
            network, self.train, sampling, starts=numbers, noises=numbers, calibration=needed, device=device
        ):
            batch.require_finite(numbers)
            parts.append(to_uint8(batch.images, sampling.rounding))
        seconds = time.perf_counter() - begun
        samples = np.concatenate(parts)
        sets = {"samples": extract(self.extractor, samples)}
        distance = self.distance.model_copy(update={"num_images": (self.num_samples,)})
        distances = distance_rows(sets, self.reference, self.moments, distance)
        bands = band_rows({"samples": samples}, self.power, distance.num_resamples)
        nothing = dict.fromkeys(("standard_error", "low", "high"), float("nan"))
        rows: Rows = [
            *(row for row in distances if row["metric"] in DISTANCES),
            *(row | {"metric": "relative_power_highest"} for row in bands if row.get("band") == FINEST_BAND),
            {"metric": "seconds", "value": seconds, **nothing},
        ]
        return [measure_columns(row) for row in rows], samples


def study(
    network: Network,
    calibration: Calibration,
    evaluator: Evaluator,
    settings: NfeSettings,
    report: Callable[[int], None] = lambda _done: None,
) -> Iterator[tuple[Rows, StoredImages]]:
    """Yield rows and some samples of every set at the default δ/σ and, for a sampler with δ, of the best of all δ/σ.

    The best δ/σ has the smallest ranking distance; see :mod:`ihdm.metrics.quality`. All sets have the same starts and,
    level by level, the same noise.

    Args:
        network: the network of the process, on the evaluator's device.
        calibration: calibration of the network.
        evaluator: draws and measures the sets.
        settings: samplers, NFE and all other settings.
        report: called with the number of finished sets.
    """
    done = 0
    default = settings.sampling.delta_ratio
    for name, sampler in settings.samplers.items():
        ratios = sorted({default, *settings.delta_ratios}) if sampler.uses_delta else [default]
        for count in settings.counts:
            tried = {}
            for ratio in ratios:
                changes = {"sampler": with_evaluations(sampler, count), "delta_ratio": ratio}
                tried[ratio] = evaluator.measure(network, calibration, settings.sampling.model_copy(update=changes))
                done += 1
                report(done)
            reported = {name: default}
            if len(ratios) > 1:
                ranks = {ratio: ranked_by(rows, evaluator.num_samples) for ratio, (rows, _) in tried.items()}
                reported[f"{name}_best"] = min(ranks, key=ranks.__getitem__)
            for label, ratio in reported.items():
                rows, samples = tried[ratio]
                shown_ratio = ratio if sampler.uses_delta else float("nan")
                yield study_rows(rows, label, count, shown_ratio, len(samples)), samples[:SHOWN]


def count_sets(settings: NfeSettings) -> int:
    """Return the number of sets that are sampled."""
    ratios = len({settings.sampling.delta_ratio, *settings.delta_ratios})
    return len(settings.counts) * sum(ratios if sampler.uses_delta else 1 for sampler in settings.samplers.values())


def ranked_by(rows: Rows, num_samples: int) -> float:
    """Return the ranking distance among the measures of a set; see :mod:`ihdm.metrics.quality`."""
    by_name = {row["metric"]: row for row in rows}
    extractor = next(str(row["extractor"]) for row in rows if row.get("extractor"))
    return float(str(by_name[ranking_distance(extractor, num_samples)]["value"]))


def measure_columns(row: Mapping[str, object]) -> dict[str, object]:
    """Return the table columns of one measure of a set."""
    kept = ("metric", "value", "standard_error", "low", "high", "degrees", "error_parts")
    return {column: row.get(column) for column in (*kept, "extractor", "extractor_sha256")}


def study_rows(rows: Rows, sampler: str, evaluations: int, delta_ratio: float, num_samples: int) -> Rows:
    """Return the measures of a set as rows of the study's table; δ/σ is NaN for a sampler without δ."""
    labels = {"sampler": sampler, "evaluations": evaluations, "delta_ratio": delta_ratio}
    return [{**labels, "set": "samples", "n": num_samples, **measure_columns(row)} for row in rows]
