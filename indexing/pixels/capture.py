"""When a picture was taken and with which camera, as its EXIF data say.

References
----------
CIPA DC-008 (EXIF 2.32), 2019, 4.6.4 and 4.6.5.
"""

from dataclasses import dataclass
from datetime import datetime

from indexing.errors import PictureError
from indexing.pixels.directory import Directory

__all__ = ["Capture", "capture_of"]

_MAKE, _MODEL, _EXIF, _TAKEN, _FRACTION = 271, 272, 34_665, 36_867, 37_521
_APP1, _START_OF_SCAN = 0xE1, 0xDA
_HEAD = b"Exif\0\0"


@dataclass(frozen=True, slots=True)
class Capture:
    """When and with what a picture was taken.

    Parameters
    ----------
    camera : str
        Make and model.
    seconds : float
        On the camera's own clock, from an arbitrary start: differences of one camera have a
        meaning.
    """

    camera: str
    seconds: float


def capture_of(data: bytes) -> Capture | None:
    """Return when and with what a JPEG file was taken; None where it does not say both.

    Parameters
    ----------
    data : bytes
        The whole file; of any other format nothing is known.

    Notes
    -----
    EXIF data that are damaged say nothing: they do not make a picture unusable.
    """
    exif = _exif_of(data)
    if exif is None:
        return None
    try:
        first = Directory.of(exif)
        camera = " ".join(filter(None, (first.text(_MAKE), first.text(_MODEL))))
        details = first.pointed_to(_EXIF)
        if details is None or not camera:
            return None
        taken = datetime.strptime(details.text(_TAKEN), "%Y:%m:%d %H:%M:%S")
        fraction = details.text(_FRACTION)
    except (PictureError, ValueError):
        return None
    seconds = (taken - datetime(1970, 1, 1)).total_seconds()
    return Capture(camera, seconds + (float(f"0.{fraction}") if fraction.isdecimal() else 0.0))


def _exif_of(data: bytes) -> bytes | None:
    """Return the EXIF block of a JPEG file, from its TIFF header on."""
    position = 2 if data.startswith(b"\xff\xd8") else len(data)
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        code = data[position + 1]
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        if code == _APP1 and data.startswith(_HEAD, position + 4):
            return data[position + 4 + len(_HEAD) : end]
        if code == _START_OF_SCAN:
            break
        position = end
    return None
