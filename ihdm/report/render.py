"""Self-contained HTML pages: templates with style and script, and images embedded as WebP."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from ihdm.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"
FIGURE_WIDTH = 1400
"""Maximum width of a figure in pixels: the text width at 200 dpi, with margins."""
THUMBNAIL_WIDTH = 320
"""Width of a figure next to a claim, in pixels."""
LARGEST_TILE = 64
"""Maximum width of an image on a sheet, in pixels; larger ones are reduced."""
SHOWN_TILE = 64
"""Approximate display width of an image, in CSS pixels."""
LARGEST_ANIMATION = 6_000_000
"""Maximum size of an embedded animation, in bytes."""


def assets_sha256() -> str:
    """Return a hash of templates, style and script."""
    paths = sorted(path for path in TEMPLATES.iterdir() if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()


def render(template: str, **content: Any) -> str:  # noqa: ANN401
    """Return a page from a template and its content."""
    environment = Environment(
        loader=PackageLoader("ihdm.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"json": _json, "anchor": lambda text: re.sub(r"[^\w-]+", "-", text)}
    assets = {"style": "page.css", "script": "page.js"}
    environment.globals |= {
        name: Markup((TEMPLATES / file).read_text(encoding="utf-8"))  # noqa: S704 (ours)
        for name, file in assets.items()
    }
    return environment.get_template(template).render(**content)


def _json(value: Any) -> Markup:  # noqa: ANN401
    """Return JSON that is safe within a script element."""
    return Markup(json.dumps(value, ensure_ascii=False, sort_keys=True).replace("</", "<\\/"))  # noqa: S704 (escaped here)


@dataclass(frozen=True)
class Picture:
    """An image as a data URI, with its size in pixels."""

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Sheet:
    """A grid of images, one of whose rows is shown at a time.

    Attributes:
        uri: data URI of the grid.
        rows: number of rows.
        columns: number of images per row.
        size: display width of an image in CSS pixels; for small images a multiple of their width.
    """

    uri: str
    rows: int
    columns: int
    size: int


def as_uri(content: bytes) -> str:
    """Return a WebP file as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _encode(image: Image.Image, lossless: bool) -> bytes:
    """Return an image as WebP; more effort hardly reduces lossless files."""
    stream = BytesIO()
    image.save(stream, "WEBP", lossless=lossless, quality=25 if lossless else 86, method=4)
    return stream.getvalue()


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; within the block, a damaged file raises a UserError with its path."""
    try:
        with Image.open(path) as opened:
            yield opened
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: damaged image ({reason}); delete it and run the stage that draws it again") from None


def figure_picture(path: Path, most: int = FIGURE_WIDTH) -> Picture:
    """Return a figure of at most ``most`` pixels in width, lossless if that is smaller.

    A reduced figure has smooth edges, which lossless files store poorly, so it is always lossy.
    """
    with _opened(path) as opened:
        image = opened.convert("RGB")
    if image.width > most:
        image = image.resize((most, round(image.height * most / image.width)), Image.Resampling.LANCZOS)
        content = _encode(image, lossless=False)
    else:
        content = min((_encode(image, lossless) for lossless in (True, False)), key=len)
    return Picture(as_uri(content), *image.size)


def animation_pictures(path: Path) -> tuple[Picture, Picture] | None:
    """Return an animation and its last frame, for readers who prefer no motion; None if it is too large."""
    content = path.read_bytes()
    if len(content) > LARGEST_ANIMATION:
        return None
    with _opened(path) as opened:
        opened.seek(getattr(opened, "n_frames", 1) - 1)
        last = opened.convert("RGB")
    return Picture(as_uri(content), *last.size), Picture(as_uri(_encode(last, lossless=True)), *last.size)


def sheet(images: UInt8[np.ndarray, "row column height width channel"]) -> Sheet:
    """Return images as a sheet, large ones reduced."""
    rows, columns, height, width, channels = images.shape
    joined = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    picture = Image.fromarray(joined.squeeze(-1) if channels == 1 else joined).convert("RGB")
    is_small = width <= LARGEST_TILE
    if not is_small:
        picture = picture.resize((columns * LARGEST_TILE, rows * LARGEST_TILE), Image.Resampling.BOX)
    size = width * max(1, SHOWN_TILE // width) if is_small else LARGEST_TILE
    return Sheet(as_uri(_encode(picture, lossless=is_small and width <= LARGEST_TILE // 2)), rows, columns, size)
