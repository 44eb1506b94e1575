"""Resizing to squares (paper, appendix B.1; the filters are those of the released code)."""

from PIL import Image


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
