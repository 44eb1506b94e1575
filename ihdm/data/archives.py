"""Safe unpacking of untrusted archives."""

import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ihdm.errors import UserError
from ihdm.storage.files import disk_errors, require_space


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip or .tar.gz to ``folder``, which is replaced when the archive is complete.

    Raises:
        UserError: if the archive is damaged, a path in it leads outside the folder, or the disk is full.
    """
    # A fixed name, so that the remains of a killed run are removed.
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with disk_errors(folder):
            temporary.mkdir(parents=True)
            if archive.suffix == ".zip":
                _unpack_zip(archive, temporary)
            else:
                _unpack_tar(archive, temporary)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(temporary, folder)
    except (NotImplementedError, RuntimeError) as error:  # another compression, or a password
        raise UserError(
            f"{archive}: cannot be unpacked ({error}); replace it by an archive with Deflate compression and no "
            "password, or unpack it manually"
        ) from None
    except (zipfile.BadZipFile, tarfile.ReadError, zlib.error, EOFError) as error:
        raise UserError(
            f"{archive}: a damaged or incomplete archive ({error}); delete it and run the same command again"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as stored:
        for member in stored.infolist():
            name = member.filename
            member.filename = name.replace("\\", "/")  # separator of some Windows programs
            path = PurePosixPath(member.filename)
            if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
                raise _escapes(archive, name)
        require_space(folder, sum(member.file_size for member in stored.infolist()))
        for member in stored.infolist():
            stored.extract(member, folder)  # its name is checked above


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:gz") as stored:
        try:
            require_space(folder, sum(member.size for member in stored))
            stored.extractall(folder, filter="data")
        except (tarfile.FilterError, KeyError) as error:
            member = getattr(error, "tarinfo", None)
            raise _escapes(archive, member.name if member else str(error)) from None


def _escapes(archive: Path, name: str) -> UserError:
    return UserError(
        f"{archive}: unsafe archive: its member '{name}' leads out of the target folder; nothing was unpacked"
    )
