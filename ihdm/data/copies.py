"""Images that are in both splits of a data set, byte for byte."""

import hashlib

import numpy as np

from ihdm.storage.images import StoredImages


def find_copies(train: StoredImages, test: StoredImages) -> dict[str, list[int]]:
    """Return the positions, in each split, of the images that are in the other one too.

    Every image is read once and hashed; in memory are the hashes of the test images alone, some 100 bytes each.

    Args:
        train: the training images, usually mapped from a file.
        test: the test images.
    """
    of_test: dict[bytes, list[int]] = {}
    for position, image in enumerate(np.asarray(test)):
        of_test.setdefault(_digest(image), []).append(position)
    in_train, seen = [], set()
    for position, image in enumerate(np.asarray(train)):
        digest = _digest(image)
        if digest in of_test:
            in_train.append(position)
            seen.add(digest)
    return {"train": in_train, "test": sorted(position for digest in seen for position in of_test[digest])}


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()
