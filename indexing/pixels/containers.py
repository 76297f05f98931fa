"""What a file is, told by its first bytes, and the walk through the simpler containers.

References
----------
GIF89a specification, CompuServe, 1990; WebP Container Specification, Google;
ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), AV1 Image File Format v1.1.
"""

import re
import struct
from collections.abc import Callable
from io import BytesIO

from PIL import ImageFile

from indexing.errors import PictureError, RefusalReason
from indexing.pixels.directory import exif_orientation
from indexing.pixels.encoded import Encoded, damaged, truncated, unreadable
from indexing.pixels.foreign import foreign
from indexing.pixels.jpeg import examine_jpeg
from indexing.pixels.png import examine_png

__all__ = ["examine"]

# No format read here has a whole picture in fewer bytes.
_MIN_BYTES = 26
_HEIC_INSTALL = "pip install 'tag-engine[heic]'"
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def examine(data: bytes) -> Encoded:
    """Tell the format by the first bytes, and check that the file is whole.

    Raises
    ------
    PictureError
        EMPTY, NOT_A_PICTURE, TRUNCATED, DAMAGED or UNREADABLE.
    """
    if not data:
        raise PictureError(RefusalReason.EMPTY, "0 bytes")
    for sign, walk in _WALKS:
        if data.startswith(sign[: len(data)]) and len(data) < _MIN_BYTES:
            raise truncated(f"only {len(data)} bytes")
        if data.startswith(sign):
            return walk(data)
    if data[4:8] == b"ftyp":
        return _examine_boxes(data)
    raise foreign(data)


