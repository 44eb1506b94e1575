"""Finding image files below a folder."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


def image_names(folder: Path) -> list[str]:
    """Return the sorted relative paths of all image files below a folder, without hidden files."""
    return find_images(folder).names


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
