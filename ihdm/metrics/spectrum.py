"""Power spectral density in the cosine basis (paper, section 3.4 and figure 4).

The power at frequency (n, m) is the squared orthonormal DCT-II coefficient, averaged over channels; its radial
frequency is √((π n / W)² + (π m / H)²), from 0 to √2 π. The constant coefficient is left out. The spectral distance
of a set of images from real ones covers all frequencies and needs no feature extractor:

    d = √( mean over annuli of (ln P_set(f) − ln P_real(f))² )

Zero means equal spectra; a factor e^a of power at all frequencies gives |a|.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.metrics.estimates import NOT_NEGATIVE, Bounds, Estimate, Photographs, jackknife, mean_estimate
from ihdm.storage.arrays import save_arrays
from ihdm.storage.images import StoredImages
from ihdm.storage.reading import read_archive

MAX_FREQUENCY = np.sqrt(2) * np.pi

BANDS = {
    "low": (0.0, np.pi / 4),
    "middle": (np.pi / 4, np.pi / 2),
    "high": (np.pi / 2, 3 * np.pi / 4),
    "highest": (3 * np.pi / 4, MAX_FREQUENCY),
}
"""Bands of radial frequency in radians per pixel; the lower bound belongs to a band, the upper one does not."""

NUM_ANNULI = 20
"""Annuli of the spectral distance, from frequency 0 to √2 π; few enough that none is empty but for tiny images."""
NUM_WIDE_ANNULI = 6
"""The same for single annuli; none is empty in images of 8×8."""
NO_POWER = 1e-20
"""Below this, power is rounding error: one gray level in one of 50 000 images of 256×256 gives more."""
CHUNK_VALUES = 2**23
"""Most numbers in the images that are transformed at a time."""
SEED = 0
"""Seed of the resamples for the error of the spectral distance."""
CORRELATION: Bounds = (-1.0, 1.0)

Pixels = Float[np.ndarray, "image height width channel"]


def radial_frequencies(height: int, width: int) -> Float[np.ndarray, "height width"]:
    """Return the radial frequency of every DCT coefficient, in radians per pixel."""
    rows, columns = np.pi * np.arange(height) / height, np.pi * np.arange(width) / width
    return np.hypot(rows[:, None], columns[None, :])


def coefficient_power(images: Pixels) -> Float[np.ndarray, "image height width"]:
    """Return the squared DCT coefficients of images in [0, 1], averaged over channels."""
    from scipy.fft import dctn  # not needed to plan a workflow, which imports this module

    power: Float[np.ndarray, "image height width"] = np.square(
        dctn(np.asarray(images, dtype=np.float64), axes=(1, 2), norm="ortho")
    ).mean(axis=-1)
    return power


def band_power(images: Pixels) -> Float[np.ndarray, "image bands"]:
    """Return the mean power of each image in each frequency band.

    Raises:
        UserError: if a band has no frequency for this image size.
    """
    power = coefficient_power(images)
    frequencies = radial_frequencies(*power.shape[1:])
    columns = []
    for low, high in BANDS.values():
        inside = (frequencies >= low) & (frequencies < high) & (frequencies > 0)
        if not inside.any():
            size = f"{power.shape[1]} × {power.shape[2]}"
            raise UserError(
                f"spectrum: images of {size} pixels have no frequency between {low:.3g} and {high:.3g} radians per "
                "pixel; use images of 5 × 5 pixels or more"
            )
        columns.append(power[:, inside].mean(axis=1))
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class MeanPower:
    """The mean power of real images, as a reference.

    Attributes:
        bands: power in each frequency band.
        annuli: power in each annulus of the spectral distance.
        size: height, width and channels of the images.
    """

    bands: Float[np.ndarray, "bands"]
    annuli: Float[np.ndarray, "bins"]
    size: tuple[int, ...]

    @classmethod
    def of(cls, images: StoredImages) -> "MeanPower":
        """Return the mean power of images.

        Raises:
            UserError: if they are too small for the bands, or have no power in a band or an annulus.
        """
        bands, annuli = (power.mean(axis=0) for power in _powers(images))
        if min(bands.min(), annuli.min()) < NO_POWER:
            raise UserError(
                "spectrum: the images to compare with have no power in some band of frequency, as flat or smooth ones "
                "have none, so relative power is undefined; use other images"
            )
        return cls(bands, annuli, images.shape[1:])

    def require_same_size(self, images: Mapping[str, StoredImages]) -> None:
        """Raise an error for images of another size.

        Args:
            images: arrays of images by their names in error messages.

        Raises:
            UserError: if a size differs; it names the first.
        """
        for name, part in images.items():
            if part.shape[1:] != self.size:
                found, expected = ("×".join(map(str, size)) for size in (part.shape[1:], self.size))
                raise UserError(
                    f"{name} has images of {found}, but the power to compare with is of {expected}; their sizes must "
                    "be equal"
                )

    def save(self, path: Path) -> None:
        """Write the mean power as .npz."""
        save_arrays(path, bands=self.bands, annuli=self.annuli, size=np.array(self.size))

    @classmethod
    def read(cls, path: Path) -> "MeanPower":
        """Read stored mean power.

        Raises:
            UserError: if the file has no mean power.
        """
        stored = read_archive(path, ("bands", "annuli", "size"))
        bands, annuli, size = stored.values()
        is_annuli = annuli.ndim == 1 and 0 < len(annuli) <= NUM_ANNULI
        if bands.shape != (len(BANDS),) or not is_annuli or size.shape != (3,):
            raise UserError(
                f"{path}: its arrays are of shapes {bands.shape}, {annuli.shape} and {size.shape}, which are not those "
                "of mean power; run `metrics mean-power` again"
            )
        return cls(bands, annuli, tuple(size.tolist()))


def band_rows(
    sets: Mapping[str, StoredImages], real: MeanPower, num_resamples: int, photographs: Photographs | None = None
) -> list[dict[str, object]]:
    """Return rows of power relative to real images, one per set and band, and of the spectral distance.

    Args:
        sets: stored images by name.
        real: mean power of real images, taken as fixed.
        num_resamples: number of resamples for the error of the spectral distance.
        photographs: the photograph of each image of every set; None if images are independent.

    Raises:
        UserError: if a set has fewer than two images.
    """
    rows: list[dict[str, object]] = []
    for name, images in sets.items():
        bands, annuli = _powers(images)
        found = [
            ("relative_power", band, *bounds, mean_estimate(values, NOT_NEGATIVE, photographs))
            for (band, bounds), values in zip(BANDS.items(), (bands / real.bands).T, strict=True)
        ]
        distance = spectral_distance(annuli, real.annuli, num_resamples, photographs)
        for metric, band, low, high, estimate in [*found, ("spectral_distance", "all", 0.0, MAX_FREQUENCY, distance)]:
            named = {"set": name, "metric": metric, "band": band, "low_frequency": low, "high_frequency": high}
            rows.append({**named, "n": len(images), **estimate.columns(), "note": ""})
    return rows


def real_band_rows(
    train: StoredImages,
    test: StoredImages,
    real: MeanPower,
    num_images: int,
    num_resamples: int,
    photographs: Photographs | None = None,
) -> list[dict[str, object]]:
    """Return the rows of real images: the first training images against the others, and held-out images.

    If fewer than ``num_images`` remain, or are held out, one row has a note instead of a value.

    Args:
        train: the training images.
        test: held-out images.
        real: mean power of all training images.
        num_images: number of compared images of each.
        num_resamples: number of resamples for the error of the spectral distance.
        photographs: the photograph of each compared held-out image; None if images are independent.
    """
    rows = []
    for name, images, needed in (("train", train, 2 * num_images), ("test", test, num_images)):
        if len(images) >= needed:
            reference, cut_from = (MeanPower.of(train[num_images:]), None) if name == "train" else (real, photographs)
            rows += band_rows({name: images[:num_images]}, reference, num_resamples, cut_from)
        else:
            nothing = {"set": name, "metric": "spectral_distance", "band": "all", "n": num_images}
            note = f"{needed} images are needed, not {len(images)}"
            rows.append({**nothing, **Estimate(np.nan, np.nan).columns(), "note": note})
    return rows


def _powers(images: StoredImages) -> tuple[Float[np.ndarray, "image bands"], Float[np.ndarray, "image bins"]]:
    """Return the power of each image in the bands and annuli, in batches."""
    size = max(1, CHUNK_VALUES // images[0].size)
    chunks = (images[first : first + size] for first in range(0, len(images), size))
    pairs = [(band_power(chunk / 255), annulus_power(chunk / 255, NUM_ANNULI)[1]) for chunk in chunks]
    return np.concatenate([bands for bands, _ in pairs]), np.concatenate([annuli for _, annuli in pairs])


def spectral_distance(
    power: Float[np.ndarray, "image bins"],
    reference: Float[np.ndarray, "bins"],
    num_resamples: int,
    photographs: Photographs | None = None,
) -> Estimate:
    """Return the distance with its standard error; the reference is taken as fixed.

    Args:
        power: power of each image in each annulus; see :func:`annulus_power`.
        reference: mean power of real images in the same annuli.
        num_resamples: number of resamples for the standard error.
        photographs: the photograph of each image; None if images are independent.
    """

    def distance(part: Int[np.ndarray, "part"]) -> float:
        # Images without detail have no power at high frequencies; the smallest number replaces zero.
        mean = np.maximum(power[part].mean(axis=0), np.finfo(float).tiny)
        return float(np.sqrt(np.mean(np.square(np.log(mean) - np.log(reference)))))

    return jackknife(distance, len(power), num_resamples, SEED, NOT_NEGATIVE, photographs)


def power_spectrum(images: Pixels, num_bins: int) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "bins"]]:
    """Return the mean radial frequency and mean power of annuli of equal width; see :func:`annulus_power`."""
    frequencies, power = annulus_power(images, num_bins)
    return frequencies, power.mean(axis=0)


def annulus_power(images: Pixels, num_bins: int) -> tuple[Float[np.ndarray, "bins"], Float[np.ndarray, "image bins"]]:
    """Return the mean radial frequency and the mean power of each image in annuli of equal width, without empty ones.

    Args:
        images: images in [0, 1].
        num_bins: number of annuli from 0 to √2 π, before empty ones are dropped.
    """
    height, width = images.shape[1:3]
    inside = annulus_members(height, width, num_bins)
    average = inside / inside.sum(axis=0)
    frequencies = radial_frequencies(height, width).ravel()
    kept = frequencies > 0
    return frequencies[kept] @ average, coefficient_power(images).reshape(len(images), -1)[:, kept] @ average


def annulus_members(height: int, width: int, num_bins: int) -> Float[np.ndarray, "modes bins"]:
    """Return 1 where a DCT coefficient is in an annulus, otherwise 0, without the constant coefficient.

    Args:
        height: height of the images.
        width: width of the images.
        num_bins: number of annuli of equal width from 0 to √2 π, before empty ones are dropped.
    """
    frequencies = radial_frequencies(height, width).ravel()[1:]
    edges = np.linspace(0, MAX_FREQUENCY, num_bins + 1)
    inside = np.eye(num_bins)[np.clip(np.digitize(frequencies, edges) - 1, 0, num_bins - 1)]
    return inside[:, inside.any(axis=0)]


def fit_alpha(
    frequencies: Float[np.ndarray, "bins"], power: Float[np.ndarray, "bins"], low: float, high: float
) -> float:
    """Return α of power ∝ 1/f^α, by least squares on log-log axes over low ≤ f ≤ high.

    Raises:
        UserError: if fewer than two annuli are in the range, or one has no power.
    """
    inside = (frequencies >= low) & (frequencies <= high)
    if inside.sum() < 2:
        raise UserError(
            f"spectrum: {inside.sum()} annuli are between {low:.3g} and {high:.3g} radians per pixel; two are needed "
            "to fit a slope; use larger images"
        )
    if power[inside].min() < NO_POWER:
        raise UserError("spectrum: the images have no power at some frequency; use other images")
    slope, _ = np.polyfit(np.log(frequencies[inside]), np.log(power[inside]), 1)
    return float(-slope)


def rank_correlation(first: Float[np.ndarray, "band"], second: Float[np.ndarray, "band"]) -> float:
    """Return Spearman's rank correlation; 0 if one of the two is constant."""
    import pandas as pd

    ranks = pd.DataFrame([first, second]).rank(axis=1).to_numpy(copy=True)
    ranks -= ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(ranks).sum(axis=1).prod())
    return float(ranks.prod(axis=0).sum() / scale) if scale > 0 else 0.0
