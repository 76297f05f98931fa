"""Keywords inside picture files: written by Pillow or by hand, read back from the bytes."""

import io
import re
import xml.etree.ElementTree as ET
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from indexing.errors import InputError
from indexing.keywords import embedded_keywords, xmp_subjects
from indexing.tags import merge_tags

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = "http://purl.org/dc/elements/1.1/"
UTF8_MARK = b"\x1c\x01\x5a\x00\x03\x1b%G"


def packet(body: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" xmlns:dc="{DC}" {attributes}>{body}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def bag(*items: str, kind: str = "Bag") -> str:
    listed = "".join(f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<dc:subject><rdf:{kind}>{listed}</rdf:{kind}></dc:subject>"


def iptc(*keywords: bytes, mark: bytes = b"") -> bytes:
    datasets = b"".join(
        b"\x1c\x02\x19" + len(keyword).to_bytes(2) + keyword for keyword in keywords
    )
    return mark + b"\x1c\x02\x05\x00\x05Title" + datasets + b"\x1c\x02\x78\x00\x01x"


def photoshop(block: bytes) -> bytes:
    """Return three of Photoshop's resources, the middle one of which holds IPTC."""

    def resource(number: int, name: bytes, data: bytes) -> bytes:
        named = bytes([len(name)]) + name
        named += b"\0" * (len(named) % 2)
        padded = data + b"\0" * (len(data) % 2)
        return b"8BIM" + number.to_bytes(2) + named + len(data).to_bytes(4) + padded

    return resource(0x03E9, b"", b"odd") + resource(0x0404, b"ab", block) + resource(1, b"c", b"")


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def jpeg(*segments: bytes) -> bytes:
    """Return a small JPEG with more segments right after its first marker."""
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8)).save(file, "JPEG")
        return b"\xff\xd8" + b"".join(segments) + file.getvalue()[2:]


def jpeg_iptc(*keywords: bytes, mark: bytes = b"") -> bytes:
    block = photoshop(iptc(*keywords, mark=mark))
    return jpeg(segment(0xED, b"Photoshop 3.0\0" + block))


def jpeg_xmp(data: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + data)


def saved(format: str, xmp: bytes) -> bytes:
    image = Image.new("RGB", (8, 8))
    options: dict[str, object] = {"xmp": xmp}
    if format == "PNG":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())  # type: ignore[attr-defined]
    elif format == "TIFF":
        directory = ImageFileDirectory_v2()
        directory[700] = xmp
        directory.tagtype[700] = 1
        options = {"tiffinfo": directory}
    with io.BytesIO() as file:
        image.save(file, format, **options)
        return file.getvalue()


def gif(xmp: bytes) -> bytes:
    with io.BytesIO() as file:
        Image.new("P", (8, 8)).save(file, "GIF")
        data = file.getvalue()
    extension = b"\x21\xff\x0bXMP DataXMP" + xmp + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return data[:-1] + extension + data[-1:]


def tiff(order: str, tag: int, kind: int, count: int, block: bytes) -> bytes:
    """Return a TIFF of two entries, of which the second points at a block behind them."""
    little = order == "II"

    def number(value: int, n_bytes: int) -> bytes:
        return value.to_bytes(n_bytes, "little" if little else "big")

    width = number(256, 2) + number(3, 2) + number(1, 4) + number(8, 2) + b"\0\0"
    entry = number(tag, 2) + number(kind, 2) + number(count, 4) + number(38, 4)
    head = order.encode() + number(42, 2) + number(8, 4)
    return head + number(2, 2) + width + entry + number(0, 4) + block


SUBJECTS = packet(bag("beach", "Café, bar"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_xmp_that_pillow_wrote(format: str) -> None:
    assert embedded_keywords(saved(format, SUBJECTS)) == ("beach", "Café, bar")
    assert embedded_keywords(saved(format, packet("<dc:title>x</dc:title>"))) is None
    assert embedded_keywords(saved(format, packet(bag()))) == ()


def test_xmp_of_a_gif() -> None:
    assert embedded_keywords(gif(SUBJECTS)) == ("beach", "Café, bar")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP"])
def test_a_picture_without_keywords(format: str) -> None:
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8)).save(file, format)
        assert embedded_keywords(file.getvalue()) is None


def test_compressed_xmp_of_a_png() -> None:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", SUBJECTS.decode(), lang="x", tkey="y", zip=True)
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
        data = file.getvalue()
    assert b"beach" not in data
    assert embedded_keywords(data) == ("beach", "Café, bar")


def test_a_compressed_bomb_is_not_blown_up() -> None:
    xmp = packet("<dc:title>" + " " * (8 << 20) + "</dc:title>" + bag("sea"))
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
        assert embedded_keywords(file.getvalue()) is None