def _examine_gif(data: bytes) -> Encoded:
    """Walk a GIF to its trailer; keep the first picture, without comments and what follows."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = header_end = 13 + (_color_table(flags) if flags & 0x80 else 0)
    control, image = b"", b""
    try:
        while data[position] != 0x3B:
            start = position
            if data[position] == 0x21:
                position = _after_sub_blocks(data, position + 2)
                if data[start + 1] == 0xF9 and not image:
                    control = data[start:position]
            elif data[position] == 0x2C:
                left, top, across, down, flags = struct.unpack_from("<4HB", data, position + 1)
                position += 11 + (_color_table(flags) if flags & 0x80 else 0)
                position = _after_sub_blocks(data, position)
                if not image:
                    image = data[start:position]
                    width, height = max(width, left + across), max(height, top + down)
            elif data[position] == 0:  # a stray terminator, which decoders skip
                position += 1
            else:
                raise damaged(f"a block of unknown kind {data[position]:#04x}")
    except (IndexError, struct.error):
        raise truncated("no trailer") from None
    if not image:
        raise damaged("no picture before the trailer")

    def open_first() -> ImageFile.ImageFile:
        from PIL import GifImagePlugin

        stream = b"".join((data[:header_end], control, image, b";"))
        return GifImagePlugin.GifImageFile(BytesIO(stream))

    return Encoded(format="GIF", size=(width, height), open=open_first, bytes_per_pixel=5)


def _color_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1)


def _after_sub_blocks(data: bytes, position: int) -> int:
    while data[position]:
        position += data[position] + 1
    return position + 1


def _examine_bmp(data: bytes) -> Encoded:
    """Check where the pixels of a BMP lie; the file size in its header is often wrong."""
    offset, header = struct.unpack_from("<II", data, 10)
    if header not in _BMP_HEADERS:
        raise foreign(data)
    if len(data) < 14 + header:
        raise truncated("the header is not whole")
    if header == 12:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
        compression = n_bytes = 0
    else:
        width, height, _, bits, compression, n_bytes = struct.unpack_from("<iiHHII", data, 18)
    if width < 1 or not height or bits not in (1, 2, 4, 8, 16, 24, 32):
        raise damaged("a header that makes no sense")
    if compression in (0, 3):
        n_bytes = (width * bits + 31) // 32 * 4 * abs(height)
    if offset + n_bytes > len(data):
        raise truncated(f"{len(data)} bytes of {offset + n_bytes}")

    def open_whole() -> ImageFile.ImageFile:
        from PIL import BmpImagePlugin

        return BmpImagePlugin.BmpImageFile(BytesIO(data))

    return Encoded(
        format="BMP",
        size=(width, abs(height)),
        open=open_whole,
        bytes_per_pixel=4 if bits in (16, 24) else 8,
        open_failure=RefusalReason.UNREADABLE,
    )


def _examine_webp(data: bytes) -> Encoded:
    """Walk the chunks of a WebP; its decoder allocates the canvas as soon as it is opened."""
    if data[8:12] != b"WEBP":
        raise foreign(data)
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise truncated(f"{len(data)} bytes of {end}")
    size: tuple[int, int] | None = None
    orientation, position = 1, 12
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        position = body + length + length % 2
        if body + length > end:
            raise damaged("a chunk runs past the end of its container")
        if kind == b"EXIF":
            orientation = exif_orientation(data[body : body + length])
        elif size is None and kind in _WEBP_SIZES and length >= 10:
            size = _WEBP_SIZES[kind](data[body : body + 10])
    if size is None:
        raise damaged("no picture in the container")

    def open_first() -> ImageFile.ImageFile:
        from PIL import WebPImagePlugin

        return WebPImagePlugin.WebPImageFile(BytesIO(data[:end]))

    return Encoded(
        format="WebP", size=size, open=open_first, bytes_per_pixel=20, orientation=orientation
    )


def _lossy_size(body: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", body, 6)
    return width & 0x3FFF, height & 0x3FFF


def _lossless_size(body: bytes) -> tuple[int, int]:
    packed = int.from_bytes(body[1:5], "little")
    return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1


def _canvas_size(body: bytes) -> tuple[int, int]:
    return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1


_WEBP_SIZES: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    b"VP8 ": _lossy_size,
    b"VP8L": _lossless_size,
    b"VP8X": _canvas_size,
}


def _examine_boxes(data: bytes) -> Encoded:
    """Walk the top-level boxes of an AVIF or HEIC file."""
    head = int.from_bytes(data[:4])
    brands = {data[at : at + 4] for at in (8, *range(16, min(head, 256), 4))}
    avif = not brands.isdisjoint({b"avif", b"avis"})
    if not avif and brands.isdisjoint(_HEIC_BRANDS):
        raise PictureError(RefusalReason.NOT_A_PICTURE, "a film (MP4, QuickTime) or unknown boxes")
    boxes: dict[bytes, tuple[int, int]] = {}
    position = 0
    while position + 8 <= len(data):
        start = position
        length, kind = struct.unpack_from(">I4s", data, position)
        if length == 1 and position + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, position + 8)
        position = start + length if length else len(data)
        if length and (length < 8 or position > len(data)):
            if b"meta" in boxes and b"mdat" in boxes and not kind.isalnum():
                break  # something appended that is no box
            raise truncated("a box runs past the end") if length >= 8 else damaged("a broken box")
        boxes.setdefault(kind, (start, position))
    if b"meta" not in boxes:
        raise truncated("no box that describes the picture")
    if b"mdat" not in boxes and b"idat" not in data[slice(*boxes[b"meta"])]:
        raise truncated("no box of pixels")
    return (_avif if avif else _heic)(data, *boxes[b"meta"])


def _largest_extent(meta: bytes) -> tuple[int, int]:
    """Return the largest of the sizes that the box ``meta`` tells, tiles and previews included."""
    sizes = [
        struct.unpack(">II", found)
        for found in re.findall(rb"ispe\0\0\0\0(.{8})", meta, flags=re.DOTALL)
    ]
    if not sizes:
        raise damaged("no size")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return width, height


def _avif(data: bytes, start: int, end: int) -> Encoded:
    meta = data[start:end]

    def open_still() -> ImageFile.ImageFile:
        from PIL import AvifImagePlugin

        # Orientation is a property of its own here. EXIF data says nothing more, and Pillow
        # warns where it is broken: the item is given a type that nobody looks for.
        stream = data[:start] + meta.replace(b"Exif", b"skip") + data[end:]
        return AvifImagePlugin.AvifImageFile(BytesIO(stream))

    return Encoded(
        format="AVIF",
        size=_largest_extent(meta),
        open=open_still,
        bytes_per_pixel=16,
        orientation=None,
    )


def _heic(data: bytes, start: int, end: int) -> Encoded:
    def open_still() -> ImageFile.ImageFile:
        try:
            from pillow_heif import HeifImageFile
        except ImportError as error:
            raise unreadable(
                f"HEIC, which takes the package pillow-heif; install it: {_HEIC_INSTALL}"
            ) from error
        picture: ImageFile.ImageFile = HeifImageFile(BytesIO(data))
        return picture

    # Its decoder turns the picture upright itself.
    return Encoded(
        format="HEIC", size=_largest_extent(data[start:end]), open=open_still, bytes_per_pixel=12
    )


def _examine_tiff(data: bytes) -> Encoded:
    from indexing.pixels.tiff import examine_tiff

    return examine_tiff(data)


# RIFF and BM begin other files too, ftyp many: their walks look further.
_WALKS: tuple[tuple[bytes, Callable[[bytes], Encoded]], ...] = (
    (b"\xff\xd8\xff", examine_jpeg),
    (b"\x89PNG", examine_png),
    (b"GIF87a", _examine_gif),
    (b"GIF89a", _examine_gif),
    (b"RIFF", _examine_webp),
    (b"II*\0", _examine_tiff),
    (b"MM\0*", _examine_tiff),
    (b"II+\0", _examine_tiff),
    (b"MM\0+", _examine_tiff),
    (b"BM", _examine_bmp),
)
