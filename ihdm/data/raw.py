"""Published raw files: found or downloaded, and verified.

Each source has one folder below ``data.root`` of the configuration.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ihdm.data.archives import unpack
from ihdm.data.download import download
from ihdm.errors import UserError
from ihdm.storage.files import atomic_path, disk_errors, exclusive, sha256

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
    if file.contents and (found := find_folder(folder, file.contents)):
        return found, _remembered(folder, file.name)
    if not file.contents and (path := _find_file(file, folder)):
        return path, _trusted(_compare(file, path, folder), path, folder)
    # Two preparations of one source may run at the same time.
    with exclusive(folder):
        path = _find_file(file, folder)
        if path is None:
            path = folder / file.name
            if file.address is None:
                raise UserError(f"{path} is missing and cannot be downloaded automatically: {file.instructions}")
            download(file.address, path)
        if not file.contents:
            return path, _trusted(_compare(file, path, folder), path, folder)
        found = find_folder(folder, file.contents)  # another process may have unpacked it
        if found is None:
            hashes = _compare(file, path, folder)
            unpacked = folder / f"{path.name}.unpacked"
            unpack(path, unpacked)
            found = find_folder(folder, file.contents)
            if found is None:
                shutil.rmtree(unpacked)
                raise UserError(
                    f"{path}: not the expected archive, as it has no folder '{file.contents}'; replace it, or delete "
                    "it and run the same command again"
                )
            return found, _trusted(hashes, path, folder)
        return found, _remembered(folder, file.name)


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


def _remembered(folder: Path, name: str) -> dict[str, str | None]:
    """Return the facts about an archive that was unpacked earlier."""
    digest = _read_hashes(folder).get(name)
    return {"sha256": digest, "trust": "first use" if digest else "found unpacked, as it is"}


def _read_hashes(folder: Path) -> dict[str, str]:
    path = folder / HASHES_NAME
    try:
        hashes: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); fix or delete it") from None
    return hashes