def test_xmp_after_the_pixels_of_a_png() -> None:
    with io.BytesIO() as file:
        Image.new("RGB", (8, 8)).save(file, "PNG")
        data = file.getvalue()
    chunk = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + SUBJECTS
    chunk = (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    end = data.index(b"IEND") - 4
    assert embedded_keywords(data[:end] + chunk + data[end:]) == ("beach", "Café, bar")
    assert embedded_keywords(data + chunk) is None


def test_an_odd_webp_chunk_before_the_xmp() -> None:
    chunks = b"EXIF\x03\0\0\0odd\0" + b"XMP " + len(SUBJECTS).to_bytes(4, "little") + SUBJECTS
    data = b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
    assert embedded_keywords(data) == ("beach", "Café, bar")


def test_iptc_keywords_agree_with_pillow() -> None:
    data = jpeg_iptc(b"beach", b"Sea, blue", "été".encode(), mark=UTF8_MARK)
    info = IptcImagePlugin.getiptcinfo(Image.open(io.BytesIO(data)))
    assert info is not None
    raw = info[(2, 25)]
    assert isinstance(raw, list)
    assert embedded_keywords(data) == tuple(keyword.decode() for keyword in raw)
    assert embedded_keywords(data) == ("beach", "Sea, blue", "été")


@pytest.mark.parametrize(
    ("keyword", "mark", "expected"),
    [
        ("été".encode(), b"", "été"),
        ("été".encode("latin-1"), b"", "été"),
        ("été".encode("latin-1"), b"\x1c\x01\x5a\x00\x03\x1b.A", "été"),
        (b"se" + "é".encode()[:1], UTF8_MARK, "se"),  # cut inside a character
        (b"sea\0\0", b"", "sea"),
    ],
)
def test_iptc_characters(keyword: bytes, mark: bytes, expected: str) -> None:
    assert embedded_keywords(jpeg_iptc(keyword, mark=mark)) == (expected,)


def test_iptc_without_a_keyword_says_nothing() -> None:
    assert embedded_keywords(jpeg_iptc()) is None
    assert embedded_keywords(jpeg_iptc(b"", b" \0")) is None


def test_iptc_over_two_segments() -> None:
    block = photoshop(iptc(b"beach", b"sea"))
    cut = block.index(b"beach") + 2
    parts = [segment(0xED, b"Photoshop 3.0\0" + part) for part in (block[:cut], block[cut:])]
    assert embedded_keywords(jpeg(*parts)) == ("beach", "sea")


def test_iptc_stops_at_a_dataset_that_is_cut() -> None:
    block = iptc(b"beach", b"sea")
    cut = block[: block.index(b"sea") + 2]
    assert embedded_keywords(jpeg(segment(0xED, b"Photoshop 3.0\0" + photoshop(cut)))) == ("beach",)


@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize(
    ("tag", "kind", "n_bytes", "block"),
    [
        (700, 1, 1, SUBJECTS),
        (700, 7, 1, SUBJECTS),
        (33723, 4, 4, iptc(b"beach", "Café, bar".encode())),
        (33723, 7, 1, iptc(b"beach", "Café, bar".encode())),
        (34377, 1, 1, photoshop(iptc(b"beach", "Café, bar".encode()))),
    ],
)
def test_blocks_of_a_tiff(order: str, tag: int, kind: int, n_bytes: int, block: bytes) -> None:
    block += b"\0" * (-len(block) % n_bytes)
    data = tiff(order, tag, kind, len(block) // n_bytes, block)
    assert embedded_keywords(data) == ("beach", "Café, bar")


def test_both_elements_are_merged_and_xmp_comes_first() -> None:
    iptc_segment = segment(0xED, b"Photoshop 3.0\0" + photoshop(iptc(b"BEACH", b"sea")))
    data = jpeg(iptc_segment, jpeg_xmp(packet(bag("Beach", "sand"))))
    assert embedded_keywords(data) == ("Beach", "sand", "sea")


def test_an_explicit_empty_subject_beside_iptc() -> None:
    data = jpeg(jpeg_xmp(packet(bag())))
    assert embedded_keywords(data) == ()
    iptc_segment = segment(0xED, b"Photoshop 3.0\0" + photoshop(iptc(b"sea")))
    assert embedded_keywords(jpeg(iptc_segment, jpeg_xmp(packet(bag())))) == ("sea",)


def test_damaged_xmp_does_not_hide_iptc() -> None:
    iptc_segment = segment(0xED, b"Photoshop 3.0\0" + photoshop(iptc(b"sea")))
    assert embedded_keywords(jpeg(jpeg_xmp(b"<x>"), iptc_segment)) == ("sea",)


def test_fill_bytes_and_markers_without_length_are_stepped_over() -> None:
    data = jpeg(b"\xff\xff\xff\x01", b"\xff\xd0", jpeg_xmp(SUBJECTS + b"\0\0"))
    assert embedded_keywords(data) == ("beach", "Café, bar")


def test_nothing_behind_the_start_of_the_scan_is_read() -> None:
    data = jpeg()
    scan = data.index(b"\xff\xda")
    assert embedded_keywords(data[:scan] + jpeg_xmp(SUBJECTS) + data[scan:]) is not None
    assert embedded_keywords(data + jpeg_xmp(SUBJECTS)) is None
    assert embedded_keywords(jpeg(segment(0xDA, bytes(10)), jpeg_xmp(SUBJECTS))) is None
    assert embedded_keywords(b"\xff\xd8\xff\xd9" + jpeg_xmp(SUBJECTS)) is None


def test_other_segments_are_not_taken_for_keywords() -> None:
    extended = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + SUBJECTS)
    comment = segment(0xFE, b"http://ns.adobe.com/xap/1.0/\0" + SUBJECTS)
    assert embedded_keywords(jpeg(extended, comment)) is None


@pytest.mark.parametrize(
    ("xml", "subjects"),
    [
        (packet(bag("sea", "Sky", "SEA")), ("sea", "Sky")),
        (packet(bag("sea", kind="Seq")), ("sea",)),
        (packet(bag("sea", kind="Alt")), ("sea",)),
        (packet("<dc:subject>sea, sky</dc:subject>"), ("sea", "sky")),
        (packet("", 'dc:subject="sea, sky"'), ("sea", "sky")),
        (packet("<dc:subject/>"), ()),
        (packet(bag("", " ")), ()),
        (packet(bag("R&amp;B", "<![CDATA[a<b]]>", "x&#x20;y")), ("R&B", "a<b", "x y")),
        (packet(bag("<rdf:value>sea</rdf:value>")), ("sea",)),
        (packet(bag("sea") + bag("sky")), ("sea", "sky")),
        (packet(bag("sea")).decode().replace("dc:", "d:").replace("xmlns:dc", "xmlns:d").encode(),
         ("sea",)),
        (packet("<dc:title>sea</dc:title>"), None),
        (packet(bag("sea")).replace(DC.encode(), b"urn:other"), None),
        (packet(f"<dc:relation><rdf:Bag><rdf:li>{bag('its')}</rdf:li></rdf:Bag></dc:relation>"),
         None),
        (b"\xef\xbb\xbf" + packet(bag("sea")), ("sea",)),
        (packet(bag("été")).decode().encode("utf-16"), ("été",)),
        (b'<?xml version="1.0" encoding="rot13"?>' + packet(bag("sea")), ("sea",)),
    ],
)  # fmt: skip
def test_subjects_of_xmp(xml: bytes, subjects: tuple[str, ...] | None) -> None:
    assert xmp_subjects(xml) == subjects


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Z"]), min_size=1), max_size=5
    )
)
def test_subjects_agree_with_another_parser(words: list[str]) -> None:
    root = ET.Element(f"{{{DC}}}subject")
    items = ET.SubElement(root, f"{{{RDF}}}Bag")
    for word in words:
        ET.SubElement(items, f"{{{RDF}}}li").text = word
    xml = ET.tostring(root)
    texts = [item.text or "" for item in ET.fromstring(xml).iter(f"{{{RDF}}}li")]
    assert xmp_subjects(xml) == merge_tags(texts)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (
            b"",
            "not XML (no element found: line 1, column 0); an XMP packet is accepted; "
            "write it anew",
        ),
        (
            b"<a><b></a>",
            "not XML (mismatched tag: line 1, column 8); an XMP packet is accepted; write it anew",
        ),
        (
            b"<a>\xe9</a>",
            "not XML (not well-formed (invalid token): line 1, column 3); an XMP packet is "
            "accepted; write it anew",
        ),
        (
            b'<!DOCTYPE a [<!ENTITY b "sea"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
            "a document type declaration; XMP without one is accepted; remove the DOCTYPE",
        ),
    ],
)
def test_what_is_no_xmp_is_refused(xml: bytes, message: str) -> None:
    with pytest.raises(InputError, match=rf"\A{re.escape(message)}\Z"):
        xmp_subjects(xml)


