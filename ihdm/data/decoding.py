"""Decoding of image files to 8-bit gray or RGB images, and resizing to squares (paper, appendix B.1).

The filters are those of the released code. All errors of Pillow become one error.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from ihdm.config.settings import DatasetSettings

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # twice as many pixels are an error

Pixels = UInt8[np.ndarray, "height width channel"]
MOST_PIXELS = 90_000_000
"""Pixels of the largest image that is decoded, which bounds the memory that one takes: about 1 GB."""
STRIP_PIXELS = 1 << 20
"""Pixels made opaque at a time, to bound memory."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image upright, by EXIF orientation."""


class BrokenImageError(Exception):
    """One image cannot be used; the message says why."""


@dataclass(frozen=True)
class DecodedImage:
    """An image with the configured size and channels.

    Attributes:
        pixels: 0…255.
        was_transparent: whether it had transparent parts, which are now white.
    """

    pixels: Pixels
    was_transparent: bool


def decode_image(
    encoded: bytes, settings: DatasetSettings, crop: Callable[[Image.Image, int], Image.Image]
) -> DecodedImage:
    """Decode an image file and resize it by ``crop``, or as the settings say; see :func:`decode_picture`."""
    picture, was_transparent = decode_picture(encoded, settings)
    resize = squash if settings.resize == "squash" else crop
    return DecodedImage(as_pixels(resize(picture, settings.image_size)), was_transparent)


def as_pixels(picture: Image.Image) -> Pixels:
    """Return a gray or color image as an array."""
    return np.asarray(picture).reshape(picture.height, picture.width, len(picture.getbands()))


def decode_picture(encoded: bytes, settings: DatasetSettings) -> tuple[Image.Image, bool]:
    """Return an image in its original size with the configured channels, and whether it had transparent parts.

    Color becomes gray by its luma, gray becomes three equal channels, transparency becomes white, 16 bits become 8, and
    the EXIF orientation is applied. Of animations and of files with several pages, the first image is used. A JPEG of
    more than ``MOST_PIXELS`` is decoded at half its size.

    Raises:
        BrokenImageError: if it cannot be decoded, is smaller than the requested size, or is too large.
    """
    try:
        opened = Image.open(BytesIO(encoded))
        if opened.width * opened.height > MOST_PIXELS:
            opened.draft(None, (opened.width // 2, opened.height // 2))  # JPEG alone is decoded at half its size
        if opened.width * opened.height > MOST_PIXELS:
            raise BrokenImageError(
                f"{opened.width}×{opened.height} pixels, more than the {MOST_PIXELS // 10**6} million that fit into "
                "memory; make it smaller, or save it as JPEG"
            )
        image = _upright(opened)
        if min(image.size) < settings.image_size:
            raise BrokenImageError(f"only {image.width}×{image.height} pixels")
        flat, was_transparent = _opaque(_as_8_bits(image))
        mode = "L" if settings.image_channels == 1 else "RGB"
        return flat if flat.mode == mode else flat.convert(mode), was_transparent
    except (BrokenImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise BrokenImageError("not an image, or of an unknown format") from None
    except Exception as error:
        raise BrokenImageError(" ".join(str(error).split()) or type(error).__name__) from None


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return image
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _as_8_bits(image: Image.Image) -> Image.Image:
    """Return an image with 8 bits a channel.

    Raises:
        BrokenImageError: if its values have no fixed range.
    """
    is_16_bit = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")
    if is_16_bit:
        values = np.asarray(image)
        gray = Image.fromarray((values >> 8).astype(np.uint8))
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            gray.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
        return gray
    if image.mode in ("I", "F"):
        kind = "32-bit integer" if image.mode == "I" else "floating-point"
        raise BrokenImageError(f"{kind} values have no fixed range; convert the image to 8 or 16 bits a channel")
    return image.convert("RGB") if image.mode == "LAB" else image


def _opaque(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return an image on white, and whether any of it was transparent."""
    if not image.has_transparency_data:
        return image, False
    opaque, was_transparent = Image.new("RGB", image.size), False
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        was_transparent |= bool(np.asarray(strip.getchannel("A")).min() < 255)
        opaque.paste(Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip), (0, top))
    return opaque, was_transparent


def halve_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Halve with a box filter while the short side is at least twice ``size``, then bicubic, then a center crop.

    Used for AFHQ, FFHQ and folders of images.
    """
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def squash(image: Image.Image, size: int) -> Image.Image:
    """Resize to a square with a bicubic filter, ignoring the aspect ratio.

    As for the FID reference of the released code, except that values are rounded to 8 bits here.
    """
    return image.resize((size, size), Image.Resampling.BICUBIC)


def resize_and_crop(image: Image.Image, size: int) -> Image.Image:
    """Resize the short side to ``size`` with a bilinear filter, then center crop, as in torchvision.

    Used for LSUN: ``Resize`` and ``CenterCrop``, whose roundings differ from those above.
    """
    long_side = int(size * max(image.size) / min(image.size))
    shape = (size, long_side) if image.width <= image.height else (long_side, size)
    image = image.resize(shape, Image.Resampling.BILINEAR)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def cut_square(picture: Image.Image, side: int, size: int, rng: np.random.Generator) -> Pixels:
    """Cut a square of ``side`` pixels at a random place of an image and resize it to ``size`` pixels."""
    left, top = (int(rng.integers(length - side + 1)) for length in picture.size)
    return as_pixels(halve_and_crop(picture.crop((left, top, left + side, top + side)), size))
