"""Framing, orientation, reduced-size decoding and manners of indexing.pixels."""

import io
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from indexing.errors import InputError
from indexing.pixels import DecodeLimits, Framing, Resample, decode, open_rgb
from tests.odd_pictures import ORIENTATION, STORED, encoded, png, scene, smooth, write_odd

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


def cubic(x):
    """Keys' kernel with a = -1/2."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def linear(x):
    return max(0.0, 1 - abs(x))


KERNELS = {Resample.BICUBIC: (cubic, 2.0), Resample.BILINEAR: (linear, 1.0)}


def weights(n_in, start, stop, n_out, resample):
    """Resampling as a matrix: the kernel at each input pixel, stretched where it shrinks."""
    kernel, support = KERNELS[resample]
    step = (stop - start) / n_out
    stretch = max(step, 1.0)
    matrix = np.zeros((n_out, n_in))
    for i in range(n_out):
        center = start + (i + 0.5) * step
        for j in range(n_in):
            if abs(j + 0.5 - center) < support * stretch:
                matrix[i, j] = kernel((j + 0.5 - center) / stretch)
        matrix[i] /= matrix[i].sum()
    return matrix


def framed(pixels, size, trim, resample=Resample.BICUBIC):
    """The definition of Framing, in double precision."""
    height, width, _ = pixels.shape
    excess = abs(width - height)
    cut_x = trim * excess / 2 if width > height else 0
    cut_y = trim * excess / 2 if height > width else 0
    rows = weights(height, cut_y, height - cut_y, size, resample)
    columns = weights(width, cut_x, width - cut_x, size, resample)
    # The columns come first, and are rounded, as in Pillow: where kernels overshoot it matters.
    wide = np.clip(np.einsum("yxc,ix->yic", pixels.astype(float), columns).round(), 0, 255)
    return np.clip(np.einsum("yic,jy->jic", wide, rows), 0, 255)


@pytest.mark.parametrize("resample", list(Resample))
@pytest.mark.parametrize("trim", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("size", [(61, 40), (40, 61), (33, 33), (5, 90), (1, 1)])
def test_decode_is_the_trimmed_picture_resampled(size, trim, resample):
    picture = scene(3, (64, 96)).crop((0, 0, *size))
    square = decode(encoded(picture, "PNG"), Framing(size=24, trim=trim, resample=resample))
    expected = framed(np.asarray(picture), 24, trim, resample)
    assert np.abs(square - expected).max() <= 1.5  # rounded twice, in Pillow and here


@pytest.mark.parametrize("size", [(20000, 20), (20, 20000)])
def test_a_very_long_picture_keeps_its_ends(size):
    square = decode(encoded(smooth(size), "PNG"), Framing(size=64, trim=0)).astype(int)
    assert np.abs(square - framed(np.asarray(smooth((64, 64))), 64, 0)).max() <= 6


def test_the_excess_is_cut_evenly_at_both_ends():
    assert Framing(size=10, trim=0.5).box(192, 128) == (16, 0, 176, 128)
    assert Framing(size=10, trim=0).box(192, 128) == (0, 0, 192, 128)
    assert Framing(size=10, trim=1).box(128, 193) == (0, 32.5, 128, 160.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0; 1 to 4096"),
        ({"size": 9, "trim": 1.5}, "trim is 1.5; 0 to 1"),
        ({"size": 9, "trim": -0.1}, "trim is -0.1; 0 to 1"),
        ({"size": 9, "trim": float("nan")}, "trim is nan"),
    ],
)
def test_framing_takes_only_what_makes_sense(arguments, message):
    with pytest.raises(InputError, match=message):
        Framing(**arguments)


def test_limits_and_sizes_count_from_one():
    with pytest.raises(InputError, match="max_decoded_pixels is 0"):
        DecodeLimits(max_decoded_pixels=0)
    with pytest.raises(InputError, match="at_least is 0"):
        open_rgb(encoded(scene(1), "PNG"), at_least=0)


def test_the_array_is_owned_writable_and_contiguous():
    square = decode(encoded(scene(1), "JPEG"), Framing(size=30))
    assert square.shape == (30, 30, 3)
    assert square.dtype == np.uint8
    assert square.flags.c_contiguous
    assert square.flags.owndata
    assert square.flags.writeable


@pytest.mark.parametrize("orientation", sorted(STORED))
@pytest.mark.parametrize("format", sorted(LOSSLESS))
def test_pictures_are_turned_upright(format, orientation):
    upright = scene(5, (50, 31))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(upright.transpose(STORED[orientation]), format, exif=exif, **LOSSLESS[format])
    framing = Framing(size=40)
    expected = decode(encoded(upright, "PNG"), framing).astype(int)
    assert np.abs(decode(data, framing) - expected).max() <= 1
    assert np.array_equal(open_rgb(data, at_least=10), upright)


@pytest.mark.parametrize("orientation", sorted(STORED))
@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_lossy_pictures_are_turned_upright(format, orientation):
    upright = smooth((64, 48))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(upright.transpose(STORED[orientation]), format, exif=exif, quality=95)
    picture = open_rgb(data, at_least=10**4)
    assert picture.size == upright.size
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(upright)).mean() < 3


def test_large_jpegs_are_decoded_at_reduced_size():
    picture = smooth((1600, 1201))
    data = encoded(picture, "JPEG", quality=95)
    sizes = {n: open_rgb(data, at_least=n).size for n in (1, 150, 151, 300, 600, 601, 1201, 5000)}
    assert sizes[1] == sizes[150] == (200, 151)
    assert sizes[151] == sizes[300] == (400, 301)
    assert sizes[600] == (800, 601)
    assert sizes[601] == sizes[1201] == sizes[5000] == (1600, 1201)


def test_reduced_size_decoding_looks_the_same():
    picture = scene(11, (1203, 901))
    framing = Framing(size=100)
    reduced = decode(encoded(picture, "JPEG", quality=95), framing).astype(float)
    full = decode(encoded(picture, "PNG"), framing).astype(float)
    assert open_rgb(encoded(picture, "JPEG"), at_least=100).size == (151, 113)
    signal_to_noise = 10 * np.log10(255**2 / np.mean((reduced - full) ** 2))
    assert signal_to_noise > 35


def test_what_is_shown_of_an_odd_picture_is_what_it_shows(tmp_path):
    for name, expected in write_odd(tmp_path).items():
        path = tmp_path / name
        if not path.exists():  # a name that is not Unicode is listed by its printable form
            continue
        square = decode(path.read_bytes(), Framing(size=96, trim=0))
        found = square.reshape(-1, 3).mean(axis=0)
        assert np.abs(found - expected).max() < 3, name


def test_threads_do_not_disturb_one_another(monkeypatch):
    # Half of them as if they were large, so that the lock is taken too.
    monkeypatch.setattr("indexing.pixels.decoding._LARGE_BYTES", 96 * 72 * 4)
    formats = [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {})]
    formats += [("GIF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("AVIF", {})]
    files = [encoded(scene(i), format, **more) for i, (format, more) in enumerate(formats)]
    framing = Framing(size=48)
    expected = [decode(data, framing) for data in files]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: decode(files[i % len(files)], framing), range(140)))
    for i, square in enumerate(found):
        assert np.array_equal(square, expected[i % len(files)])


def test_large_decodings_run_one_at_a_time(monkeypatch):
    monkeypatch.setattr("indexing.pixels.decoding._LARGE_BYTES", 1)
    inside, most, guard = 0, 0, threading.Lock()
    convert = sys.modules["indexing.pixels.decoding"].to_rgb

    def watched(picture, gray_max):
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.005)
        with guard:
            inside -= 1
        return convert(picture, gray_max)

    monkeypatch.setattr("indexing.pixels.decoding.to_rgb", watched)
    data = encoded(scene(1), "PNG")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decode(data, Framing(size=20)), range(12)))
    assert most == 1
    monkeypatch.setattr("indexing.pixels.decoding._LARGE_BYTES", 10**9)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decode(data, Framing(size=20)), range(12)))
    assert most > 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "GIF", "BMP"])
def test_an_embedding_application_keeps_its_settings_and_hears_nothing(format, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # 72 x 96 is a "bomb" to Pillow now
    data = encoded(scene(2), format)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decode(data, Framing(size=20))
    assert caught == []
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_a_blank_picture_is_not_mistaken_for_a_damaged_one():
    black = Image.new("RGB", (300, 200))
    for format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        assert decode(encoded(black, format), Framing(size=20)).max() == 0
    flat = encoded(black, "JPEG", optimize=True)
    assert decode(flat, Framing(size=20)).max() == 0
    interlaced = io.BytesIO()
    black.save(interlaced, "PNG", optimize=True)
    assert decode(interlaced.getvalue(), Framing(size=20)).max() == 0


def test_importing_and_decoding_a_jpeg_loads_no_other_format():
    program = (
        "import sys; import indexing.pixels;"
        "print(*sorted(m for m in sys.modules if m.endswith('ImagePlugin')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) == {"PIL.JpegImagePlugin", "PIL.PngImagePlugin"}


def test_a_picture_one_pixel_wide_is_not_widened_at_its_full_height():
    pytest.importorskip("resource")
    program = """
import resource, sys
from indexing.pixels import Framing, decode
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
square = decode(data, Framing(size=260, trim=0))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(square.min(), square.max(), grown < 2 * before)
"""
    # A gigabyte at the full height, against 20 MB of pixels and pointers to rows.
    narrow = png((1, 1_000_000), 8, 0, b"\0\x55" * 1_000_000)
    result = subprocess.run(
        [sys.executable, "-c", program], input=narrow, capture_output=True, check=True
    )
    assert result.stdout.split() == [b"85", b"85", b"True"]
