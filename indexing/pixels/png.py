"""PNG: the chunks walked and their checksums proved, the pixels handed over alone.

References
----------
ISO/IEC 15948:2004 (PNG, second edition), sections 5 (chunks), 7 and 8 (filters, interlacing), 11.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from math import ceil

from PIL import Image, ImageFile, PngImagePlugin

from indexing.pixels.directory import exif_orientation
from indexing.pixels.encoded import Encoded, damaged, truncated, unreadable

__all__ = ["examine_png"]

_MAGIC = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # a pixel, by color type
_GRAY, _RGB, _PALETTE = 0, 2, 3
_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_MAX_CHUNKS = 2**18  # against floods of empty ones; true ones hold kilobytes
# First column, first row, step across, step down of the seven interlacing passes (8.2).
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    color: int
    interlaced: bool

    def inflated_bytes(self) -> int:
        """Return how many bytes the pixels of the picture take, filter types included."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        total = 0
        for column, row, across, down in passes:
            width = ceil((self.width - column) / across)
            height = ceil((self.height - row) / down)
            if width > 0 and height > 0:
                total += height * (1 + ceil(width * self.depth * _SAMPLES[self.color] / 8))
        return total


def examine_png(data: bytes) -> Encoded:
    """Walk a PNG up to its end chunk; of an animated one the still picture is taken.

    Raises
    ------
    PictureError
        TRUNCATED without an end chunk, DAMAGED where a checksum of the pixels fails.
    """
    if not data.startswith(_MAGIC):
        raise damaged("a PNG signature changed by a transfer as text")
    header: _Header | None = None
    orientation, transparent = 1, b""
    kept, pixels = [memoryview(data)[:8]], []
    for kind, chunk in _chunks(data):
        if kind == b"eXIf":
            orientation = exif_orientation(bytes(chunk[8:-4]))
        if kind not in _KEPT:
            continue
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise damaged(f"the checksum of a chunk {kind.decode()} fails")
        header = header or _header(kind, chunk[8:-4])
        if kind == b"IDAT":
            pixels.append(chunk[8:-4])
        if kind == b"tRNS" and header.color != _PALETTE:
            transparent = bytes(chunk[8:-4])
        else:
            kept.append(chunk)
    if header is None or not pixels:
        raise damaged("no pixels")
    return _encoded(header, kept, pixels, transparent, orientation)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield kind and whole chunk (length, kind, body, checksum) up to the end chunk."""
    view, position, kind, count = memoryview(data), 8, b"", 0
    while kind != b"IEND":
        count += 1
        if count > _MAX_CHUNKS:
            raise unreadable(f"a PNG of more than {_MAX_CHUNKS} chunks")
        if position + 12 > len(data):
            raise truncated("no end chunk")
        length, kind = struct.unpack_from(">I4s", data, position)
        start, position = position, position + 12 + length
        if position > len(data):
            raise truncated("a chunk runs past the end")
        yield kind, view[start:position]


def _header(kind: bytes, body: memoryview) -> _Header:
    if kind != b"IHDR" or len(body) != 13:
        raise damaged("no header chunk at the start")
    width, height, depth, color, method, filters, interlace = struct.unpack(">IIBBBBB", body)
    if not (width and height and color in _SAMPLES and depth in (1, 2, 4, 8, 16)):
        raise damaged("a header that makes no sense")
    if method or filters or interlace > 1:
        raise damaged("a header of unknown methods")
    return _Header(width, height, depth, color, bool(interlace))


def _encoded(
    header: _Header,
    kept: list[memoryview],
    pixels: list[memoryview],
    transparent: bytes,
    orientation: int,
) -> Encoded:
    def open_stripped() -> ImageFile.ImageFile:
        picture = PngImagePlugin.PngImageFile(BytesIO(b"".join(kept)))
        if transparent:
            picture.info["transparency"] = _transparent_color(header, transparent)
        return picture

    def check(picture: Image.Image) -> None:
        # Where the pixel data ends early Pillow leaves the rest blank and is content. Measuring
        # the data takes half as long as decoding, so that only a blank last row asks for it.
        last = picture.crop((0, picture.height - 1, *picture.size)).tobytes()
        if header.interlaced or last.count(0) == len(last):
            found = _inflated_bytes(pixels)
            if found < header.inflated_bytes():
                raise damaged(f"pixels are missing: {found} of {header.inflated_bytes()} bytes")

    sample_bytes = 2 if header.depth == 16 else 1
    plain = header.color == _RGB and not transparent
    return Encoded(
        format="PNG",
        size=(header.width, header.height),
        open=open_stripped,
        bytes_per_pixel=4 if plain else 4 + (sample_bytes if _SAMPLES[header.color] == 1 else 4),
        extra_bytes=sum(map(len, pixels)),
        orientation=orientation,
        check=check,
    )


def _transparent_color(header: _Header, chunk: bytes) -> int | tuple[int, ...]:
    """Return the transparent color as the decoded samples have it, which Pillow does not."""
    n_samples = _SAMPLES[header.color]
    if header.color not in (_GRAY, _RGB) or len(chunk) < 2 * n_samples:
        raise damaged("a transparent color that makes no sense")
    samples = struct.unpack_from(f">{n_samples}H", chunk)
    if header.depth < 8:
        samples = tuple(min(255, v * 255 // (2**header.depth - 1)) for v in samples)
    elif header.depth == 16 and header.color == _RGB:
        samples = tuple(v >> 8 for v in samples)
    return samples if header.color == _RGB else samples[0]


def _inflated_bytes(pixels: list[memoryview]) -> int:
    """Return how long the pixel data is once inflated, a megabyte at a time."""
    stream, total = zlib.decompressobj(), 0
    for chunk in pixels:
        left: bytes | memoryview = chunk
        while left and not stream.eof:
            total += len(stream.decompress(left, 2**20))
            left = stream.unconsumed_tail
    return total + len(stream.flush())
