"""What else a picture file holds neither disturbs its pixels nor is parsed by anybody."""

import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from indexing.errors import PictureError
from indexing.pixels import Framing, decode, open_rgb
from indexing.pixels.directory import exif_orientation
from tests.indexing.test_pixels_colors import tiff
from tests.odd_pictures import encoded, png, scene, smooth

FRAMING = Framing(size=24)


def silently_decoded(data):
    """Return the square; fail on a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        square = decode(data, FRAMING)
    assert caught == []
    return square


def exif(*entries, order=">", offset=8, n_entries=None):
    """Return EXIF data; an entry is tag, type, count and four bytes."""
    count = len(entries) if n_entries is None else n_entries
    mark = {"<": b"II", ">": b"MM"}[order]
    body = b"".join(struct.pack(order + "HHI", *entry[:3]) + entry[3] for entry in entries)
    return mark + struct.pack(order + "HIH", 42, offset, count) + body + bytes(4)


@pytest.mark.parametrize(
    ("data", "orientation"),
    [
        (exif((274, 3, 1, b"\0\6\0\0")), 6),
        (exif((274, 3, 1, b"\6\0\0\0"), order="<"), 6),
        (b"Exif\0\0" + exif((271, 2, 2, b"a\0\0\0"), (274, 3, 1, b"\0\3\0\0")), 3),
        (exif((274, 4, 1, b"\0\0\0\5")), 5),
        (exif((274, 3, 1, b"\0\6\0\0"), (274, 3, 1, b"\0\3\0\0")), 6),
        (exif((274, 3, 1, b"\0\0\0\0")), 1),
        (exif((274, 3, 1, b"\0\x09\0\0")), 1),
        (exif((274, 3, 2, b"\0\6\0\6")), 1),
        (exif((274, 3, 2**31, b"\0\0\0\x08")), 1),
        (exif((274, 2, 2, b"6\0\0\0")), 1),
        (exif((274, 99, 1, b"\0\6\0\0")), 1),
        (exif((274, 3, 1, b"\0\6\0\0"), offset=5000), 1),
        (exif((274, 3, 1, b"\0\6\0\0"), n_entries=9), 1),
        (exif()[:9], 1),
        (b"Exif\0\0II*\0", 1),
        (b"", 1),
    ],
)
def test_the_orientation_is_read_where_it_makes_sense(data, orientation):
    assert exif_orientation(data) == orientation
    jpeg = encoded(scene(1), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(data) + 8) + b"Exif\0\0" + data
    upright = open_rgb(jpeg[:2] + segment + jpeg[2:], at_least=96)
    if not data.startswith(b"Exif"):
        assert upright.size == ((72, 96) if orientation > 4 else (96, 72))


def test_chunks_of_a_png_that_are_not_pixels_are_not_looked_at():
    picture = scene(1)
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(picture))
    expected = decode(encoded(picture, "PNG"), FRAMING)
    chunks = {
        b"acTL": struct.pack(">II", 0, 0),  # which Pillow warns of
        b"tEXt": b"no key",
        b"zTXt": b"key\0\0not inflatable",
        b"iCCP": b"name\0\7no profile",
        b"gAMA": b"",
    }
    data = png(picture.size, 8, 2, rows, chunks)
    assert (silently_decoded(data) == expected).all()
    broken = data.replace(b"no key", b"no sum")
    assert (silently_decoded(broken) == expected).all()


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_chunks_of_a_png_that_are_pixels_must_have_their_checksum(kind):
    data = encoded(scene(1), "PNG")
    start = data.index(kind)
    length = int.from_bytes(data[start - 4 : start])
    place = start + 4 + length  # of the checksum
    assert zlib.crc32(data[start:place]) == int.from_bytes(data[place : place + 4])
    changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    with pytest.raises(
        PictureError, match=f"damaged: the checksum of a chunk {kind.decode()} fails"
    ):
        decode(changed, FRAMING)


def test_odd_tags_of_a_tiff_are_not_looked_at():
    values = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    entries = {256: (3, [4]), 257: (3, [4]), 258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3])}
    expected = decode(tiff(entries, [values.tobytes()]), FRAMING)
    for odd in (
        {282: (3, [1, 2, 3, 4])},  # several resolutions
        {305: (4, [2**31] * 9)},  # a name of the software that is numbers
        {34665: (4, [99999])},  # EXIF past the end
        {700: (3, [7])},
        {330: (4, [8, 8])},
    ):
        assert (silently_decoded(tiff({**entries, **odd}, [values.tobytes()])) == expected).all()


@pytest.mark.parametrize("odd", [{258: (1, [8] * 3)}, {277: (3, [3, 3])}, {320: (1, [1, 2, 3])}])
def test_odd_tags_of_the_pixels_are_refused_in_silence(odd):
    entries = {256: (3, [4]), 257: (3, [4]), 258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3])}
    data = tiff({**entries, **odd}, [bytes(48)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(PictureError, match=r"damaged: tag \d+ has \d values"):
            decode(data, FRAMING)
    assert caught == []


def test_broken_exif_of_an_avif_is_not_parsed():
    tags = Image.Exif()
    tags[270] = "a description long enough to lie outside of its entry"
    data = encoded(scene(1), "AVIF", exif=tags)
    start = data.rindex(b"a description") - 26  # of the TIFF header
    assert data[start : start + 4] in (b"II*\0", b"MM\0*")
    broken = data[: start + 8] + b"\x70\x70" + data[start + 10 :]
    with pytest.warns(UserWarning, match="Corrupt EXIF"):  # Pillow's
        Image.open(BytesIO(broken))
    assert (silently_decoded(broken) == decode(data, FRAMING)).all()


def test_the_adobe_segment_of_a_jpeg_tells_the_color_space():
    # What was stored as luma and chroma is to be taken for red, green and blue.
    data = encoded(smooth((64, 48)), "JPEG", quality=95, subsampling=0)
    start, length = data.index(b"\xff\xe0"), 18
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    found = open_rgb(data[:start] + adobe + data[start + length :], at_least=64)
    expected = np.asarray(smooth((64, 48)).convert("YCbCr")).astype(int)
    assert np.abs(np.asarray(found) - expected).mean() < 2
