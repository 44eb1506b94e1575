"""Data sets that are folders of image files: AFHQ, FFHQ, and any folder of a user's own."""

from pathlib import Path

from ihdm.config.settings import DatasetSettings
from ihdm.data.encoded import ImageFiles, Split, fair_order, image_names
from ihdm.data.raw import RawData
from ihdm.data.resizing import halve_and_crop
from ihdm.errors import UserError
from ihdm.seeds import generator

AFHQ_ARCHIVE = "afhq.zip"
FFHQ_ARCHIVE = "images1024x1024.zip"
NUM_FFHQ_TRAIN = 60_000
TEST_FRACTION = 0.1
SPLIT_SEED = 0


def load_afhq(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the cats, dogs and wild animals of the folders ``train`` and ``val`` (the test split)."""
    folder = raw.paths[AFHQ_ARCHIVE].parent
    names = image_names(folder)
    return {
        split: _in_fair_order(settings, folder, [name for name in names if name.startswith(prefix)], split)
        for split, prefix in (("train", "train/"), ("test", "val/"))
    }


def load_ffhq(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the faces by the number in their file's name: below 60 000 for training, the rest for testing.

    Raises:
        UserError: if a file's name is not a number.
    """
    folder = raw.paths[FFHQ_ARCHIVE]
    splits: dict[str, list[str]] = {"train": [], "test": []}
    for name in image_names(folder):
        number = name.rpartition("/")[2].partition(".")[0]
        if not number.isdecimal():
            raise UserError(f"{folder / name}: is not named by a number, as the images of FFHQ are; move it elsewhere")
        splits["train" if int(number) < NUM_FFHQ_TRAIN else "test"].append(name)
    return {split: _in_fair_order(settings, folder, names, split) for split, names in splits.items()}


def load_folder(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the images below any folder, one file in ten for testing; no file is in both splits.

    Raises:
        UserError: if there is no such folder, or it holds fewer than two images.
    """
    if not raw.folder.is_dir():
        raise UserError(f"{raw.folder}: there is no such folder; set the data set's 'path' to a folder of images")
    names = image_names(raw.folder)
    if len(names) < 2:
        raise UserError(
            f"{raw.folder}: holds {len(names)} image files; at least 2 are needed, one to train on and one to test with"
        )
    order = generator(SPLIT_SEED, "split of a folder").permutation(len(names))
    num_test = max(1, round(TEST_FRACTION * len(names)))
    parts = {"train": order[num_test:], "test": order[:num_test]}
    return {
        split: ImageFiles(raw.folder, tuple(names[i] for i in part), settings, halve_and_crop)
        for split, part in parts.items()
    }


def _in_fair_order(settings: DatasetSettings, folder: Path, names: list[str], split: str) -> ImageFiles:
    return ImageFiles(folder, tuple(names[i] for i in fair_order(len(names), split)), settings, halve_and_crop)
