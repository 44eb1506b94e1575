"""LSUN church_outdoor from its two lmdb databases, whose records are encoded images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, DecodedImage, decode_image, resize_and_crop
from ihdm.data.files import Split
from ihdm.data.order import fair_order
from ihdm.data.source import COLOR, RawData, RawFile, Source
from ihdm.errors import UserError

if TYPE_CHECKING:
    import lmdb

ARCHIVES = {"train": "church_outdoor_train_lmdb.zip", "test": "church_outdoor_val_lmdb.zip"}


@dataclass(frozen=True)
class LmdbImages:
    """Records of a database.

    Attributes:
        database: open for reading.
        stamp: size and modification time of the database file.
        keys: the keys in the order of the split.
        settings: size, channels and resizing.
    """

    database: "lmdb.Environment"
    stamp: str
    keys: tuple[bytes, ...]
    settings: DatasetSettings

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.keys)

    def name(self, position: int) -> str:
        """Return the record's key."""
        return self.keys[position].decode(errors="replace")

    def version(self, position: int) -> str:
        """Return the key of the record, and size and modification time of the database."""
        return f"{self.keys[position].hex()} {self.stamp}"

    def decode(self, position: int) -> DecodedImage:
        """Return the image, resized."""
        with self.database.begin() as transaction:
            encoded = transaction.get(self.keys[position])
        if encoded is None:
            raise BrokenImageError("the record is missing")
        return decode_image(encoded, self.settings, resize_and_crop)


def load_lsun(settings: DatasetSettings, raw: RawData) -> dict[str, Split]:
    """Return the churches of the training database and, as test split, of the validation database."""
    return {split: open_database(raw.paths[name], settings, split) for split, name in ARCHIVES.items()}


def open_database(folder: Path, settings: DatasetSettings, split: str) -> LmdbImages:
    """Open a database and read its keys.

    Raises:
        UserError: if it cannot be opened, or its file is truncated.
    """
    import lmdb

    try:
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False, create=False)
        state, expected = (folder / "data.mdb").stat(), (database.info()["last_pgno"] + 1) * database.stat()["psize"]
        if state.st_size < expected:  # the file is mapped, so that reading beyond its end would kill the process
            raise UserError(
                f"{folder / 'data.mdb'}: truncated, {state.st_size} bytes of {expected}; delete its folder to unpack "
                "the archive again"
            )
        with database.begin() as transaction:
            keys = [bytes(key) for key in transaction.cursor().iternext(keys=True, values=False)]
    except lmdb.Error as error:
        raise UserError(
            f"{folder}: cannot be read as an lmdb database ({error}); delete it to unpack it again"
        ) from None
    ordered = tuple(keys[i] for i in fair_order(len(keys), split))
    return LmdbImages(database, f"{state.st_size} {state.st_mtime_ns}", ordered, settings)


SOURCE = Source(
    origin="LSUN church_outdoor (Yu et al.), bilinear to the short side, cut to the middle square",
    license="none stated; for research",
    split="as published; the validation images are for testing",
    load=load_lsun,
    channels=COLOR,
    natural=True,
    resized=True,
    files=tuple(
        RawFile(name, address=f"http://dl.yf.io/lsun/scenes/{name}", contents=name.removesuffix(".zip"))
        for name in ARCHIVES.values()
    ),
    counts={"train": 126_227, "test": 300},
    notes=("There are only 300 test images, so results on them are uncertain.",),
)
