"""What the examination of a file hands to the decoding of it."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageFile

from indexing.errors import PictureError, RefusalReason

__all__ = ["Encoded", "damaged", "truncated", "unreadable"]


def _no_check(picture: Image.Image) -> None:
    """Accept what was decoded: the decoder of this format tells all that can be told."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A picture file whose container is whole, and how to decode it.

    Parameters
    ----------
    format : str
        Name of the format, as people know it.
    size : tuple of int
        Width and height as stored, before the orientation is applied.
    open : callable
        Builds the decoder; allocates no pixels. Called once.
    bytes_per_pixel : int
        Memory that decoding and conversion to RGB take for each decoded pixel.
    extra_bytes : int, default=0
        Memory that decoding takes besides.
    reducible : bool, default=False
        Whether the decoder can put out 1/2, 1/4 or 1/8 of the size.
    orientation : int or None, default=1
        EXIF orientation, 1 to 8; None = ask the opened decoder.
    gray_max : int, default=65535
        Sample value of white where gray has more than 8 bits.
    check : callable
        Called with the decoded picture; raises PictureError if pixels are missing that the
        decoder did not miss.
    open_failure : RefusalReason, default=DAMAGED
        What it means if the decoder refuses the header.
    """

    format: str
    size: tuple[int, int]
    open: Callable[[], ImageFile.ImageFile]
    bytes_per_pixel: int
    extra_bytes: int = 0
    reducible: bool = False
    orientation: int | None = 1
    gray_max: int = 65535
    check: Callable[[Image.Image], None] = _no_check
    open_failure: RefusalReason = RefusalReason.DAMAGED


def truncated(detail: str) -> PictureError:
    """Return the error for a file whose end is missing."""
    return PictureError(RefusalReason.TRUNCATED, detail)


def damaged(detail: str) -> PictureError:
    """Return the error for a file that is broken before its end."""
    return PictureError(RefusalReason.DAMAGED, detail)


def unreadable(detail: str) -> PictureError:
    """Return the error for a picture of a kind that is not read."""
    return PictureError(RefusalReason.UNREADABLE, detail)
