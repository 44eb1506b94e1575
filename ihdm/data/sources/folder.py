"""A folder of images from the user."""

from ihdm.config.settings import DatasetSettings
from ihdm.data.crops import cut_crops
from ihdm.data.encoded import ImageFiles, Split
from ihdm.data.finding import find_images
from ihdm.data.raw import RawData
from ihdm.data.resizing import halve_and_crop
from ihdm.data.source import COLOR, GRAY, Source
from ihdm.errors import UserError
from ihdm.seeds import generator

TEST_FRACTION = 0.1
SPLIT_SEED = 0


def load_folder(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the images below any folder, one file in ten for testing; no file is in both splits, nor its crops.

    Raises:
        UserError: if it has fewer than two images.
    """
    found = find_images(raw.folder)
    names, unused = found.names, found.describe_unused()
    if len(names) < 2:
        not_used = f" (not used: {unused})" if unused else ""
        raise UserError(
            f"{raw.folder}: has {len(names)} image files{not_used}; at least 2 are needed, for training and testing"
        )
    if unused:
        print(f"{raw.folder}: {len(names)} image files are used; not used: {unused}")
    order = generator(SPLIT_SEED, "split of a folder").permutation(len(names))
    num_test = max(1, round(TEST_FRACTION * len(names)))
    parts = {"train": order[num_test:], "test": order[:num_test]}
    files = {
        split: ImageFiles(raw.folder, tuple(names[i] for i in part), settings, halve_and_crop)
        for split, part in parts.items()
    }
    if settings.crops is None:
        return dict(files)
    return {split: cut_crops(images, settings.crops, split) for split, images in files.items()}


SOURCE = Source(
    origin="a folder of images given by the user, halved and then resized to the short side, cut to its middle",
    license="the user's affair",
    split="one file in ten, at random, for testing",
    load=load_folder,
    channels=GRAY + COLOR,
    resized=True,
    takes_path=True,
    takes_crops=True,
    notes=(
        "The test images are one file in ten at random, so where several show the same thing, test images are more "
        "like training images than new ones would be.",
    ),
)
