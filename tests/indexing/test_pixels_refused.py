"""Files that are no whole picture are refused, with the right reason, and nothing else happens."""

import contextlib
import os
import random
import re
import socket
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, PngImagePlugin

from indexing.errors import PictureError, RefusalReason
from indexing.pixels import DecodeLimits, Framing, decode, open_rgb, read_picture
from tests.indexing.test_pixels_colors import tiff
from tests.odd_pictures import CUT, encoded, png, scene, smooth, write_bad

FRAMING = Framing(size=24)
FILES = {
    **{kind: encoded(scene(1), format, **options) for kind, (format, options) in CUT.items()},
    "cmyk.jpg": encoded(scene(1).convert("CMYK"), "JPEG"),
    "restarts.jpg": encoded(scene(1), "JPEG", restart_marker_rows=1),
    "alpha.png": encoded(scene(1).convert("RGBA"), "PNG"),
    "palette.png": encoded(scene(1).quantize(16), "PNG", transparency=3),
    "gray16.png": encoded(
        Image.fromarray(np.asarray(scene(1).convert("L")).astype("u2") * 257), "PNG"
    ),
    "animated.png": encoded(scene(1), "PNG", save_all=True, append_images=[scene(2)]),
    "lossless.webp": encoded(scene(1), "WEBP", lossless=True),
    "animated.webp": encoded(scene(1), "WEBP", save_all=True, append_images=[scene(2)]),
    "animated.gif": encoded(scene(1), "GIF", save_all=True, append_images=[scene(2)]),
    "palette.bmp": encoded(scene(1).quantize(16), "BMP"),
    "deflate.tif": encoded(scene(1), "TIFF", compression="tiff_deflate"),
    "packbits.tif": encoded(scene(1), "TIFF", compression="packbits"),
    "big.tif": encoded(scene(1), "TIFF", big_tiff=True),
    "picture.avif": encoded(scene(1), "AVIF"),
}


