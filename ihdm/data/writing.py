"""Resumable preparation of splits: images are decoded in parallel and appended in order.

An unfinished split is in a state folder: ``NAME.npy``, extended by one chunk at a time, and the journal ``NAME.jsonl``
with a line for each finished chunk. The bytes do not depend on the number of workers and of interruptions.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ihdm.config.settings import DatasetSettings
from ihdm.data.decoding import BrokenImageError, DecodedImage
from ihdm.data.files import EncodedImages, Split
from ihdm.errors import UserError
from ihdm.progress import Progress
from ihdm.storage.files import atomic_path, clear_folder, disk_errors, require_space, sha256
from ihdm.storage.images import StoredImages
from ihdm.storage.provenance import settings_hash
from ihdm.storage.reading import open_images

CHUNK_IMAGES = 32
"""Images per line of the journal."""

NUM_NAMED = 5
"""Most images named in a message."""

Chunk = dict[str, Any]
"""A line of the journal: ``key`` of the inputs, number of ``written`` images so far, names and reasons of ``broken``
images, and number of ``transparent`` images."""

Found = dict[str, Any]
"""Entries of a description: names and reasons of ``left_out`` images, and ``num_transparent`` images."""


def prepare_splits(
    splits: Mapping[str, Split],
    settings: DatasetSettings,
    state: Path,
    output: Path,
    description: Mapping[str, object],
    *,
    workers: int = 1,
) -> list[Path]:
    """Write ``SPLIT.npy`` and ``SPLIT.json`` for each split; return the paths of the arrays.

    Args:
        splits: the images of ``train`` and ``test``.
        settings: the data set.
        state: folder of unfinished splits, on the same disk as ``output``; cleared at the end.
        output: folder of arrays and descriptions, which appear only when all splits are complete.
        description: additional entries of the descriptions.
        workers: number of decoding threads.

    Raises:
        UserError: if an image is broken and ``settings.skip_broken`` is off, no image of a split can be used, or the
            disk is full or not writable. Finished chunks stay in ``state``.
    """
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with disk_errors(state):
        state.mkdir(parents=True, exist_ok=True)
        found: dict[str, Found] = {}
        for split, images in splits.items():
            partial = state / f"{split}.npy"
            if isinstance(images, np.ndarray):
                found[split] = _write_array(images, settings, partial)
            else:
                found[split] = _write_encoded(images, settings, partial, workers)
        copies = find_copies(*(open_images(state / f"{split}.npy") for split in ("train", "test")))
    if copies["test"]:
        print(_warn_of_copies(splits["test"], found["test"], copies["test"], settings, output))
    with disk_errors(output):
        paths = []
        for split in splits:
            paths.append(output / f"{split}.npy")
            numbers = found[split] | {"num_shared": len(copies[split])}
            _describe(state / f"{split}.npy", paths[-1], {**description, **numbers})
            os.replace(state / f"{split}.npy", paths[-1])
        clear_folder(state, [f"{split}.jsonl" for split in splits])
    return paths


def find_copies(train: StoredImages, test: StoredImages) -> dict[str, list[int]]:
    """Return the positions, in each split, of images that are also in the other split, byte for byte.

    Images are read one at a time; only the hashes of test images are kept in memory.
    """
    of_test = [_digest(image) for image in np.asarray(test)]
    known, shared = set(of_test), dict[int, bytes]()
    for position, image in enumerate(np.asarray(train)):
        if (digest := _digest(image)) in known:
            shared[position] = digest
    found = set(shared.values())
    return {"train": [*shared], "test": [position for position, digest in enumerate(of_test) if digest in found]}


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(image.tobytes(), digest_size=16).digest()


def _describe(partial: Path, path: Path, description: Mapping[str, object]) -> None:
    """Write the description of a complete split next to its final path."""
    images = open_images(partial)
    content = {
        "shape": list(images.shape),
        "layout": "image, row, column, channel",
        "dtype": "uint8",
        "range": [int(images.min()), int(images.max())],
        **description,
        "sha256": sha256(partial),
    }
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_array(images: StoredImages, settings: DatasetSettings, path: Path) -> Found:
    expected = (settings.image_size, settings.image_size, settings.image_channels)
    if images.shape[1:] != expected:
        raise UserError(
            f"source '{settings.source}' gives {'×'.join(map(str, images.shape[1:]))} images; "
            f"set image_size and image_channels to match, instead of {'×'.join(map(str, expected))}"
        )
    require_space(path.parent, images.size)
    with path.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(images), allow_pickle=False)
    return {"left_out": {}, "num_transparent": 0}


def _write_encoded(images: EncodedImages, settings: DatasetSettings, path: Path, workers: int) -> Found:
    """Write a split, resuming after its last finished chunk."""
    shape = (settings.image_size, settings.image_size, settings.image_channels)
    size = int(np.prod(shape))
    starts = range(0, len(images), CHUNK_IMAGES)
    chunks = [range(first, min(first + CHUNK_IMAGES, len(images))) for first in starts]
    recipe = settings_hash(settings.model_copy(update={"skip_broken": False}))
    keys = [_chunk_key(images, chunk, recipe) for chunk in chunks]
    journal = path.with_suffix(".jsonl")
    stored = path.stat().st_size - len(_header(0, shape)) if path.exists() else 0
    done = _usable_chunks(journal, keys, stored // size, keep_broken=settings.skip_broken)
    written = done[-1]["written"] if done else 0
    require_space(path.parent, (len(images) - written) * size)
    with (
        path.open("r+b" if written else "w+b") as array,
        journal.open("a") as log,
        ThreadPoolExecutor(workers) as pool,
        Progress(f"decoding {settings.source} {path.stem}", len(images), unit="images") as progress,
    ):
        array.write(_header(written, shape))
        array.truncate(array.tell() + written * size)
        array.seek(0, os.SEEK_END)
        if len(done) < len(chunks):
            progress.update(chunks[len(done)].start)
        for chunk, key in zip(chunks[len(done) :], keys[len(done) :], strict=True):
            broken, transparent = {}, 0
            for position, image in zip(chunk, pool.map(_decode, [images] * len(chunk), chunk), strict=True):
                if isinstance(image, BrokenImageError):
                    broken[images.name(position)] = str(image)
                else:
                    array.write(image.pixels.tobytes())
                    written += 1
                    transparent += image.was_transparent
            array.flush()
            os.fsync(array.fileno())
            done.append({"key": key, "written": written, "broken": broken, "transparent": transparent})
            log.write(json.dumps(done[-1]) + "\n")
            log.flush()
            progress.update(chunk.stop)
        array.seek(0)
        array.write(_header(written, shape))
    left_out = _judge_broken(done, settings, path.stem, len(images))
    num_transparent = sum(chunk["transparent"] for chunk in done)
    if num_transparent:
        print(f"{num_transparent} of {len(images)} images of split '{path.stem}' have transparent parts, now white")
    return {"left_out": left_out, "num_transparent": num_transparent}


def _decode(images: EncodedImages, position: int) -> DecodedImage | BrokenImageError:
    try:
        return images.decode(position)
    except BrokenImageError as error:
        return error


def _header(count: int, shape: tuple[int, ...]) -> bytes:
    """Return NumPy's header of an array of images, of equal length for any count."""
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)})
    return stream.getvalue()


