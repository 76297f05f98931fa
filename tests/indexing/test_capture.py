"""When a picture was taken and with what: against what Pillow writes."""

import io

import numpy as np
import pytest
from PIL import Image

from indexing.pixels import Capture, capture_of


def jpeg(make="", model="Nokia 3310", taken="2004:02:29 23:59:58", fraction=None, kind="JPEG"):
    exif = Image.Exif()
    if make:
        exif[271] = make
    if model:
        exif[272] = model
    details = exif.get_ifd(0x8769)
    if taken:
        details[36867] = taken
    if fraction is not None:
        details[37521] = fraction
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind, exif=exif)
    return file.getvalue()


def test_camera_and_time_are_read():
    first = capture_of(jpeg())
    assert first.camera == "Nokia 3310"
    later = capture_of(jpeg(taken="2004:03:01 00:00:03", fraction="25"))
    assert later.seconds - first.seconds == pytest.approx(5.25)
    assert capture_of(jpeg(make="ACME")) == Capture("ACME Nokia 3310", first.seconds)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        jpeg(model=""),
        jpeg(taken=""),
        jpeg(taken="0000:00:00 00:00:00"),
        jpeg(taken="yesterday"),
        jpeg(kind="PNG"),
    ],
)
def test_what_does_not_say_both_says_nothing(data):
    assert capture_of(data) is None


def test_damaged_data_say_nothing_and_stop_nothing():
    whole = jpeg(make="ACME", fraction="25")
    draws = np.random.default_rng(0)
    head = whole.index(b"\xff\xdb")
    for _ in range(2_000):
        broken = bytearray(whole)
        for place in draws.integers(2, head, 3):
            broken[place] = draws.integers(256)
        capture_of(bytes(broken[: draws.integers(4, len(broken))]))
