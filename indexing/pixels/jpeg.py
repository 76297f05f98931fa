"""JPEG: the marker segments walked, the pixels handed over without the metadata.

References
----------
ITU-T T.81 (ISO/IEC 10918-1), 1992, annex B (markers, B.1.1; syntax, B.2) and A.2 (MCUs).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, islice
from math import ceil

from PIL import Image, ImageFile, JpegImagePlugin

from indexing.errors import PictureError
from indexing.pixels.directory import exif_orientation
from indexing.pixels.encoded import Encoded, damaged, truncated, unreadable

__all__ = ["examine_jpeg"]

_DHT, _SOI, _EOI, _SOS, _DRI, _APP1 = 0xC4, 0xD8, 0xD9, 0xDA, 0xDD, 0xE1
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_BASELINE, _DECODABLE = {0xC0, 0xC1}, {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
# APP0 (JFIF) and APP14 (Adobe) tell the color space; of the tables DHT, DAC, DQT and DRI.
_KEPT = _FRAMES | {_DHT, 0xCC, 0xDB, _DRI, _SOS, 0xE0, 0xEE}

_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
_ANY_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_NOT_RESTART = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_RESTARTS = [bytes([code]) for code in range(0xD0, 0xD8)]

# A progressive file of many empty scans takes long to decode; true ones have about ten.
_MAX_SCANS = 200
# libjpeg looks ahead by up to 8 bytes; without them it does not finish the last MCU.
_LOOKAHEAD = bytes(8)
# Share of a scan, and bytes at least, that may be left over: such damage is a stripe, no more.
_LEFT_OVER, _LEFT_OVER_BYTES = 0.01, 64


@dataclass(frozen=True)
class _Frame:
    """Start of frame: the size and how the components are sampled."""

    code: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]  # horizontal and vertical, each component

    def in_units(self, pixels: int) -> tuple[int, int]:
        """Return width and height in units of `pixels` of the component sampled most."""
        across, down = (max(factors) for factors in zip(*self.sampling, strict=True))
        return ceil(self.width / (pixels * across)), ceil(self.height / (pixels * down))

    def n_blocks(self) -> int:
        """Return the number of 8 x 8 blocks, all components and padding included."""
        across, down = self.in_units(8)
        return across * down * sum(h * v for h, v in self.sampling)

    def n_mcus(self) -> int:
        """Return the number of minimum coded units in a scan of all components (A.2)."""
        if len(self.sampling) == 1:
            return ceil(self.width / 8) * ceil(self.height / 8)
        across, down = self.in_units(8)
        return across * down


@dataclass(frozen=True)
class _Header:
    """What comes before the pixels."""

    stream: bytes  # the segments that a decoder needs
    end: int  # where the pixels begin
    frame: _Frame
    interval: int  # MCUs between restart markers, 0 = none
    orientation: int
    one_scan: bool  # Huffman-coded, from top to bottom, all components together


class _Decoder(JpegImagePlugin.JpegImageFile):
    """Pillow's decoder, opened on the header alone and then fed in parts."""

    parts: Iterator[bytes]

    def load_read(self, read_bytes: int) -> bytes:
        """Return the next part; asked for one more, the picture is not whole."""
        for part in self.parts:
            return part
        raise damaged("its pixel data ends before the picture does")


def examine_jpeg(data: bytes) -> Encoded:
    """Walk a JPEG up to its end marker; what follows it (a motion photo's film) is ignored.

    Raises
    ------
    PictureError
        TRUNCATED without an end marker, DAMAGED where the segments make no sense, UNREADABLE
        for lossless, hierarchical and 12-bit files.
    """
    header = _header(data)
    frame, start = header.frame, header.end
    if header.one_scan:
        cut, stop = _scan_cuts(data, header)
        padding = _LOOKAHEAD
    else:
        stop = cut = _end(data, start)
        padding = b""

    def parts() -> Iterator[bytes]:
        yield header.stream
        if cut > start:
            yield data[start:cut]
        if stop + len(padding) > cut:
            yield data[cut:stop] + padding

    unread = parts()

    def open_header() -> ImageFile.ImageFile:
        decoder = _Decoder(BytesIO(header.stream))
        decoder.parts = unread
        return decoder

    def check(picture: Image.Image) -> None:
        if next(unread, None) is not None:
            raise damaged("the picture ends before its pixel data does")

    return Encoded(
        format="JPEG",
        size=(frame.width, frame.height),
        open=open_header,
        bytes_per_pixel=8 if len(frame.sampling) == 4 else 4,
        # The coefficients of all scans are held until the last one has come.
        extra_bytes=0 if header.one_scan else 128 * frame.n_blocks(),
        reducible=True,
        orientation=header.orientation,
        check=check,
    )


