"""Table of likelihood bounds by joint and variance; see :mod:`ihdm.joints`."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ihdm.calibration import Calibration, estimate_coefficients
from ihdm.config.stages import JointSettings
from ihdm.errors import UserError
from ihdm.joints import JOINTS, VARIANCES, Joint, Variance, plan_transition, transition_nats
from ihdm.metrics.estimates import Photographs
from ihdm.metrics.heldout import dequantize
from ihdm.metrics.likelihood import bound_row, in_chunks
from ihdm.objective import Network
from ihdm.processes import Process, build_process
from ihdm.storage.images import StoredImages


def joint_rows(
    network: Network,
    calibration: Calibration,
    train: StoredImages,
    test: StoredImages,
    settings: JointSettings,
    device: torch.device | str = "cpu",
    report: Callable[[int], None] = lambda _done: None,
    *,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return one row for each joint and variance and, with one variance for all levels, for each δ/σ.

    The standard error is that of the mean over test images, or over photographs if they are squares of them.

    Args:
        network: the network of the process, on ``device``.
        calibration: calibration of the network.
        train: the training images, for the prior.
        test: the test images, of which the first are used.
        settings: all other settings.
        device: device of the computation.
        report: called with the number of finished levels.
        photographs: the photograph of each of these test images; None if images are independent.

    Raises:
        UserError: if there are too few test images.
    """
    if len(test) < settings.num_images:
        raise UserError(f"{settings.num_images} test images are requested but there are {len(test)}")
    process = build_process(settings.process, test.shape[1], device)
    clean = dequantize(test[: settings.num_images]).to(device)
    kinds = list(_kinds(settings))
    inner, last = ({kind: np.zeros(len(clean)) for kind in kinds} for _ in range(2))
    for done, (next_level, level) in enumerate(pairwise((0, *settings.levels)), start=1):
        errors = _squared_errors(network, process, calibration, clean, level, settings)
        transitions = {joint: plan_transition(process, joint, calibration, level, next_level) for joint in JOINTS}
        for joint, variance, ratio in kinds:
            transition = transitions[joint]
            nats = transition_nats(transition, transition.variance(variance, ratio), errors)
            (inner if next_level else last)[joint, variance, ratio] += nats
        report(done)
    prior = _prior_nats(process, train[: settings.num_train], clean, [ratio for *_, ratio in kinds])
    num_dims = clean[0].numel()
    rows = []
    for kind, prior_nats in zip(kinds, prior, strict=True):
        joint, variance, ratio = kind
        # A density of images in [0, 1], for any range of the process.
        reconstruction = last[kind] - num_dims * math.log(2) * process.bits_of_range
        parts = {
            "nats": prior_nats + inner[kind] + reconstruction,
            "prior": prior_nats,
            "transition": inner[kind],
            "reconstruction": reconstruction,
        }
        shown = ratio if variance == "one" and settings.process.has_constant_noise else math.nan
        rows.append(bound_row(joint, variance, shown, parts, num_dims, photographs))
    return rows


def _kinds(settings: JointSettings) -> Iterator[tuple[Joint, Variance, float]]:
    """Yield joint, variance and δ/σ of each bound; the paper's bound is measured separately."""
    for joint in JOINTS:
        for variance in VARIANCES:
            if variance != "one":
                yield joint, variance, settings.bandwidth_ratio
            elif not (joint == "independent" and settings.has_paper_bound):
                for ratio in settings.delta_ratios:
                    yield joint, variance, ratio


def _squared_errors(
    network: Network,
    process: Process,
    calibration: Calibration,
    clean: Float[Tensor, "image channel height width"],
    level: int,
    settings: JointSettings,
) -> Float[np.ndarray, "image channel height width"]:
    """Return (u₀ − x̂)² of each DCT coefficient at a level, averaged over draws of noise."""
    measured, parts = calibration.at(level), []
    for first in range(0, len(clean), settings.micro_batch):
        here = clean[first : first + settings.micro_batch]
        target = process.transform(process.to_range(here)).double().cpu().numpy()
        draws = [
            estimate_coefficients(network, process, here, level, settings.seed, first, draw, purpose="joint noise")
            for draw in range(settings.num_draws)
        ]
        parts.append(np.mean([(target - measured.gain * draw - measured.offset) ** 2 for draw in draws], axis=0))
    return np.concatenate(parts)


def _prior_nats(
    process: Process, train: StoredImages, clean: Float[Tensor, "image channel height width"], ratios: list[float]
) -> Float[np.ndarray, "kinds image"]:
    """Return L_K for each bandwidth; equal bandwidths are computed once."""
    unit, distinct = process.deviation(process.num_levels), sorted(set(ratios))
    found = (
        process.prior_kl(in_chunks(train, process.device), clean, [ratio * unit for ratio in distinct]).cpu().numpy()
    )
    return np.stack([found[distinct.index(ratio)] for ratio in ratios])
