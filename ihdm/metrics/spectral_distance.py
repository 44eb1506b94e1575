"""The spectral distance: how far a set's power spectral density is from the real one's, over all frequencies.

    d = √( mean over annuli of (ln P_set(f) − ln P_real(f))² )

Zero means equal spectra; a constant factor e^a of power everywhere gives |a|. It needs no feature extractor.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Int

from ihdm.metrics.estimates import NOT_NEGATIVE, Estimate, jackknife

SEED = 0


def spectral_distance(
    power: Float[np.ndarray, "image bins"], reference: Float[np.ndarray, "bins"], num_resamples: int
) -> Estimate:
    """Return the distance with its standard error; the reference is taken as given.

    Args:
        power: of each image in each annulus; see :func:`ihdm.metrics.spectrum.annulus_power`.
        reference: mean power of real images in the same annuli.
        num_resamples: resamples behind the standard error.
    """
    return jackknife(partial(_distance, power, np.log(reference)), len(power), num_resamples, SEED, NOT_NEGATIVE)


def _distance(
    power: Float[np.ndarray, "image bins"],
    log_reference: Float[np.ndarray, "bins"],
    part: Int[np.ndarray, "part"],
) -> float:
    # Images without any detail have no power at high frequencies; the smallest number stands for that.
    mean = np.maximum(power[part].mean(axis=0), np.finfo(float).tiny)
    return float(np.sqrt(np.mean(np.square(np.log(mean) - log_reference))))
