"""Distances of samples from real images."""

import pandas as pd

from ihdm.report.estimates import estimates
from ihdm.report.parts import parts_by_set

HEADING = "How close are samples to real images?"
EXPLANATION = (
    "Distances of n images from the reference, the training images unless another is named, with 95 % intervals. "
    "“Real, training” is the floor: the first n training images against all others. Starts are what sampling "
    "begins with: for heat blurred training images, for diffusion noise. Precision: share of samples within the "
    "real manifold; recall: share of real images within that of samples; density and coverage are their sturdier "
    "kin. The column n → ∞ needs more than four images for each feature. Only distances in the features of "
    "Inception are called FID and KID."
)

parts = parts_by_set("distance")


NAMES = {
    "extractor": "features",
    "frechet_distance": "Fréchet distance",
    "frechet_distance_extrapolated": "Fréchet, n → ∞",
    "kernel_distance": "kernel distance",
    "fid": "FID",
    "fid_extrapolated": "FID, n → ∞",
    "kid": "KID",
    "note": "",
}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with all distances and their 95 % intervals."""
    table = table.assign(note=table["note"].astype(object).fillna(""))
    return estimates(table, ["extractor", "note"], "metric").rename(columns=NAMES).fillna("–")
