"""What a source of images is: all that the program and its readers must know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ihdm.config.settings import DatasetSettings
from ihdm.data.encoded import Split
from ihdm.data.raw import RawData, RawFile

COLOR = (3,)
GRAY = (1,)


@dataclass(frozen=True)
class Source:
    """Where images come from, what they are, and the function that brings them.

    Attributes:
        origin: where they come from, for the description of the data set.
        license: the terms they come under.
        split: which images are for training and which for testing.
        load: from the settings and the raw files to splits ``train`` and ``test``, each in an order of which any prefix
            is a fair sample.
        channels: what image_channels may be.
        size: the only image_size there is; None if any can be asked for.
        resized: whether pictures of any size are brought to the one asked for, and can be squashed instead of cut.
        takes_path: whether the images are those that the user's ``path`` points to.
        takes_crops: whether several squares can be cut from each picture.
        files: the raw files to find or fetch.
        squares: how many training images are cut from each picture by the source itself.
        counts: how many images each split must hold; empty if that is the user's affair.
        natural: whether the images are photographs, for which the claims about natural images are checked.
        notes: what a reader must know of results with these images, a sentence each.
    """

    origin: str
    license: str
    split: str
    load: Callable[[DatasetSettings, RawData], dict[str, Split]]
    channels: tuple[int, ...]
    size: int | None = None
    resized: bool = False
    takes_path: bool = False
    takes_crops: bool = False
    files: tuple[RawFile, ...] = ()
    squares: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    natural: bool = False
    notes: tuple[str, ...] = ()
