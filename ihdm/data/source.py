"""The description of an image source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Integer

from ihdm.config.settings import DatasetSettings
from ihdm.data.encoded import Split
from ihdm.data.raw import RawData, RawFile

COLOR = (3,)
GRAY = (1,)

Labels = Integer[np.ndarray, "image"]
"""Classes of images, 0, 1, …"""


@dataclass(frozen=True)
class Source:
    """An image source.

    Attributes:
        origin: description for readers.
        license: license of the images.
        split: description of the split into training and test images.
        load: maps settings and raw files to splits ``train`` and ``test``, in an order of which any prefix is a fair
            sample.
        channels: allowed values of image_channels.
        size: the only image_size; None for any.
        resized: whether images are resized, and can be squashed instead of cropped.
        takes_path: whether the user gives the ``path`` of the images.
        takes_crops: whether several crops per image can be requested.
        files: raw files to find or download.
        squares: number of images cut from each photograph per split; empty if they are whole.
        counts: number of images per split; empty if unknown.
        labels: maps settings and raw files, with those of the labels, to the classes of the images of each split, in
            the order of ``load``; None if there are none.
        label_files: further raw files for them.
        natural: whether they are photographs, for claims about natural images.
        notes: caveats for readers of results, one sentence each.
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
    squares: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    labels: Callable[[DatasetSettings, RawData], dict[str, Labels]] | None = None
    label_files: tuple[RawFile, ...] = ()
    natural: bool = False
    notes: tuple[str, ...] = ()
