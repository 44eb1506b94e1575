"""The training of a network, from the record in its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ihdm.errors import UserError
from ihdm.models.network import CONFIG_NAME, PREDICTION_KEY, PROCESS_KEY
from ihdm.storage.files import sha256
from ihdm.storage.provenance import read_record

RECORD_NAME = "model.meta.json"
"""The record of the training, next to the network."""


@dataclass(frozen=True)
class Origin:
    """How a network was trained.

    Attributes:
        folder: of the network.
        settings: defaults for sampling: ``process``, ``seed`` and ``num_train``; ``prediction`` if it is no default.
        images: path of the training images; None if unknown.
        images_sha256: their SHA-256.
    """

    folder: Path
    settings: dict[str, Any]
    images: Path | None
    images_sha256: str

    def training_images(self) -> Path:
        """Return the path of the training images.

        Raises:
            UserError: if they are unknown, missing or changed.
        """
        if self.images is None:
            raise UserError(f"{self.folder}: the record has no training images; give them with --train")
        if not self.images.exists():
            raise UserError(
                f"{self.images}: training images of {self.folder} not found; prepare them again, or give others with "
                "--train"
            )
        if sha256(self.images) != self.images_sha256:
            raise UserError(
                f"{self.images}: changed since {self.folder} was trained on it; prepare the original images again, or "
                "give others with --train"
            )
        return self.images


def read_origin(folder: Path) -> Origin:
    """Read the training of the network in a folder.

    Raises:
        UserError: if the record or the configuration is missing or incomplete.
    """
    training = read_record(folder / RECORD_NAME)
    try:
        config = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        known = {"process": config[PROCESS_KEY]}
        if PREDICTION_KEY in config:
            known["prediction"] = config[PREDICTION_KEY]
        arrays = (pair for pair in training["inputs"].items() if pair[0].endswith(".npy"))
        images, images_sha256 = next(arrays, (None, ""))
        known |= {name: training["settings"][name] for name in ("seed", "num_train")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{folder}: no complete record of the training; give the folder that `models train` wrote"
        ) from None
    return Origin(folder, known, Path(images) if images else None, images_sha256)


def training_settings(folder: Path) -> dict[str, Any]:
    """Return the settings in the record of a network; empty without a record."""
    path = folder / RECORD_NAME
    return dict(read_record(path)["settings"]) if path.exists() else {}