def _chunk_key(images: EncodedImages, chunk: range, recipe: str) -> str:
    """Return a digest of all inputs of a chunk."""
    lines = [recipe, *(images.version(position) for position in chunk)]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _usable_chunks(journal: Path, keys: list[str], stored: int, *, keep_broken: bool) -> list[Chunk]:
    """Return the leading chunks of an earlier run that are still valid, and truncate the journal to them."""
    done: list[Chunk] = []
    lines = journal.read_bytes().splitlines() if journal.exists() else []
    for line, key in zip(lines, keys, strict=False):
        try:
            chunk = json.loads(line)
            usable = chunk["key"] == key and chunk["written"] <= stored and chunk["transparent"] >= 0
            usable = usable and (keep_broken or not chunk["broken"])
        except (ValueError, KeyError, TypeError):
            break  # truncated by a kill, or damaged
        if not usable:
            break
        done.append(chunk)
    with atomic_path(journal) as temporary:
        temporary.write_text("".join(json.dumps(chunk) + "\n" for chunk in done), encoding="utf-8")
    return done


def _judge_broken(done: list[Chunk], settings: DatasetSettings, split: str, total: int) -> dict[str, str]:
    broken = {name: reason for chunk in done for name, reason in chunk["broken"].items()}
    if not broken:
        return broken
    named = _first_of([f"{name} ({reason})" for name, reason in broken.items()])
    message = f"{len(broken)} of {total} images of split '{split}' cannot be used: {named}"
    if len(broken) == total:
        raise UserError(f"{message}; no image is left")
    if not settings.skip_broken:
        raise UserError(
            f"{message}; fix or remove them, or set skip_broken: true for the data set, and run the same command again "
            "to resume"
        )
    print(f"{message}; skipped, as skip_broken is set")
    return broken


def _warn_of_copies(images: Split, found: Found, copies: list[int], settings: DatasetSettings, output: Path) -> str:
    """Return a warning that names test images that are also training images."""
    named, left_out = "", found["left_out"]
    if not isinstance(images, np.ndarray):
        names = [name for name in map(images.name, range(len(images))) if name not in left_out]
        named = f" ({_first_of([names[position] for position in copies])})"
    advice = (
        f"remove the copies below {settings.path}, then {output}, and run the same command again"
        if settings.path
        else "the source contains them, so interpret such results with care"
    )
    return (
        f"warning: {len(copies)} of {len(images) - len(left_out)} test images are exact copies of training "
        f"images{named}; results on test images are too optimistic: {advice}"
    )


def _first_of(names: Sequence[str]) -> str:
    others = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return ", ".join(names[:NUM_NAMED]) + others
