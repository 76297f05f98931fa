"""The pixels of a picture: whole for people to look at, square for a network."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexing.errors import InputError, PictureError, RefusalReason
from indexing.pixels.color import to_rgb
from indexing.pixels.containers import examine
from indexing.pixels.directory import exif_orientation
from indexing.pixels.encoded import Encoded
from indexing.pixels.limits import DecodeLimits

__all__ = ["Framing", "Resample", "decode", "open_rgb"]

_DEFAULT_LIMITS = DecodeLimits()

# Decodings that take more memory than this wait for one another.
_LARGE_BYTES = 64_000_000
_large = threading.Lock()

# Pillow keeps a pointer to each row; two pictures at most are held at a time.
_ROW_BYTES = 16

# Pillow first averages whole pixels down to this many times the size, then resamples: as good,
# faster, and no memory for pictures a few pixels wide and millions high.
_REDUCING_GAP = 3.0

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Resample(StrEnum):
    """How pixels are interpolated; both average over all pixels when a picture shrinks."""

    BILINEAR = "bilinear"
    BICUBIC = "bicubic"


_FILTERS = {
    Resample.BILINEAR: Image.Resampling.BILINEAR,
    Resample.BICUBIC: Image.Resampling.BICUBIC,
}


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How a picture becomes the square that a network sees.

    Parameters
    ----------
    size : int
        Side of the square, in pixels.
    trim : float, default=0.5
        Share in [0, 1] of the excess of the long side over the short one that is cut away, half
        at either end: 0 squashes the whole picture into the square, 1 is a central square crop.
    resample : Resample, default=Resample.BICUBIC
        How pixels are interpolated.
    """

    size: int
    trim: float = 0.5
    resample: Resample = Resample.BICUBIC

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 4096:
            raise InputError(f"size is {self.size}; 1 to 4096 pixels are accepted; change it")
        if not 0 <= self.trim <= 1:
            raise InputError(f"trim is {self.trim}; 0 to 1 is accepted; change it")
        object.__setattr__(self, "resample", Resample(self.resample))

    def box(self, width: float, height: float) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of what is kept of a picture.

        Examples
        --------
        >>> Framing(size=224).box(400, 200)
        (50.0, 0.0, 350.0, 200.0)
        """
        cut_x = self.trim * max(width - height, 0) / 2
        cut_y = self.trim * max(height - width, 0) / 2
        return cut_x, cut_y, width - cut_x, height - cut_y


def decode(
    data: bytes, framing: Framing, limits: DecodeLimits = _DEFAULT_LIMITS
) -> NDArray[np.uint8]:
    """Decode a picture file into the square that a network sees.

    Parameters
    ----------
    data : bytes
        The whole file.
    framing : Framing
        How the picture becomes a square.
    limits : DecodeLimits
        How large it may be.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
        RGB, upright, on white where transparent; C-contiguous, owns its memory.

    Raises
    ------
    PictureError
        If the file is no whole picture of a kind that is read; no other exception.

    Notes
    -----
    JPEGs are decoded at 1/2, 1/4 or 1/8 of their size while the short side keeps `size` pixels.
    """
    # The picture is freed by then: its memory is still warm.
    return np.array(_square(data, framing, limits))


def _square(data: bytes, framing: Framing, limits: DecodeLimits) -> Image.Image:
    side = framing.size
    with _opened(data, side, limits) as (picture, extent, orientation):
        square = picture.resize(
            (side, side),
            _FILTERS[framing.resample],
            box=framing.box(*extent),
            reducing_gap=_REDUCING_GAP,
        )
        # The framing is symmetric, so that the square is turned instead of the whole picture.
        return square.transpose(_TURNS[orientation]) if orientation in _TURNS else square


def open_rgb(data: bytes, *, at_least: int, limits: DecodeLimits = _DEFAULT_LIMITS) -> Image.Image:
    """Decode a picture file into an upright RGB image, at reduced size where that is cheaper.

    Parameters
    ----------
    data : bytes
        The whole file.
    at_least : int
        Pixels that both sides keep where the original has them.
    limits : DecodeLimits
        How large the picture may be.

    Raises
    ------
    PictureError
        If the file is no whole picture of a kind that is read.
    """
    if at_least < 1:
        raise InputError(f"at_least is {at_least}; pixels count from 1; raise it")
    with _opened(data, at_least, limits) as (picture, _, orientation):
        return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


class _Opened(NamedTuple):
    """A decoded RGB picture, as stored: the orientation is still to be applied."""

    picture: Image.Image
    extent: tuple[float, float]  # width and height without what fills up the last block
    orientation: int


@contextmanager
def _opened(data: bytes, at_least: int, limits: DecodeLimits) -> Iterator[_Opened]:
    """Decode a picture and hold the memory it takes; turn every exception into a refusal."""
    reason, name = RefusalReason.DAMAGED, "header"
    try:
        encoded = examine(data)
        name, reason = encoded.format, encoded.open_failure
        scale = _scale(encoded, at_least)
        working_bytes = _check_size(encoded, scale, limits)
        with _large if working_bytes > _LARGE_BYTES else nullcontext():
            picture = encoded.open()
            reason = RefusalReason.DAMAGED
            width, height = picture.size
            if width * height > encoded.size[0] * encoded.size[1]:
                raise PictureError(reason, f"{name}: two sizes are given")
            if scale > 1:
                picture.draft(None, (at_least, at_least))
            picture.load()
            encoded.check(picture)
            orientation = encoded.orientation or exif_orientation(picture.info.get("exif", b""))
            extent = (width / scale, height / scale)
            yield _Opened(to_rgb(picture, encoded.gray_max), extent, orientation)
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise PictureError(RefusalReason.TOO_LARGE, f"{name}: {_line(error)}") from error
    except Exception as error:
        # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, IndexError,
        # KeyError, TypeError, RuntimeError, ... on broken files.
        raise PictureError(reason, f"{name}: {_line(error)}") from error


def _scale(encoded: Encoded, at_least: int) -> int:
    """Return 8, 4, 2 or 1: how much smaller Pillow's ``draft`` will decode."""
    if not encoded.reducible:
        return 1
    room = min(encoded.size) // at_least
    return next(scale for scale in (8, 4, 2, 1) if scale <= max(room, 1))


def _check_size(encoded: Encoded, scale: int, limits: DecodeLimits) -> int:
    """Return the memory that decoding takes, in bytes; raise if anything exceeds the limits."""
    width, height = (ceil(side / scale) for side in encoded.size)
    pixel_bytes = width * height * encoded.bytes_per_pixel + height * _ROW_BYTES
    working_bytes = pixel_bytes + encoded.extra_bytes
    limits.check_picture(encoded.size, (width, height), working_bytes)
    return working_bytes


def _line(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
