"""The spectral distance of the power spectral densities of a set and of real images, over all frequencies.

    d = √( mean over annuli of (ln P_set(f) − ln P_real(f))² )

Zero means equal spectra; a factor e^a of power at all frequencies gives |a|. It needs no feature extractor.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Int

from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, Photographs, jackknife

SEED = 0


def spectral_distance(
    power: Float[np.ndarray, "image bins"],
    reference: Float[np.ndarray, "bins"],
    num_resamples: int,
    photographs: Photographs | None = None,
) -> Estimate:
    """Return the distance with its standard error; the reference is taken as fixed.

    Args:
        power: power of each image in each annulus; see :func:`ihdm.metrics.spectrum.annulus_power`.
        reference: mean power of real images in the same annuli.
        num_resamples: number of resamples for the standard error.
        photographs: the photograph of each image; None if images are independent.
    """
    statistic = partial(_distance, power, np.log(reference))
    return jackknife(statistic, len(power), num_resamples, SEED, NOT_NEGATIVE, photographs)


def _distance(
    power: Float[np.ndarray, "image bins"],
    log_reference: Float[np.ndarray, "bins"],
    part: Int[np.ndarray, "part"],
) -> float:
    # Images without detail have no power at high frequencies; the smallest number replaces zero.
    mean = np.maximum(power[part].mean(axis=0), np.finfo(float).tiny)
    return float(np.sqrt(np.mean(np.square(np.log(mean) - log_reference))))
