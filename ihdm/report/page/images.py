"""Pictures as a page holds them: WebP inside the page itself."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ihdm.errors import UserError

FIGURE_WIDTH = 1400
"""Widest picture of a figure, in pixels: the text width at 200 dots an inch, with the margin that figures have."""
THUMBNAIL_WIDTH = 320
"""Of a figure that stands beside a claim, in pixels."""
LARGEST_TILE = 64
"""Pixels: wider images are made smaller on sheets, and these are not kept without loss."""
SHOWN_TILE = 64
"""About how wide an image is shown, in CSS pixels."""
LARGEST_ANIMATION = 6_000_000
"""Bytes: a longer animation is left to its own file."""


@dataclass(frozen=True)
class Sheet:
    """Images side by side, one of whose rows is shown at a time.

    Attributes:
        uri: the picture.
        rows: how many rows it has.
        columns: how many images a row has.
        size: width of an image on the page in CSS pixels, a whole multiple of its own where it is small.
    """

    uri: str
    rows: int
    columns: int
    size: int


@dataclass(frozen=True)
class Picture:
    """A picture with its size in pixels, so that a page keeps room for it."""

    uri: str
    width: int
    height: int


def as_uri(content: bytes) -> str:
    """Return a WebP file as an address that holds the file."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _encode(image: Image.Image, lossless: bool) -> bytes:
    """Return the picture as WebP; without loss, more effort makes it hardly shorter."""
    stream = BytesIO()
    image.save(stream, "WEBP", lossless=lossless, quality=25 if lossless else 86, method=4)
    return stream.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; within the block, damage becomes a UserError that names the file."""
    try:
        with Image.open(path) as opened:
            yield opened
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: damaged image ({reason}); delete it and run the stage that draws it again") from None


def figure_picture(path: Path, most: int = FIGURE_WIDTH) -> Picture:
    """Return the picture of a figure, with or without loss, whichever is shorter; at most so many pixels wide.

    One that is made smaller is smooth everywhere, which is long without loss: it is kept with loss.
    """
    with _opened(path) as opened:
        image = opened.convert("RGB")
    if image.width > most:
        image = image.resize((most, round(image.height * most / image.width)), Image.Resampling.LANCZOS)
        content = _encode(image, lossless=False)
    else:
        content = min((_encode(image, lossless) for lossless in (True, False)), key=len)
    return Picture(as_uri(content), image.width, image.height)


def animation_pictures(path: Path) -> tuple[Picture, Picture] | None:
    """Return an animation and its last frame, which stands for it where nothing is to move; None if it is too long."""
    content = path.read_bytes()
    if len(content) > LARGEST_ANIMATION:
        return None
    with _opened(path) as opened:
        opened.seek(getattr(opened, "n_frames", 1) - 1)
        last = opened.convert("RGB")
    return Picture(as_uri(content), *last.size), Picture(as_uri(_encode(last, lossless=True)), *last.size)


def to_bytes(images: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Return values in [0, 1] as bytes; what lies beyond is cut."""
    return np.rint(np.clip(images, 0, 1) * 255).astype(np.uint8)


def sheet(images: UInt8[np.ndarray, "row column height width channel"]) -> Sheet:
    """Return images as a sheet; large ones are made smaller."""
    rows, columns, height, width, channels = images.shape
    joined = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    picture = Image.fromarray(joined.squeeze(-1) if channels == 1 else joined).convert("RGB")
    is_small = width <= LARGEST_TILE
    if not is_small:
        picture = picture.resize((columns * LARGEST_TILE, rows * LARGEST_TILE), Image.Resampling.BOX)
    size = width * max(1, SHOWN_TILE // width) if is_small else LARGEST_TILE
    return Sheet(as_uri(_encode(picture, lossless=is_small and width <= LARGEST_TILE // 2)), rows, columns, size)
