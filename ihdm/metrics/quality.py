"""The distance that may rank sets of images, choose a best setting or decide a claim.

The Fréchet distance of n images in d features has a bias that depends on the images, and is larger than the differences
of interest unless n is much larger than d: with 250 samples in 64 features, real photographs seem further from the
training images than samples with high-frequency noise. The kernel distance has no such bias.
"""

from ihdm.errors import UserError, shown

IMAGES_PER_FEATURE = 20
"""The Fréchet distance ranks sets with at least this many images for each feature."""
NUM_FEATURES = {"inception": 2048, "efficientnet_lite0": 1280}
NAMES = {"frechet_distance": ("frechet_distance", "fid"), "kernel_distance": ("kernel_distance", "kid")}
"""Both distances, each with its names in tables: in any features, and in those of Inception."""


def num_features(extractor: str) -> int:
    """Return the number of features of an extractor by its name, such as ``inception`` or ``pca64``.

    Raises:
        UserError: if the name has none.
    """
    digits = "".join(filter(str.isdigit, extractor))
    if extractor not in NUM_FEATURES and not digits:
        raise UserError(
            f"column extractor holds {shown(extractor)}, which names no features; known are {', '.join(NUM_FEATURES)} "
            "and names with the number of features, such as pca64"
        )
    return NUM_FEATURES.get(extractor) or int(digits)


def is_biased(extractor: str, num_images: int) -> bool:
    """Return whether so many images are too few for the Fréchet distance to rank sets, by the extractor's name."""
    return num_images < IMAGES_PER_FEATURE * num_features(extractor)


def ranking_distance(extractor: str, num_images: int) -> str:
    """Return the name in tables of the distance that may rank sets of ``num_images`` images.

    Args:
        extractor: its name, such as ``inception`` or ``pca64``.
        num_images: number of images per set.

    Returns:
        `fid` or `frechet_distance` with 20 images or more for each feature, else `kid` or `kernel_distance`.
    """
    distance = "kernel_distance" if is_biased(extractor, num_images) else "frechet_distance"
    return NAMES[distance][extractor == "inception"]
