"""The description of an image source, and its published raw files: found or downloaded, and verified.

Each source has one folder below ``data.root`` of the configuration.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Integer

from ihdm.config.settings import DatasetSettings
from ihdm.data.download import download, unpack
from ihdm.errors import UserError
from ihdm.storage.files import atomic_path, disk_errors, exclusive, sha256

if TYPE_CHECKING:
    from ihdm.data.files import Split

COLOR = (3,)
GRAY = (1,)
HASHES_NAME = "sha256.json"
"""File with the SHA-256 of files that were trusted on first use."""


@dataclass(frozen=True)
class RawFile:
    """A file of a source.

    Attributes:
        name: its name in the folder of the source.
        address: download URL; None if it has to be downloaded manually.
        sha256: accepted digests, as published and as repacked elsewhere; if empty, the first digest is trusted,
            reported and recorded, and later ones must equal it.
        contents: for an archive, the folder to use in it. If that exists unpacked, no archive is needed.
        instructions: for files without URL.
        installed: folder of the file in a package of the operating system.
    """

    name: str
    address: str | None = None
    sha256: tuple[str, ...] = ()
    contents: str | None = None
    instructions: str = ""
    installed: Path | None = None


@dataclass(frozen=True)
class RawData:
    """The local raw files of a source.

    Attributes:
        folder: their folder.
        paths: the file, or the unpacked folder of an archive, by the name of the raw file.
        records: facts about each for the description of the data set.
    """

    folder: Path
    paths: Mapping[str, Path] = field(default_factory=dict)
    records: tuple[Mapping[str, str | None], ...] = ()


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
    load: Callable[[DatasetSettings, RawData], "dict[str, Split]"]
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


def obtain(files: tuple[RawFile, ...], folder: Path) -> RawData:
    """Find or download the raw files of a source.

    Raises:
        UserError: if one is unavailable or has another digest.
    """
    paths, records = {}, []
    for file in files:
        paths[file.name], checked = _obtain(file, folder)
        records.append({"name": file.name, "path": str(paths[file.name]), **checked})
    return RawData(folder, paths, tuple(records))


def _obtain(file: RawFile, folder: Path) -> tuple[Path, dict[str, str | None]]:
    if verified := _verified(file, folder):
        return verified
    with exclusive(folder):  # two preparations of one source may run at the same time
        path = _find_file(file, folder)
        if path is None:
            path = folder / file.name
            if file.address is None:
                raise UserError(f"{path} is missing and cannot be downloaded automatically: {file.instructions}")
            download(file.address, path)
        if verified := _verified(file, folder):  # a plain file, or an archive that another process has unpacked
            return verified
        hashes = _compare(file, path, folder)
        unpacked = folder / f"{path.name}.unpacked"
        unpack(path, unpacked)
        found = find_folder(folder, str(file.contents))
        if found is None:
            shutil.rmtree(unpacked)
            raise UserError(
                f"{path}: not the expected archive, as it has no folder '{file.contents}'; replace it, or delete it "
                "and run the same command again"
            )
        return found, _trusted(hashes, path, folder)


def _verified(file: RawFile, folder: Path) -> tuple[Path, dict[str, str | None]] | None:
    """Return the local file or unpacked folder, and the facts about it; None if there is none.

    The digest of a file that is trusted on first use is recorded.

    Raises:
        UserError: if a file has another digest.
    """
    if file.contents:
        found = find_folder(folder, file.contents)
        digest = _read_hashes(folder).get(file.name) if found else None
        facts = {"sha256": digest, "trust": "first use" if digest else "found unpacked, as it is"}
        return (found, facts) if found else None
    path = _find_file(file, folder)
    return (path, _trusted(_compare(file, path, folder), path, folder)) if path else None


def find_folder(folder: Path, name: str) -> Path | None:
    """Return the first folder ``name`` at most two folders below ``folder``; None if there is none."""
    for depth in ("", "*/", "*/*/"):
        for path in sorted(folder.glob(f"{depth}{name}")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if path.is_dir() and not hidden:
                return path
    return None


def _find_file(file: RawFile, folder: Path) -> Path | None:
    """Return the local path of a file, which may be a decompressed .gz."""
    folders = [folder, *([file.installed] if file.installed else [])]
    names = [file.name, *([file.name.removesuffix(".gz")] if not file.contents else [])]
    return next((path for place in folders for name in names if (path := place / name).is_file()), None)


def _compare(file: RawFile, path: Path, folder: Path) -> dict[str, str] | None:
    """Compare a file's SHA-256 with the published digests, or with that of the first use.

    Returns:
        The trusted digests by file; None if the digest of this file is published.

    Raises:
        UserError: if it differs.
    """
    digest = sha256(path)
    if file.sha256:
        if digest not in file.sha256:
            raise UserError(
                f"{path}: its SHA-256 is {digest} but {' or '.join(file.sha256)} is expected: it is damaged or another "
                "version. Delete it and run the same command again" + (" to download it" if file.address else "")
            )
        return None
    hashes = _read_hashes(folder)
    first = hashes.setdefault(path.name, digest)
    if first != digest:
        raise UserError(
            f"{path}: its SHA-256 is {digest} but was {first} when it was first used, see {folder / HASHES_NAME}: "
            "it has changed. Delete it to download it again, or delete its line there to trust the new one"
        )
    return hashes


def _trusted(hashes: dict[str, str] | None, path: Path, folder: Path) -> dict[str, str | None]:
    """Record the SHA-256 of a usable file; see :func:`_compare`."""
    digest = sha256(path)
    if hashes is None:
        return {"sha256": digest, "trust": "published SHA-256"}
    print(
        f"{path}: no SHA-256 is published for it; {digest} is trusted on first use, recorded in {folder / HASHES_NAME}"
    )
    with disk_errors(folder), atomic_path(folder / HASHES_NAME) as temporary:
        temporary.write_text(json.dumps(hashes, indent=2) + "\n", encoding="utf-8")
    return {"sha256": digest, "trust": "first use"}


def _read_hashes(folder: Path) -> dict[str, str]:
    path = folder / HASHES_NAME
    try:
        hashes: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fix or delete it") from None
    return hashes