def _header(data: bytes) -> _Header:
    segments: list[bytes] = [data[:2]]
    frame: _Frame | None = None
    orientation, interval, position, code = 1, 0, 2, 0
    while code != _SOS:
        code, start, position = _segment(data, position)
        body = slice(start + 4, position)
        if code == _EOI:
            raise damaged("its end marker comes before any pixels")
        if code in _FRAMES:
            frame = _frame(code, data[body])
        elif code == _DRI:
            interval = int.from_bytes(data[body])
        elif code == _APP1 and data.startswith(b"Exif\0\0", body.start):
            orientation = exif_orientation(data[body])
        if code in _KEPT:
            segments.append(data[start:position])
    if frame is None:
        raise damaged("its pixels come before their size")
    one_scan = frame.code in _BASELINE and segments[-1][4:5] == bytes([len(frame.sampling)])
    return _Header(b"".join(segments), position, frame, interval, orientation, one_scan)


def _segment(data: bytes, position: int) -> tuple[int, int, int]:
    """Return code, start and end of the next marker segment at or after `position`."""
    found = _SEGMENT.search(data, position)
    if found is None:
        raise truncated("no end marker")
    code, start = data[found.start() + 1], found.start()
    if code in (_SOI, _EOI):
        return code, start, start + 2
    length = int.from_bytes(data[start + 2 : start + 4])
    if start + 4 > len(data) or start + 2 + length > len(data):
        raise truncated("a segment runs past the end")
    if length < 2:
        raise damaged(f"a segment of {length} bytes")
    return code, start, start + 2 + length


def _frame(code: int, body: bytes) -> _Frame:
    if code not in _DECODABLE:
        raise unreadable("a lossless or hierarchical JPEG; baseline and progressive are read")
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise damaged("a frame header of the wrong length")
    if body[0] != 8:
        raise unreadable(f"a JPEG of {body[0]} bits a sample; 8 are read")
    if body[5] not in (1, 3, 4):
        raise unreadable(f"a JPEG of {body[5]} components; 1, 3 and 4 are read")
    height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    sampling = tuple((factors >> 4, factors & 15) for factors in body[7::3])
    if not (height and width and all(1 <= factor <= 4 for pair in sampling for factor in pair)):
        raise damaged("a frame header that makes no sense")
    return _Frame(code, width, height, sampling)


def _end(data: bytes, position: int) -> int:
    """Return where the end marker ends."""
    n_scans, code = 1, 0
    try:
        while code != _EOI and n_scans <= _MAX_SCANS:
            code, _, position = _segment(data, position)
            n_scans += code == _SOS
    except PictureError:
        # Broken pixel data can look like a segment. Only the end marker tells what is missing.
        if data.find(b"\xff\xd9", position) < 0:
            raise truncated("no end marker") from None
        raise damaged("marker segments that make no sense") from None
    if n_scans > _MAX_SCANS:
        raise unreadable(f"a JPEG of more than {_MAX_SCANS} scans")
    return position


def _scan_cuts(data: bytes, header: _Header) -> tuple[int, int]:
    """Return where to cut the one scan in two parts that betray a wrong length, and its end.

    libjpeg fills up what is missing before a marker with gray, and skips what is left over; both
    are only warnings. Without a marker it asks for more instead: the decoder that asks after the
    second part has missed data, the one that does not ask for it had too much. Padding before
    the end marker (zeros, fill bytes) may be any length.
    """
    start = header.end
    # Restart markers belong to the data where an interval is declared, nowhere else.
    marker = (_NOT_RESTART if header.interval else _ANY_MARKER).search(data, start)
    stop = marker.start() if marker else len(data)
    _end(data, stop)
    if header.interval:
        expected = ceil(header.frame.n_mcus() / header.interval) - 1
        if _RESTART.findall(data, start, stop) != list(islice(cycle(_RESTARTS), expected)):
            raise damaged("restart markers are missing")
    tail = data[max(start, stop - 1024) : stop]
    padding = len(tail) - len(tail.rstrip(b"\0\xff"))
    left_over = max(_LEFT_OVER_BYTES, int(_LEFT_OVER * (stop - start)))
    return max(start, stop - padding - left_over), stop
