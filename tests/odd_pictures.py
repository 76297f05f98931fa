"""Writes the folder that people really have: good pictures, odd ones and files that are none.

Everything is made here, from seeds; nothing of the code under test is used but the reasons.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from indexing.errors import RefusalReason
from indexing.records import printable_path

__all__ = [
    "encoded",
    "mean_color",
    "png",
    "scene",
    "smooth",
    "write_bad",
    "write_good",
    "write_odd",
]

Color = tuple[int, int, int]

ORIENTATION = 274
# What each EXIF orientation asks of a viewer, undone: stored = upright through this.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# Formats whose files are cut at every tenth of their length, by extension.
CUT: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": ("JPEG", {}),
    "progressive.jpg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tif": ("TIFF", {}),
    "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
}


def scene(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """Draw a sky, a ground and a few shapes, lightly grained; another seed, another scene."""
    rng = np.random.default_rng(seed)
    top, bottom = rng.integers(40, 216, (2, 3))
    share = np.linspace(0, 1, size[1])[:, None, None]
    pixels = np.broadcast_to(top * (1 - share) + bottom * share, (size[1], size[0], 3))
    grained = np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)
    picture = Image.fromarray(grained)
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        x, y = (int(rng.integers(0, side)) for side in size)
        width, height = (int(rng.integers(side // 8, side // 2)) for side in size)
        color = tuple(int(value) for value in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x - width // 2, y - height // 2, x + width // 2, y + height // 2), fill=color)
    return picture


def smooth(size: tuple[int, int]) -> Image.Image:
    """Draw a gradient in which every corner has a color of its own."""
    x = np.linspace(0, 255, size[0])[None, :]
    y = np.linspace(0, 255, size[1])[:, None]
    channels = np.broadcast_arrays(x, y, (255 - x) * 0.5 + 20)
    return Image.fromarray(np.stack(channels, axis=2).round().astype(np.uint8))


def encoded(picture: Image.Image, format: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def png(
    size: tuple[int, int],
    depth: int,
    color: int,
    rows: bytes,
    chunks: dict[bytes, bytes] | None = None,
) -> bytes:
    """Return a PNG made by hand: `rows` with their filter bytes, further `chunks` before them."""
    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0)
    parts = {b"IHDR": header, **(chunks or {}), b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts.items()
    )


def mean_color(picture: Image.Image) -> Color:
    """Return the mean red, green and blue of an RGB picture."""
    red, green, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0).round().astype(int)
    return int(red), int(green), int(blue)


def write_good(folder: Path, n: int = 200, seed: int = 0) -> list[str]:
    """Write `n` different pictures that have nothing odd about them; return their names."""
    kinds = ("jpg", "JPEG"), ("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")
    names = []
    for i in range(n):
        extension, format = kinds[i % len(kinds)]
        names.append(f"good_{i:03}.{extension}")
        (folder / names[-1]).write_bytes(encoded(scene(1000 * seed + i), format))
    return names


def write_odd(folder: Path) -> dict[str, Color]:
    """Write pictures that are odd but good, and two bad sidecars of good pictures.

    Returns
    -------
    dict of str to tuple of int
        Printable name of each picture to its mean color as people see it.
    """
    expected: dict[str, Color] = {}
    for name, data, color in _odd():
        try:
            (folder / name).write_bytes(data)
        except OSError:  # a file system that takes no name but Unicode
            continue
        expected[printable_path(name)] = color
    (folder / "sidecar_latin.jpg.txt").write_bytes("Café\nété".encode("latin-1"))
    (folder / "sidecar_broken.jpg.json").write_text('{"tags": ["sea"', encoding="utf-8")
    return expected


def _odd() -> Iterator[tuple[str, bytes, Color]]:
    picture = scene(7)
    second = scene(8)
    mean = mean_color(picture)
    gray = np.asarray(picture.convert("L"))
    level = round(float(gray.mean()))
    gray_mean = (level, level, level)
    half = picture.copy()
    half.putalpha(128)
    half_mean = mean_color(Image.blend(Image.new("RGB", picture.size, "white"), picture, 128 / 255))
    jpeg = encoded(picture, "JPEG", quality=90)

    yield "cmyk.jpg", encoded(picture.convert("CMYK"), "JPEG", quality=90), mean
    yield "gray.jpg", encoded(picture.convert("L"), "JPEG"), gray_mean
    yield "progressive.jpg", encoded(picture, "JPEG", progressive=True, quality=90), mean
    yield "restarts.jpg", encoded(picture, "JPEG", restart_marker_rows=1, quality=90), mean
    for orientation, turn in STORED.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        stored = encoded(picture.transpose(turn), "JPEG", exif=exif, quality=90)
        yield f"rotated_{orientation}.jpg", stored, mean
    yield "motion.jpg", jpeg + struct.pack(">I", 24) + b"ftypmp42" + bytes(500), mean
    yield (
        "bad_exif.jpg",
        jpeg[:2] + b"\xff\xe1\x00\x18Exif\0\0II*\0\xff\xff\0\0" + bytes(8) + jpeg[2:],
        mean,
    )
    yield "gray16.png", encoded(Image.fromarray(gray.astype(np.uint16) * 257), "PNG"), gray_mean
    yield "rgb16.png", _png16(np.asarray(picture)), mean
    yield "one_bit.png", png((16, 2), 1, 0, b"\0\xff\x00" * 2), (128, 128, 128)
    yield "alpha.png", encoded(half, "PNG"), half_mean
    yield "palette.png", _palette_png(), (255, 128, 128)
    yield "animated.png", encoded(picture, "PNG", save_all=True, append_images=[second]), mean
    frames = [second.quantize(64)]
    flat = picture.quantize(64)
    flat_mean = mean_color(flat.convert("RGB"))
    yield "animated.gif", encoded(flat, "GIF", save_all=True, append_images=frames), flat_mean
    both = {"save_all": True, "append_images": [second], "quality": 90}
    yield "animated.webp", encoded(picture, "WEBP", **both), mean
    yield "float.tif", encoded(Image.fromarray(gray.astype(np.float32) / 255), "TIFF"), gray_mean
    yield "lzw.tif", encoded(picture, "TIFF", compression="tiff_lzw"), mean
    yield "picture.avif", encoded(picture, "AVIF", quality=90), mean
    yield "really_a_png.jpg", encoded(picture, "PNG"), mean
    yield "really_a_jpeg.gif", jpeg, mean
    yield "one_pixel.png", encoded(Image.new("RGB", (1, 1), (9, 99, 199)), "PNG"), (9, 99, 199)
    yield "one_pixel.jpg", encoded(Image.new("RGB", (1, 1), (90, 90, 90)), "JPEG"), (90, 90, 90)
    band = smooth((20000, 20))
    yield "wide.png", encoded(band, "PNG"), mean_color(band)
    yield "high.jpg", encoded(smooth((20, 20000)), "JPEG"), mean_color(smooth((20, 20000)))
    yield os.fsdecode(b"caf\xe9.jpg"), encoded(scene(9), "JPEG", quality=90), mean_color(scene(9))
    for i, name in enumerate(("sidecar_latin.jpg", "sidecar_broken.jpg"), start=10):
        yield name, encoded(scene(i), "JPEG", quality=90), mean_color(scene(i))


def _png16(pixels: NDArray[np.uint8]) -> bytes:
    height, width, _ = pixels.shape
    rows = (pixels.astype(">u2") * 257).astype(">u2").reshape(height, -1)
    return png((width, height), 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def _palette_png() -> bytes:
    """Return half opaque red, half transparent black: on white its mean is (255, 128, 128)."""
    chunks = {b"PLTE": b"\xff\0\0\0\0\0", b"tRNS": b"\xff\0"}
    return png((16, 16), 8, 3, (b"\0" + b"\0" * 8 + b"\1" * 8) * 16, chunks)


def write_bad(folder: Path) -> dict[str, RefusalReason]:
    """Write what must be refused; return printable names and reasons.

    The file without permissions is refused only to those whom permissions bind: not to root.
    """
    expected: dict[str, RefusalReason] = {}
    for name, data, reason in _bad():
        (folder / name).write_bytes(data)
        expected[name] = reason
    (folder / "no_permission.jpg").write_bytes(encoded(scene(7), "JPEG"))
    (folder / "no_permission.jpg").chmod(0)
    expected["no_permission.jpg"] = RefusalReason.NO_PERMISSION
    (folder / "directory.jpg").mkdir()
    expected["directory.jpg"] = RefusalReason.NOT_A_FILE
    (folder / "dangling.jpg").symlink_to("gone.jpg")
    expected["dangling.jpg"] = RefusalReason.VANISHED
    (folder / "loop.jpg").symlink_to("loop.jpg")
    expected["loop.jpg"] = RefusalReason.NOT_A_FILE
    os.mkfifo(folder / "fifo.jpg")
    expected["fifo.jpg"] = RefusalReason.NOT_A_FILE
    return expected


def _bad() -> Iterator[tuple[str, bytes, RefusalReason]]:
    reasons = RefusalReason
    picture = scene(7)
    for extension, (format, options) in CUT.items():
        data = encoded(picture, format, **options)
        for tenth in range(1, 10):
            cut = data[: len(data) * tenth // 10]
            yield f"cut_at_{tenth}_tenths.{extension}", cut, reasons.TRUNCATED
    yield "empty.jpg", b"", reasons.EMPTY
    yield "start_only.jpg", b"\xff\xd8\xff", reasons.TRUNCATED
    yield "text.jpg", "A letter to my sister, été 1998.\n".encode() * 9, reasons.NOT_A_PICTURE
    yield "page.png", b"<!DOCTYPE html>\n<title>404 Not Found</title>", reasons.NOT_A_PICTURE
    yield "archive.webp", b"PK\3\4" + bytes(60), reasons.NOT_A_PICTURE
    yield "zeros.jpg", bytes(4096), reasons.NOT_A_PICTURE
    random = np.random.default_rng(0).bytes(4096)
    yield "random.jpg", b"\x80" + random, reasons.NOT_A_PICTURE
    yield "film.jpg", struct.pack(">I", 24) + b"ftypmp42" + bytes(90), reasons.NOT_A_PICTURE
    yield "photoshop.jpg", b"8BPS\0\1" + bytes(60), reasons.UNREADABLE
    yield "bomb.png", png((60000, 60000), 8, 2, bytes(64)), reasons.TOO_LARGE
    gif = encoded(picture, "GIF")
    yield "bomb.gif", gif[:6] + b"\xff\xff\xff\xff" + gif[10:], reasons.TOO_LARGE
    canvas = b"VP8X" + struct.pack("<II", 10, 0) + b"\xff\xff\xfe" * 2
    webp = b"WEBP" + canvas + encoded(picture, "WEBP")[12:]
    yield "bomb.webp", b"RIFF" + struct.pack("<I", len(webp)) + webp, reasons.TOO_LARGE
    bmp = encoded(picture.quantize(), "BMP")
    huge, packed = struct.pack("<ii", 2**31 - 1, 2**31 - 1), struct.pack("<II", 1, 60)
    yield "bomb.bmp", bmp[:18] + huge + bmp[26:30] + packed + bmp[38:], reasons.TOO_LARGE
    yield "hollow.bmp", bmp[:18] + huge + bmp[26:], reasons.TRUNCATED
    photo = encoded(scene(7, (256, 192)), "JPEG", quality=90)
    middle = len(photo) // 2
    yield "ended_early.jpg", photo[:middle] + b"\xff\xd9", reasons.DAMAGED
    patched = photo[:middle] + random[:2048] + photo[middle + 2048 :]
    yield "overwritten.jpg", patched, reasons.DAMAGED
    still = encoded(picture, "PNG")
    flipped = still[:500] + bytes([still[500] ^ 1]) + still[501:]
    yield "flipped.png", flipped, reasons.DAMAGED
    yield "half_the_rows.png", png((64, 64), 8, 2, (b"\0" + b"\x80" * 192) * 32), reasons.DAMAGED
    yield "not_inflatable.gif", gif[:-600] + bytes(598) + gif[-2:], reasons.DAMAGED
