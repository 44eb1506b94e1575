"""Image files below a folder: found, named, and decoded to arrays."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, DecodedImage, decode_image, halve_and_crop
from ihdm.data.order import fair_order
from ihdm.storage.images import StoredImages

SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", ".tga"),
    }
)
"""Extensions of image files, in lower case."""


@dataclass(frozen=True)
class FoundImages:
    """The image files below a folder.

    Attributes:
        names: sorted paths relative to the folder, without hidden files.
        unused: number of other files, by extension or reason.
    """

    names: list[str]
    unused: Counter[str]

    def describe_unused(self) -> str:
        """Return the numbers of unused files, such as "20 .heic, 1 .txt"."""
        most_first = sorted(self.unused.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {printable(kind)}" for kind, count in most_first)


def find_images(folder: Path) -> FoundImages:
    """Find all image files below a folder; links are followed, and each folder is read once."""
    names, unused = [], Counter[str]()
    for path, is_usable in _walk(folder, unused):
        if path.suffix.lower() not in SUFFIXES:
            unused[path.suffix or "without extension"] += 1
        elif not is_usable:
            unused["not a regular file"] += 1
        else:
            names.append(path.relative_to(folder).as_posix())
    return FoundImages(sorted(names), unused)


def printable(name: str) -> str:
    """Return a file name with unprintable characters escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in name)


def _walk(folder: Path, unused: Counter[str]) -> Iterator[tuple[Path, bool]]:
    """Yield all visible files, and whether each is a regular file or a broken link."""
    pending, linked, seen = [folder], list[Path](), set[tuple[int, int]]()
    while pending or linked:
        here = pending.pop() if pending else linked.pop()
        try:
            status = here.stat()
            if (key := (status.st_dev, status.st_ino)) in seen:
                continue
            seen.add(key)
            with os.scandir(here) as entries:
                found = sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)
        except OSError:
            unused["unreadable folder"] += 1
            continue
        for entry in reversed(found):
            path = here / entry.name
            if entry.is_dir():
                (linked if entry.is_symlink() else pending).append(path)
            else:
                # A broken link fails when it is decoded, and is reported then.
                yield path, entry.is_file() or (entry.is_symlink() and not path.exists())


class EncodedImages(Protocol):
    """The encoded images of a split in their final order."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def name(self, position: int) -> str:
        """Return the name of an image for messages."""
        ...

    def version(self, position: int) -> str:
        """Return a string that changes whenever the image may have changed."""
        ...

    def decode(self, position: int) -> DecodedImage:
        """Return the resized image; thread-safe.

        Raises:
            BrokenImageError: if it cannot be used.
        """
        ...


Split = StoredImages | EncodedImages


@dataclass(frozen=True)
class ImageFiles:
    """Image files below a folder.

    Attributes:
        folder: the folder.
        names: paths relative to it, in the order of the split.
        settings: size, channels and resizing.
    """

    folder: Path
    names: tuple[str, ...]
    settings: DatasetSettings

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.names)

    def name(self, position: int) -> str:
        """Return the relative path, see :func:`printable`."""
        return printable(self.names[position])

    def version(self, position: int) -> str:
        """Return name, size and modification time, or the error of a missing file."""
        try:
            state = (self.folder / self.names[position]).stat()
        except OSError as error:
            return f"{self.names[position]} {error.errno}"
        return f"{self.names[position]} {state.st_size} {state.st_mtime_ns}"

    def read(self, position: int) -> bytes:
        """Return the content of the file.

        Raises:
            BrokenImageError: if it cannot be read.
        """
        try:
            return (self.folder / self.names[position]).read_bytes()
        except OSError as error:
            raise BrokenImageError(error.strerror or str(error)) from None

    def decode(self, position: int) -> DecodedImage:
        """Return the image, resized."""
        return decode_image(self.read(position), self.settings, halve_and_crop)


def files_in_fair_order(settings: DatasetSettings, folder: Path, names: list[str], split: str) -> ImageFiles:
    """Return image files below a folder in the fixed random order of a split."""
    return ImageFiles(folder, tuple(names[i] for i in fair_order(len(names), split)), settings)
