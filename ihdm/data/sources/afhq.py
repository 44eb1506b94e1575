"""AFHQ, faces of animals, as image files in one archive."""

from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split, files_in_fair_order, find_images
from ihdm.data.source import COLOR, RawData, RawFile, Source

ARCHIVE_NAME = "afhq.zip"


def load_afhq(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the cats, dogs and wild animals of the folders ``train`` and ``val`` (the test split)."""
    folder = raw.paths[ARCHIVE_NAME].parent
    names = find_images(folder).names
    return {
        split: files_in_fair_order(settings, folder, [name for name in names if name.startswith(prefix)], split)
        for split, prefix in (("train", "train/"), ("test", "val/"))
    }


SOURCE = Source(
    origin="Animal Faces-HQ, first version (Choi et al., StarGAN v2), halved and then resized to the short side",
    license="CC BY-NC 4.0",
    split="as published; the validation images are for testing",
    load=load_afhq,
    channels=COLOR,
    natural=True,
    resized=True,
    files=(
        RawFile(
            ARCHIVE_NAME,
            address="https://www.dropbox.com/s/t9l9o3vsx2jai3z/afhq.zip?dl=1",
            contents="train",
        ),
    ),
    counts={"train": 14_630, "test": 1_500},
)
