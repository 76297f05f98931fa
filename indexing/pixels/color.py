"""Every kind of pixel that the decoders put out, made 8-bit RGB."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from PIL import Image

from indexing.pixels.encoded import unreadable

__all__ = ["to_rgb"]

# Conversion goes band by band, so that it holds the decoded picture and the RGB one, no third.
_BAND_PIXELS = 1_000_000
_WHITE = (255, 255, 255)

_DIRECT = {"1", "L", "P", "RGBX", "CMYK", "YCbCr", "HSV"}
_WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_KEYED = {"1", "L", "P", "RGB"}  # modes in which one color, or palette entries, are transparent

_Conversion = Callable[[Image.Image], Image.Image]


def to_rgb(picture: Image.Image, gray_max: int = 65535) -> Image.Image:
    """Return the picture in mode RGB, on white where it is transparent.

    Parameters
    ----------
    picture : Image
        Loaded, in any mode.
    gray_max : int, default=65535
        Sample value of white in the 16-bit gray modes.

    Returns
    -------
    Image
        The picture itself if it is RGB already.

    Raises
    ------
    PictureError
        UNREADABLE for a mode that no format read here puts out.

    Notes
    -----
    32-bit gray, integer or floating point, says nowhere what white is. Its largest value does:
    up to 1, up to 255 and up to 65535 are taken for scales that begin at 0; all else, and
    negative values, for the range that is found. Color profiles are not applied.
    """
    if picture.mode == "RGB" and "transparency" not in picture.info:
        return picture
    convert = _conversion(picture, gray_max)
    if picture.width * picture.height <= _BAND_PIXELS:
        return convert(picture)
    canvas = Image.new("RGB", picture.size, None)
    for top, band in _bands(picture):
        canvas.paste(convert(band), (0, top))
    return canvas


def _bands(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the picture in bands of about a megapixel, each with its first row."""
    n_rows = max(1, _BAND_PIXELS // picture.width)
    for top in range(0, picture.height, n_rows):
        bottom = min(top + n_rows, picture.height)
        yield top, picture.crop((0, top, picture.width, bottom))


def _conversion(picture: Image.Image, gray_max: int) -> _Conversion:
    mode = picture.mode
    if mode in _WITH_ALPHA or (mode in _KEYED and "transparency" in picture.info):
        return _on_white
    if mode in _DIRECT:
        return _plain
    if mode.startswith("I;16"):
        return partial(_from_gray, low=0, high=gray_max, key=picture.info.get("transparency"))
    if mode in ("I", "F"):
        low, high = _gray_range(picture)
        return partial(_from_gray, low=low, high=high, key=None)
    if mode == "LAB":
        return _lab_conversion()
    raise unreadable(f"pixels of mode {mode}")


def _plain(band: Image.Image) -> Image.Image:
    return band.convert("RGB")


def _on_white(band: Image.Image) -> Image.Image:
    if band.mode == "La":  # which converts to LA only
        band = band.convert("LA")
    transparent = band.convert("RGBA")
    canvas = Image.new("RGB", band.size, _WHITE)
    canvas.paste(transparent, mask=transparent)
    return canvas


def _from_gray(band: Image.Image, *, low: float, high: float, key: int | None) -> Image.Image:
    values = np.asarray(band)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = (np.nan_to_num(values.astype(np.float32), nan=low) - low) * (255 / (high - low))
    gray = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    if key is not None:
        gray[values == key] = 255
    return Image.fromarray(gray).convert("RGB")


def _gray_range(picture: Image.Image) -> tuple[float, float]:
    """Return the values of black and white of 32-bit gray, as the Notes above say."""
    low, high = np.inf, -np.inf
    for _, band in _bands(picture):
        values = np.asarray(band)
        finite = values[np.isfinite(values)]
        if finite.size:
            low = min(low, float(finite.min()))
            high = max(high, float(finite.max()))
    if low > high:  # nothing is finite
        return 0.0, 1.0
    if low >= 0:
        for white in (1, 255, 65535):
            if high <= white:
                return 0.0, float(white)
    return low, high if high > low else low + 1


def _lab_conversion() -> _Conversion:
    from PIL import ImageCms

    transform = ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
    )

    def convert(band: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(band, transform)
        if converted is None:
            raise unreadable("LAB pixels that cannot be converted")
        return converted

    return convert