def refusal(data, **arguments):
    """Return the error that decoding raises; fail on a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(PictureError) as raised:
            decode(data, FRAMING, **arguments)
    assert caught == []
    return raised.value


def test_every_bad_file_is_refused_for_its_reason(tmp_path):
    expected = write_bad(tmp_path)
    if os.access(tmp_path / "no_permission.jpg", os.R_OK):  # root
        del expected["no_permission.jpg"]
    found = {}
    for name in expected:
        with pytest.raises(PictureError) as raised:
            decode(read_picture(tmp_path / name), FRAMING)
        found[name] = raised.value.reason
    assert found == expected


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_file_whose_end_is_missing_is_truncated(kind):
    data = FILES[kind]
    assert decode(data, FRAMING).std() > 10
    # From where its kind is known; the four bytes at the end of a TIFF or so are not missed.
    for length in range(12, len(data) - 4, max(1, len(data) // 150)):
        assert refusal(data[:length]).reason is RefusalReason.TRUNCATED, length
    if not kind.endswith("tif"):
        assert refusal(data[:-1]).reason is RefusalReason.TRUNCATED


@pytest.mark.parametrize("kind", sorted(FILES))
def test_what_follows_a_picture_is_ignored(kind):
    film = struct.pack(">I", 24) + b"ftypmp42" + bytes(12)
    expected = decode(FILES[kind], FRAMING)
    assert (decode(FILES[kind] + film, FRAMING) == expected).all()
    assert (decode(FILES[kind] + b"\0" * 7, FRAMING) == expected).all()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 2**32))
def test_a_changed_file_is_decoded_or_refused(kind, seed):
    rng = random.Random(seed)
    data = bytearray(FILES[kind])
    for _ in range(rng.choice((1, 2, 8))):
        place = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(120)
        change = rng.choice((0, 1, 2, 3))
        if change == 0:
            data[place] = rng.randrange(256)
        elif change == 1:
            data[place : place + 4] = rng.choice((bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff"))
        elif change == 2:
            del data[place : place + rng.randrange(40)]
        else:
            data[place:place] = rng.randbytes(rng.randrange(20))
    _decoded_or_refused(bytes(data))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"MM\0+", b"BM"]
    ),
    st.binary(max_size=300),
)
def test_random_bytes_are_decoded_or_refused(start, rest):
    _decoded_or_refused(start + rest)


def _decoded_or_refused(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome: object
        try:
            outcome = decode(data, FRAMING).shape
        except PictureError as error:
            outcome = error
    assert caught == []
    if isinstance(outcome, PictureError):
        assert outcome.detail
        assert "\n" not in str(outcome)
    else:
        assert outcome == (24, 24, 3)


def test_damage_inside_a_baseline_jpeg_shows_in_the_length_of_its_data():
    data = encoded(scene(3, (256, 192)), "JPEG", quality=95)
    start, middle = data.index(b"\xff\xda") + 14, len(data) // 2
    assert data[-2:] == b"\xff\xd9"
    ends = [data[:middle], data[: -len(data) // 20], data[:-200]]
    for end in ends:
        assert refusal(end + b"\xff\xd9").detail == "its pixel data ends before the picture does"
        assert refusal(end).reason is RefusalReason.TRUNCATED
    doubled = data[:middle] + data[start:middle] + data[middle:]
    assert refusal(doubled).detail == "the picture ends before its pixel data does"
    marker = refusal(data[:middle] + b"\xff\xd3" + data[middle:])
    assert marker.detail == "its pixel data ends before the picture does"


def test_padding_before_the_end_of_a_jpeg_is_no_damage():
    data = FILES["jpg"]
    expected = decode(data, FRAMING)
    for padding in (b"\0" * 500, b"\xff" * 500, b"\xff\0", b"\0" * 5 + b"\xff" * 9):
        assert (decode(data[:-2] + padding + data[-2:], FRAMING) == expected).all()


def test_a_lost_restart_interval_is_damage():
    data = FILES["restarts.jpg"]
    first, second = (data.index(bytes([0xFF, code])) for code in (0xD1, 0xD2))
    lost = data[:first] + data[second:]
    assert refusal(lost).detail == "restart markers are missing"


def test_a_lenient_application_makes_nobody_lenient(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = FILES["jpg"]
    assert refusal(data[: len(data) // 2] + b"\xff\xd9").reason is RefusalReason.DAMAGED
    for kind in CUT:
        assert refusal(FILES[kind][:-30]).reason is RefusalReason.TRUNCATED


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_missing_rows_of_a_png_are_damage(depth, interlaced):
    row = b"\0" + b"\x55" * (30 * depth // 8)
    data = png((30, 39), depth, 0, row * 39)
    if interlaced:
        header = data[12:28] + b"\1"
        passes = [(4, 5), (4, 5), (8, 5), (7, 10), (15, 10), (15, 20), (30, 19)]
        rows = b"".join((b"\0" + b"\x55" * (w * depth // 8)) * h for w, h in passes)
        data = png((30, 39), depth, 0, rows)
        data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    assert (decode(data, FRAMING) == 0x55).all()
    body = zlib.decompress(data[41:-16])
    short = png((30, 39), depth, 0, body[: -len(row)])
    if interlaced:
        short = short[:12] + header + struct.pack(">I", zlib.crc32(header)) + short[33:]
    assert re.match(f"pixels are missing: .* of {len(body)} bytes", refusal(short).detail)


def test_missing_strips_of_a_tiff_are_damage():
    entries = {256: (3, [4]), 257: (3, [6]), 258: (3, [8]), 262: (3, [1]), 278: (3, [2])}
    strips = [b"\x44" * 8] * 3
    assert (decode(tiff(entries, strips), FRAMING) == 0x44).all()
    assert refusal(tiff(entries, strips[:2])).detail == "2 of 3 strips or tiles have a place"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_header_pixels": 96 * 72 - 1}, "96 x 72 pixels: .* megapixels; at most"),
        ({"max_decoded_pixels": 96 * 72 - 1}, "96 x 72 pixels: .* megapixels to decode"),
        ({"max_working_bytes": 96 * 72 * 4}, "96 x 72 pixels: .* MB of memory to decode"),
    ],
)
def test_a_picture_over_a_limit_is_too_large(limits, message):
    for kind, data in FILES.items():
        with pytest.raises(PictureError) as raised:
            open_rgb(data, at_least=96, limits=DecodeLimits(**limits))
        assert raised.value.reason is RefusalReason.TOO_LARGE, kind
        assert re.match(message, raised.value.detail)


def test_reduced_size_decoding_takes_what_would_be_too_large():
    data = encoded(smooth((800, 600)), "JPEG")
    limits = DecodeLimits(max_decoded_pixels=100 * 75)
    decode(data, FRAMING, limits)
    with pytest.raises(PictureError, match="too large"):
        open_rgb(data, at_least=300, limits=limits)


def test_the_coefficients_of_a_progressive_jpeg_count():
    # 800 x 600 in 4:2:0 is 1.5 samples a pixel of 2 bytes, whatever the size decoded.
    limits = DecodeLimits(max_working_bytes=800 * 600 * 3)
    decode(encoded(smooth((800, 600)), "JPEG"), FRAMING, limits)
    progressive = encoded(smooth((800, 600)), "JPEG", progressive=True)
    assert refusal(progressive, limits=limits).reason is RefusalReason.TOO_LARGE


def test_a_bomb_is_refused_before_it_reaches_the_decoder(monkeypatch):
    opened = []
    monkeypatch.setattr(PngImagePlugin, "PngImageFile", opened.append)
    bomb = png((60000, 60000), 8, 2, bytes(100))
    assert refusal(bomb).detail.startswith("60000 x 60000 pixels: 3,600 megapixels")
    assert opened == []


def test_memory_for_the_rows_of_a_very_high_picture_counts():
    high = png((1, 60_000_000), 8, 2, bytes(100))
    assert refusal(high).reason is RefusalReason.TOO_LARGE


def test_a_jpeg_of_hundreds_of_scans_is_refused():
    data = FILES["progressive.jpg"]
    scan = data[data.index(b"\xff\xda") : data.index(b"\xff\xc4", data.index(b"\xff\xda"))]
    error = refusal(data[:-2] + scan * 300 + data[-2:])
    assert error.reason is RefusalReason.UNREADABLE
    assert "scans" in error.detail


def heic():
    """The boxes of a HEIC file, without pixels."""
    size = struct.pack(">I4sIII", 20, b"ispe", 0, 640, 480)
    meta = struct.pack(">I4sI", 12 + len(size), b"meta", 0) + size
    kind = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic")
    return kind + meta + struct.pack(">I4s", 72, b"mdat") + bytes(64)


def test_heic_without_its_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refusal(heic())
    assert error.reason is RefusalReason.UNREADABLE
    assert "pip install 'tag-engine[heic]'" in error.detail
    assert refusal(heic()[:-1]).reason is RefusalReason.TRUNCATED


def test_heic_is_read_where_its_package_is_installed():
    package = pytest.importorskip("pillow_heif")
    package.register_heif_opener()
    picture = smooth((64, 48))
    found = open_rgb(encoded(picture, "HEIF", quality=95), at_least=10)
    assert found.mode == "RGB"
    assert found.size == (64, 48)


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        (b"", "empty", "0 bytes"),
        (b"hello, I am no picture at all", "not a picture", "text"),
        ("été à la plage, juillet 1998".encode(), "not a picture", "text"),
        (b" <HTML><body>Sign in</body></html>", "not a picture", "HTML"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", "unreadable", "SVG; JPEG, PNG"),
        (b"%PDF-1.7 ..........................", "not a picture", "a PDF document"),
        (b"RIFF\x24\0\0\0WAVEfmt ................", "not a picture", "a film or sound"),
        (b"BM and other letters that are text", "not a picture", "text"),
        (b"\0\0\0\x0cjP  \r\n\x87\n................", "unreadable", "JPEG 2000; JPEG, PNG"),
        (b"\x89PNG\n\x1a\n\0\0\0\rIHDR..............", "damaged", "a PNG signature changed"),
        (
            b"\xff\xd8\xff\xc3\0\x0b\x08\0\x10\0\x10\1\1\x11\0...............",
            "unreadable",
            "a lossless",
        ),
        (
            b"\xff\xd8\xff\xc0\0\x0b\x0c\0\x10\0\x10\1\1\x11\0...............",
            "unreadable",
            "a JPEG of 12 bits",
        ),
    ],
)
def test_other_files_are_named(data, reason, detail):
    error = refusal(data)
    assert error.reason == reason
    assert error.detail.startswith(detail)


def test_reading_stops_at_the_limit(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch()
    with pytest.raises(PictureError, match="empty: 0 bytes"):
        read_picture(path)
    path.write_bytes(bytes(1000))
    assert read_picture(path, DecodeLimits(max_file_bytes=1000)) == bytes(1000)
    with pytest.raises(PictureError, match="too large"):
        read_picture(path, DecodeLimits(max_file_bytes=999))


def test_files_without_a_size_are_read_to_their_end():
    path = Path("/proc/self/mounts")  # regular, and of 0 bytes as far as stat knows
    if not path.exists():
        pytest.skip("no /proc here")
    assert read_picture(path).endswith(b"\n")
    with pytest.raises(PictureError, match="too large"):
        read_picture(path, DecodeLimits(max_file_bytes=2))


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(str(tmp_path / "socket.jpg"))
        except OSError:
            pytest.skip("the path is too long for a socket")
        with pytest.raises(PictureError, match="not a regular file"):
            read_picture(tmp_path / "socket.jpg")
    with pytest.raises(PictureError, match="not a regular file: a character device"):
        read_picture("/dev/null")
    with pytest.raises(PictureError, match="vanished: No such file"):
        read_picture(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match=r"unreadable: .*null"):
        read_picture("a\0b")
    with pytest.raises(PictureError, match="unreadable: File name too long"):
        read_picture(tmp_path / ("a" * 300))


def test_reading_leaves_no_descriptor_open(tmp_path):
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("no /proc here")
    write_bad(tmp_path)
    before = len(list(descriptors.iterdir()))
    for path in sorted(tmp_path.iterdir()):
        with contextlib.suppress(PictureError):
            read_picture(path)
    assert len(list(descriptors.iterdir())) == before


def test_a_picture_that_memory_does_not_suffice_for_is_too_large(monkeypatch):
    def exhausted(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", exhausted)
    assert refusal(FILES["png"]).reason is RefusalReason.TOO_LARGE
