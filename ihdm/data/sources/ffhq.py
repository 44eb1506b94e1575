"""FFHQ, faces of people, as image files in one folder."""

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split, files_in_fair_order, find_images, printable
from ihdm.data.source import COLOR, RawData, RawFile, Source
from ihdm.errors import UserError

ARCHIVE_NAME = "images1024x1024.zip"
NUM_TRAIN = 60_000


def load_ffhq(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the faces by the number in their file's name: below 60 000 for training, the rest for testing.

    Raises:
        UserError: if a file's name is not a number.
    """
    folder = raw.paths[ARCHIVE_NAME]
    splits: dict[str, list[str]] = {"train": [], "test": []}
    for name in find_images(folder).names:
        number = name.rpartition("/")[2].partition(".")[0]
        if not number.isdecimal():
            raise UserError(
                f"{folder / printable(name)}: not named by a number, as the images of FFHQ are; move it elsewhere"
            )
        splits["train" if int(number) < NUM_TRAIN else "test"].append(name)
    return {split: files_in_fair_order(settings, folder, names, split) for split, names in splits.items()}


SOURCE = Source(
    origin="Flickr-Faces-HQ (Karras et al.), 1024×1024, halved and then resized to the short side",
    license="CC BY-NC-SA 4.0; every photograph under terms of its own",
    split="our choice: files 00000 to 59999 for training, 60000 to 69999 for testing; the released code trains and "
    "tests on all",
    load=load_ffhq,
    channels=COLOR,
    natural=True,
    resized=True,
    files=(
        RawFile(
            ARCHIVE_NAME,
            contents="images1024x1024",
            instructions="fetch the 70 000 PNG files of 1024×1024 pixels (89 GB) with download_ffhq.py --images of "
            "https://github.com/NVlabs/ffhq-dataset and put the folder images1024x1024, or a zip of it under the "
            "name above, there",
        ),
    ),
    counts={"train": 60_000, "test": 10_000},
    notes=(
        "Of the 70 000 faces 10 000 are held out here, while the released code trains and tests on all, so its numbers "
        "are of other images.",
    ),
)
