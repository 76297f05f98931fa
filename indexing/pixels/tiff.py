"""TIFF: the first picture of the file, its strips or tiles proved to be there.

References
----------
TIFF 6.0, Adobe, 1992; the tags by section: 8 (baseline), 14 (predictor), 15 (tiles), 21 (YCbCr),
22 (JPEG); TIFF Technical Note 2 for the newer JPEG.
"""

from io import BytesIO
from math import ceil

from PIL import Image, ImageFile, TiffImagePlugin

from indexing.errors import RefusalReason
from indexing.pixels.directory import Directory, exif_orientation
from indexing.pixels.encoded import Encoded, damaged, truncated, unreadable

__all__ = ["examine_tiff"]

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_JPEG_OFFSET, _JPEG_BYTES = 513, 514

# All that pixels are made of. Of the rest Pillow parses much, warns of some, and uses none here.
_PIXEL_TAGS = frozenset(
    {_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIP_OFFSETS, _SAMPLES}
    | {_ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR, _TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS}
    | {_TILE_BYTES, _JPEG_OFFSET, _JPEG_BYTES}
    | {266, 292, 293}  # fill order, fax options
    | {317, 320, 338, 339}  # predictor, palette, extra samples, sample format
    | {347, 512, 515, 519, 520, 521}  # JPEG tables, new and old
    | {529, 530, 531, 532}  # YCbCr
)
_SINGLE = frozenset(
    {_WIDTH, _LENGTH, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS_PER_STRIP, _PLANAR}
    | {_TILE_WIDTH, _TILE_LENGTH, _JPEG_OFFSET, _JPEG_BYTES, 266, 292, 293, 317, 512, 515, 531}
)

_UNCOMPRESSED, _SEPARATE, _YCBCR = 1, 2, 6
# None, fax, LZW, old and new JPEG, deflate, PackBits, ZSTD. LZMA can ask for 4 GB.
_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 50000}
_MAX_PARTS = 2**18


class _Decoder(TiffImagePlugin.TiffImageFile):
    """Pillow's decoder without its own size check, which warns through global state."""

    def load_prepare(self) -> None:
        """Allocate the pixels; Pillow would, after that check."""
        self.im = Image.new(self.mode, self.size, None).im
        super().load_prepare()


def examine_tiff(data: bytes) -> Encoded:
    """Check the first directory of a TIFF and where its pixels lie.

    Raises
    ------
    PictureError
        TRUNCATED if pixels lie past the end, DAMAGED if some have no place or the directory
        makes no sense, UNREADABLE for a compression that is not read.
    """
    directory = Directory.of(data)
    single: dict[int, int] = {}
    for tag in _SINGLE:
        values = directory.integers(tag)
        if len(values) > 1:
            raise damaged(f"tag {tag} has {len(values)} values")
        if values:
            single[tag] = values[0]
    width, length = single.get(_WIDTH, 0), single.get(_LENGTH, 0)
    if width < 1 or length < 1:
        raise damaged("no size")
    if single.get(_COMPRESSION, _UNCOMPRESSED) not in _COMPRESSIONS:
        raise unreadable(f"a TIFF of compression {single[_COMPRESSION]}")
    n_samples = single.get(_SAMPLES, 1)
    bits = directory.integers(_BITS) or (1,)
    if not 1 <= n_samples <= 16 or max(bits) > 64:
        raise unreadable(f"a TIFF of {n_samples} samples a pixel, {max(bits)} bits")
    pixel_bits = sum(bits) if len(bits) == n_samples else n_samples * bits[0]
    part_bytes = _check_parts(directory, single, pixel_bits)

    def open_first() -> ImageFile.ImageFile:
        return _Decoder(BytesIO(directory.with_only(_PIXEL_TAGS)))

    return Encoded(
        format="TIFF",
        size=(width, length),
        open=open_first,
        bytes_per_pixel=4 if n_samples == 3 else 8,
        extra_bytes=part_bytes + len(data),  # a strip inflated, and the file with less metadata
        orientation=exif_orientation(data),
        gray_max=(1 << bits[0]) - 1 if bits[0] in (12, 16) else 65535,
        open_failure=RefusalReason.UNREADABLE,
    )


def _check_parts(directory: Directory, single: dict[int, int], pixel_bits: int) -> int:
    """Check that every strip or tile has its place; return the bytes of one to inflate."""
    length = single[_LENGTH]
    tiled = _TILE_OFFSETS in directory.entries
    if tiled:
        across, down = single.get(_TILE_WIDTH, 0), single.get(_TILE_LENGTH, 0)
    else:
        across, down = single[_WIDTH], min(single.get(_ROWS_PER_STRIP, length), length)
    if across < 1 or down < 1:
        raise damaged("strips or tiles of no size")
    n_planes = single.get(_SAMPLES, 1) if single.get(_PLANAR) == _SEPARATE else 1
    n_down = ceil(length / down)
    n_columns = ceil(single[_WIDTH] / across) * n_planes
    if n_columns * n_down > _MAX_PARTS:
        raise unreadable(
            f"a TIFF of {n_columns * n_down} strips or tiles; at most {_MAX_PARTS} are read"
        )
    row_bytes = ceil(across * pixel_bits / n_planes / 8)
    sizes: tuple[int, ...] = ()
    subsampled = single.get(_PHOTOMETRIC) == _YCBCR
    if single.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED and not subsampled:
        # Some writers give wrong sizes, or none. The last strip ends with the picture.
        last = down if tiled else length - down * (n_down - 1)
        sizes = (row_bytes * down,) * (n_down - 1) + (row_bytes * last,)
    _check_places(directory, n_columns * n_down, sizes * n_columns)
    return row_bytes * down if single.get(_COMPRESSION, 1) != _UNCOMPRESSED else 0


def _check_places(directory: Directory, n_parts: int, sizes: tuple[int, ...]) -> None:
    """Check that `n_parts` strips or tiles lie in the file, of known sizes or those it tells."""
    tiled = _TILE_OFFSETS in directory.entries
    offsets = directory.integers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    sizes = sizes or directory.integers(_TILE_BYTES if tiled else _STRIP_BYTES)
    if not offsets:  # the older JPEG can lie elsewhere, in one piece
        n_parts = 1
        offsets, sizes = directory.integers(_JPEG_OFFSET), directory.integers(_JPEG_BYTES)
    sizes = sizes or (1,) * n_parts
    if min(len(offsets), len(sizes)) < n_parts:
        raise damaged(f"{len(offsets)} of {n_parts} strips or tiles have a place")
    for offset, size in zip(offsets[:n_parts], sizes[:n_parts], strict=True):
        if offset < 8 or size < 1:
            raise damaged("a strip or tile has no place")
        if offset + size > len(directory.data):
            raise truncated("a strip or tile lies past the end")
