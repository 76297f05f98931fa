"""Every kind of pixel becomes the RGB that people see; the expectations are worked by hand."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from indexing.pixels import Framing, decode, open_rgb
from tests.odd_pictures import encoded, png, scene

GRAYS = np.array([[0, 17, 64], [128, 200, 255]], np.uint8)


def shown(data):
    """Return the pixels of a small picture as they are, int, (height, width, 3)."""
    return np.asarray(open_rgb(data, at_least=10**4)).astype(int)


def tiff(entries, strips, order="<", big=False):
    """Return a TIFF made by hand: tag -> (type, values), the strips before the directory."""
    types = {1: "B", 3: "H", 4: "I", 5: "I", 16: "Q"}
    head = 16 if big else 8
    offsets, body = [], b""
    for strip in strips:
        offsets.append(head + len(body))
        body += strip
    tags = {**entries, 273: (4, offsets), 279: (4, [len(strip) for strip in strips])}
    records, room, count_code = [], (8, "Q") if big else (4, "I"), "Q" if big else "I"
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}{types[kind]}", *values)
        if len(packed) > room[0]:
            where = head + len(body)
            body += packed
            packed = struct.pack(order + room[1], where)
        record = struct.pack(f"{order}HH{count_code}", tag, kind, len(values))
        records.append(record + packed.ljust(room[0], b"\0"))
    mark = {"<": b"II", ">": b"MM"}[order]
    start = head + len(body)
    if big:
        header = mark + struct.pack(order + "HHHQ", 43, 8, 0, start)
        directory = struct.pack(order + "Q", len(records)) + b"".join(records) + bytes(8)
    else:
        header = mark + struct.pack(order + "HI", 42, start)
        directory = struct.pack(order + "H", len(records)) + b"".join(records) + bytes(4)
    return header + body + directory


def gray_tiff(values, bits, **options):
    height, width = values.shape
    entries = {256: (3, [width]), 257: (3, [height]), 258: (3, [bits]), 262: (3, [1])}
    return tiff({**entries, 277: (3, [1]), 278: (3, [height])}, [values.tobytes()], **options)


def assert_gray(data, expected, tolerance=0):
    assert np.abs(shown(data) - np.asarray(expected, int)[..., None]).max() <= tolerance


def test_sixteen_bit_gray_is_scaled_not_clipped():
    deep = GRAYS.astype(np.uint16) * 257
    assert_gray(encoded(Image.fromarray(deep), "PNG"), GRAYS)
    assert_gray(encoded(Image.fromarray(deep), "TIFF"), GRAYS)
    assert_gray(gray_tiff(deep.astype(">u2"), 16, order=">"), GRAYS)
    assert_gray(gray_tiff(deep, 16, big=True), GRAYS)
    between = np.array([[128, 129, 0x7F80, 0xFF7F]], np.uint16)  # halves round to the nearest
    assert_gray(encoded(Image.fromarray(between), "PNG"), [[0, 1, 127, 255]])


def test_twelve_bit_gray_reaches_white():
    # Two samples in three bytes: 0xFFF and 0x800.
    entries = {256: (3, [2]), 257: (3, [1]), 258: (3, [12]), 262: (3, [1]), 277: (3, [1])}
    assert_gray(tiff(entries, [b"\xff\xf8\x00"]), [[255, 128]], tolerance=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0.0, 0.5, 1.0]], [[0, 128, 255]]),
        ([[0.0, 100.0, 255.0]], [[0, 100, 255]]),
        ([[0.0, 32896.0, 65535.0]], [[0, 128, 255]]),
        ([[-1.0, 0.0, 1.0]], [[0, 128, 255]]),
        ([[1e6, 2e6, 3e6]], [[0, 128, 255]]),
        ([[0.0, np.nan, 1.0]], [[0, 0, 255]]),
        ([[0.0, np.inf, 1.0]], [[0, 255, 255]]),
        ([[7e9, 7e9, 7e9]], [[0, 0, 0]]),
        ([[np.nan, np.nan]], [[0, 0]]),
    ],
)
def test_floating_point_gray_has_the_scale_of_its_largest_value(values, expected):
    picture = Image.fromarray(np.array(values, np.float32))
    assert_gray(encoded(picture, "TIFF"), expected, tolerance=1)


def test_integer_gray_has_the_scale_of_its_largest_value():
    for values, expected in (([[0, 9, 255]], [[0, 9, 255]]), ([[0, 257, 65535]], [[0, 1, 255]])):
        assert_gray(encoded(Image.fromarray(np.array(values, np.int32)), "TIFF"), expected)


def test_the_scale_of_a_picture_holds_in_all_its_bands(monkeypatch):
    monkeypatch.setattr("indexing.pixels.color._BAND_PIXELS", 4)
    values = np.linspace(0, 1000, 60, dtype=np.float32).reshape(20, 3)
    expected = np.rint(values * 255 / 65535)
    assert_gray(encoded(Image.fromarray(values), "TIFF"), expected)


def test_conversion_by_bands_changes_nothing(monkeypatch):
    picture = scene(4, (50, 41)).convert("RGBA")
    picture.putalpha(scene(5, (50, 41)).convert("L"))
    files = [encoded(picture, "PNG"), encoded(picture.convert("LA"), "PNG")]
    files += [
        encoded(picture.convert("RGB").quantize(), "PNG"),
        encoded(picture.convert("1"), "PNG"),
    ]
    whole = [shown(data) for data in files]
    for pixels in (1, 120):
        monkeypatch.setattr("indexing.pixels.color._BAND_PIXELS", pixels)
        for data, expected in zip(files, whole, strict=True):
            assert np.array_equal(shown(data), expected)


def test_sixteen_bit_color_keeps_its_high_bytes():
    samples = np.array([[[0x1234, 0xABCD, 0xFF00], [0x00FF, 0x8000, 0xFFFF]]], ">u2")
    rows = b"\0" + samples.tobytes()
    expected = [[[0x12, 0xAB, 0xFF], [0x00, 0x80, 0xFF]]]
    assert np.array_equal(shown(png((2, 1), 16, 2, rows)), expected)
    entries = {256: (3, [2]), 257: (3, [1]), 258: (3, [16] * 3), 262: (3, [2]), 277: (3, [3])}
    assert np.array_equal(shown(tiff(entries, [samples.tobytes()], order=">")), expected)


@pytest.mark.parametrize("alpha", [0, 51, 128, 255])
def test_transparent_pixels_lie_on_white(alpha):
    color = np.array([200, 100, 0])
    expected = np.rint((color * alpha + 255 * (255 - alpha)) / 255)
    picture = Image.new("RGBA", (3, 2), (*color, alpha))
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        assert np.abs(shown(encoded(picture, format, **options)) - expected).max() <= 1, format
    gray = Image.new("LA", (3, 2), (100, alpha))
    expected_gray = round((100 * alpha + 255 * (255 - alpha)) / 255)
    assert_gray(encoded(gray, "PNG"), np.full((2, 3), expected_gray), tolerance=1)
    assert_gray(encoded(gray, "TIFF"), np.full((2, 3), expected_gray), tolerance=1)


def test_transparent_palette_entries_lie_on_white():
    chunks = {b"PLTE": bytes([255, 0, 0, 0, 0, 255, 9, 9, 9]), b"tRNS": bytes([255, 128])}
    data = png((3, 1), 8, 3, b"\0\0\1\2", chunks)
    assert np.abs(shown(data) - [[[255, 0, 0], [127, 127, 255], [9, 9, 9]]]).max() <= 1
    palette = Image.new("P", (3, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255, 9, 9, 9])
    palette.putdata([0, 1, 2])
    found = shown(encoded(palette, "GIF", transparency=1))
    assert np.array_equal(found, [[[255, 0, 0], [255, 255, 255], [9, 9, 9]]])


@pytest.mark.parametrize(
    ("depth", "color", "row", "key", "expected"),
    [
        (8, 0, [10, 20], [10], [[[255] * 3, [20] * 3]]),
        (16, 0, [0, 10, 0, 20], [10], [[[255] * 3, [0] * 3]]),
        (2, 0, [0b01100000], [1], [[[255] * 3, [170] * 3]]),
        (1, 0, [0b01000000], [1], [[[0] * 3, [255] * 3]]),
        (8, 2, [1, 2, 3, 1, 2, 4], [1, 2, 3], [[[255] * 3, [1, 2, 4]]]),
        (16, 2, [1, 9, 2, 9, 3, 9, 1, 9, 2, 9, 4, 9], [265, 521, 777], [[[255] * 3, [1, 2, 4]]]),
    ],
)
def test_the_transparent_color_of_a_png_is_white(depth, color, row, key, expected):
    chunk = struct.pack(f">{len(key)}H", *key)
    data = png((2, 1), depth, color, b"\0" + bytes(row), {b"tRNS": chunk})
    assert np.array_equal(shown(data), expected)


@pytest.mark.parametrize(
    ("format", "mode", "tolerance"),
    [
        ("JPEG", "CMYK", 8),
        ("TIFF", "CMYK", 0),
        ("TIFF", "LAB", 16),
        ("TIFF", "P", 0),
        ("BMP", "P", 0),
    ],
)
def test_other_color_spaces_show_the_same_colors(format, mode, tolerance):
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[30, 60, 200], [255, 255, 255]]], np.uint8)
    picture = Image.fromarray(np.kron(colors, np.ones((16, 16, 1), np.uint8)))
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    else:
        converted = picture.quantize(4) if mode == "P" else picture.convert(mode)
    options = {"quality": 95} if format == "JPEG" else {}
    found = shown(encoded(converted, format, **options))
    assert np.abs(found - np.asarray(picture)).max() <= tolerance


def test_one_bit_pictures_are_black_and_white():
    bits = Image.fromarray(np.array([[0, 255, 255, 0]], np.uint8)).convert("1")
    for format, options in (("PNG", {}), ("BMP", {}), ("TIFF", {"compression": "group4"})):
        assert_gray(encoded(bits, format, **options), [[0, 255, 255, 0]])


def test_tiles_and_separate_planes_are_read():
    values = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    entries = {256: (3, [4]), 257: (3, [4]), 258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3])}
    planes = [values[..., c].tobytes() for c in range(3)]
    found = shown(tiff({**entries, 278: (3, [4]), 284: (3, [2])}, planes))
    assert np.array_equal(found, values)
    strips = [values[:3].tobytes(), values[3:].tobytes()]
    assert np.array_equal(shown(tiff({**entries, 278: (3, [3])}, strips)), values)
    packed = zlib.compress(values.tobytes())
    found = shown(tiff({**entries, 278: (4, [2**32 - 1]), 259: (3, [8])}, [packed]))
    assert np.array_equal(found, values)


def test_of_a_moving_picture_the_first_one_is_taken():
    first, second = scene(1), scene(2)
    more = {"save_all": True, "append_images": [second]}
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        found = shown(encoded(first, format, **more, **options))
        assert np.array_equal(found, np.asarray(first)), format
    flat = first.quantize(32)
    data = encoded(flat, "GIF", save_all=True, append_images=[second.quantize(32)])
    assert np.array_equal(shown(data), np.asarray(flat.convert("RGB")))


def test_colors_survive_the_way_to_the_square():
    picture = Image.new("RGBA", (40, 30), (10, 20, 30, 0))
    square = decode(encoded(picture, "PNG"), Framing(size=16))
    assert square.min() == 255
