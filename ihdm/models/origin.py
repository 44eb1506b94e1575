"""What the folder of a trained network tells of its training, for those who have nothing else at hand."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ihdm.errors import UserError
from ihdm.models.network import CONFIG_NAME, PROCESS_KEY
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record

RECORD_NAME = "model.meta.json"
"""The record of a training, beside the network."""


@dataclass(frozen=True)
class Origin:
    """How a network was trained.

    Attributes:
        folder: where the network lies.
        settings: what sampling takes over from training: ``process``, ``seed`` and ``num_train``.
        images: path of the training images; None if the record does not tell.
        images_sha256: the hash of what was there.
    """

    folder: Path
    settings: dict[str, Any]
    images: Path | None
    images_sha256: str

    def training_images(self) -> Path:
        """Return the path of the training images.

        Raises:
            UserError: if they are not there any more, or it is not known which they are.
        """
        if self.images is None:
            raise UserError(
                f"{self.folder}: does not tell which images its network was trained on; name them with --train"
            )
        if not self.images.exists():
            raise UserError(
                f"{self.images}: the images that {self.folder} was trained on are not there any more; make them again, "
                "or name others with --train"
            )
        if sha256(self.images) != self.images_sha256:
            raise UserError(
                f"{self.images}: these are not the images that {self.folder} was trained on; make those again, or name "
                "others with --train"
            )
        return self.images


def read_origin(folder: Path) -> Origin:
    """Read how the network in a folder was trained.

    Raises:
        UserError: if the folder does not tell.
    """
    training = read_record(folder / RECORD_NAME)
    try:
        process = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))[PROCESS_KEY]
        arrays = ((path, known) for path, known in training["inputs"].items() if path.endswith(".npy"))
        images, images_sha256 = next(arrays, (None, ""))
        kept = {name: training["settings"][name] for name in ("seed", "num_train")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder}: does not tell how its network was trained; give the folder that `models train` wrote"
        ) from None
    return Origin(folder, {"process": process, **kept}, Path(images) if images else None, images_sha256)


def training_settings(folder: Path) -> dict[str, Any]:
    """Return the settings that the record beside a network tells; empty if there is no record."""
    path = folder / RECORD_NAME
    return dict(read_record(path)["settings"]) if path.exists() else {}