VALID = [
    *(saved(format, SUBJECTS) for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
    gif(SUBJECTS),
    jpeg_iptc(b"beach", b"sea"),
    tiff("II", 34377, 1, len(photoshop(iptc(b"sea"))), photoshop(iptc(b"sea"))),
]


@given(
    st.sampled_from(VALID),
    st.integers(0, 1 << 12),
    st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), max_size=8),
)
@settings(deadline=None, max_examples=400)
def test_damage_never_raises(data: bytes, cut: int, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data[: cut or None])
    for position, value in changes:
        damaged[position % len(damaged)] = value
    keywords = embedded_keywords(bytes(damaged))
    assert keywords is None or all(isinstance(keyword, str) for keyword in keywords)


@given(
    st.sampled_from([b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF0000WEBP", b"II*\0", b"MM\0*"]),
    st.binary(max_size=200),
)
@settings(deadline=None, max_examples=400)
def test_garbage_never_raises(head: bytes, rest: bytes) -> None:
    assert embedded_keywords(head + rest) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff" * (1 << 22),
        b"\xff\xd8" + b"\xff\x01" * (1 << 21),
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0abcd\0\0\0\0" * (1 << 18),
        b"RIFF\0\0\0\0WEBP" + b"abcd\0\0\0\0" * (1 << 19),
        b"II*\0\x08\0\0\0\xff\xff" + b"\0" * (1 << 20),
        jpeg(*[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\0\0\0\0\0\0\0\0" * 5000)] * 20),
    ],
    ids=["fill", "markers", "chunks", "riff", "entries", "resources"],
)
def test_a_million_parts_cost_no_seconds(data: bytes) -> None:
    assert embedded_keywords(data) is None
