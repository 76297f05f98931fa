"""Keywords that photo programs write into picture files, read without decoding a pixel.

Two elements count: ``dc:subject`` of an XMP packet and the data sets 2:25 (Keywords) of an
IPTC-IIM block. Where a file holds both, their union is taken, XMP first. A container is walked
by its own lengths, so that a JPEG costs a few microseconds whatever its size; only files of
other kinds (GIF, HEIC, AVIF) are searched for ``<x:xmpmeta``, in their first 16 MiB.

Extended XMP (JPEG packets beyond 64 KiB) is not read: the standard keeps ``dc:subject`` in the
main packet unless that alone overflows.

References
----------
Adobe, "XMP Specification Part 3: Storage in Files", 2020.
IPTC, "Information Interchange Model", version 4.2, 2014.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Literal
from xml.parsers import expat

from indexing.errors import InputError
from indexing.tags import merge_tags

__all__ = ["embedded_keywords", "xmp_subjects"]

Block = tuple[Literal["xmp", "iptc", "photoshop"], bytes]

# A picture file has a few dozen parts. A crafted one of a million parts must cost no seconds.
_MAX_PARTS: Final = 65_536
_MAX_BLOCK: Final = 4 << 20  # bytes of one metadata block
_MAX_SCAN: Final = 16 << 20  # bytes searched where the container is not known

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LI: Final = f"{_RDF} li"
_SUBJECT: Final = "http://purl.org/dc/elements/1.1/ subject"

_JPEG_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_PHOTOSHOP: Final = b"Photoshop 3.0\0"
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_XMP: Final = b"XML:com.adobe.xmp\0"
_IPTC_RESOURCE: Final = 0x0404
_IPTC_UTF8: Final = b"\x1b%G"
_TIFF_TYPE_BYTES: Final = {1: 1, 2: 1, 4: 4, 7: 1}  # BYTE, ASCII, LONG, UNDEFINED
_TIFF_BLOCKS: Final[dict[int, Literal["xmp", "iptc", "photoshop"]]] = {
    700: "xmp",
    33723: "iptc",
    34377: "photoshop",
}


def embedded_keywords(data: bytes) -> tuple[str, ...] | None:
    """Return the keywords inside a picture file.

    Never raises, whatever the bytes: a damaged block counts as absent.

    Parameters
    ----------
    data : bytes
        The whole file: JPEG, PNG, WebP, TIFF, GIF, HEIC, AVIF or anything else.

    Returns
    -------
    tuple of str or None
        Merged keywords. None where the file carries neither element; empty only where it
        carries a ``dc:subject`` with nothing in it.

    Examples
    --------
    >>> embedded_keywords(b"no picture at all") is None
    True
    """
    explicit = False
    subjects: list[str] = []
    keywords: list[str] = []
    for kind, block in _blocks(data):
        if kind == "xmp":
            try:
                found = xmp_subjects(block.strip(b"\0"))
            except InputError:
                continue
            explicit |= found is not None
            subjects += found or ()
        elif kind == "iptc":
            keywords += _iptc_keywords(block)
        else:
            for resource in _photoshop_iptc(block):
                keywords += _iptc_keywords(resource)
    merged = merge_tags([*subjects, *keywords])
    return merged if merged or explicit else None


def xmp_subjects(xml: bytes) -> tuple[str, ...] | None:
    """Return the ``dc:subject`` of an XMP packet or sidecar.

    The element may hold an ``rdf:Bag``, ``rdf:Seq`` or ``rdf:Alt`` of ``rdf:li``, or plain text
    separated by commas. The subjects of ingredients (anything inside an ``rdf:li``) are theirs,
    not the picture's.

    Parameters
    ----------
    xml : bytes
        UTF-8, or UTF-16 with a byte order mark, as the XMP standard has it.

    Returns
    -------
    tuple of str or None
        Merged subjects; empty where the element is empty, None where there is none.

    Raises
    ------
    InputError
        If the bytes are no XML, or hold a document type declaration (which XMP has no use for,
        and through which entities could expand without bound).

    Examples
    --------
    >>> xmp_subjects(b'<d xmlns:dc="http://purl.org/dc/elements/1.1/">'
    ...              b'<dc:subject>beach, Sea</dc:subject></d>')
    ('beach', 'Sea')
    """
    reader = _SubjectReader()
    # Named here, or the file's own declaration could choose any codec that Python knows.
    encoding = "utf-16" if xml.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    parser = expat.ParserCreate(encoding, namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise InputError(f"not XML ({error}); an XMP packet is accepted; write it anew") from None
    return merge_tags(reader.subjects) if reader.found else None


class _SubjectReader:
    """Handlers of the XML parser; they keep the subjects and nothing else."""

    def __init__(self) -> None:
        self.found = False
        self.subjects: list[str] = []
        self._depth = 0  # of the open elements from dc:subject on; 0 = outside it
        self._open_items = 0
        self._text: list[str] = []

    def refuse_doctype(self, *_: object) -> None:
        raise InputError(
            "a document type declaration; XMP without one is accepted; remove the DOCTYPE"
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth:
            self._depth += 1
            if name == _LI:
                self._text.clear()
        elif not self._open_items:
            if name == _SUBJECT:
                self._depth = 1
            elif _SUBJECT in attributes:
                self._add(attributes[_SUBJECT])
        self._open_items += name == _LI

    def end(self, name: str) -> None:
        self._open_items -= name == _LI
        if self._depth:
            self._depth -= 1
            if name == _LI:
                self.subjects.append("".join(self._text))
                self._text.clear()
            elif not self._depth:
                # Blank where there were items, for each of them took its own text away.
                self._add("".join(self._text))
                self._text.clear()

    def text(self, text: str) -> None:
        if self._depth:
            self._text.append(text)

    def _add(self, text: str) -> None:
        self.found = True
        self.subjects += text.split(",")


def _blocks(data: bytes) -> Iterator[Block]:
    """Yield the metadata blocks of a file, by what its first bytes say it is."""
    if data.startswith(b"\xff\xd8"):
        yield from _jpeg_blocks(data)
    elif data.startswith(_PNG_SIGNATURE):
        yield from _png_blocks(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        yield from _webp_blocks(data)
    elif data.startswith((b"II*\0", b"MM\0*")):
        yield from _tiff_blocks(data)
    else:
        start = data.find(b"<x:xmpmeta", 0, _MAX_SCAN)
        end = data.find(b"</x:xmpmeta>", start, start + _MAX_BLOCK) if start >= 0 else -1
        if end >= 0:
            yield "xmp", data[start : end + len(b"</x:xmpmeta>")]


def _jpeg_blocks(data: bytes) -> Iterator[Block]:
    """Walk the segments up to the first scan; the entropy-coded data is never touched."""
    resources: list[bytes] = []
    position = 2
    for _ in range(_MAX_PARTS):
        if data[position : position + 1] != b"\xff" or position + 4 > len(data):
            break
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            break
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        start = position + 4
        if end < start:
            break
        if marker == 0xE1 and data.startswith(_JPEG_XMP, start, end):
            yield "xmp", data[start + len(_JPEG_XMP) : end]
        elif marker == 0xED and data.startswith(_JPEG_PHOTOSHOP, start, end):
            resources.append(data[start + len(_JPEG_PHOTOSHOP) : end])
        position = end
    if resources:
        yield "photoshop", b"".join(resources)  # one block may span several segments


def _png_blocks(data: bytes) -> Iterator[Block]:
    position = len(_PNG_SIGNATURE)
    for _ in range(_MAX_PARTS):
        length = int.from_bytes(data[position : position + 4])
        kind = data[position + 4 : position + 8]
        start = position + 8
        if len(kind) < 4 or kind == b"IEND":
            break
        if kind == b"iTXt" and length <= _MAX_BLOCK and data.startswith(_PNG_XMP, start):
            chunk = data[start + len(_PNG_XMP) : start + length]
            # After the compression flag and method: language, translated keyword, text.
            fields = chunk[2:].split(b"\0", 2)
            if len(fields) == 3:
                yield "xmp", _inflated(fields[2]) if chunk[0] else fields[2]
        position = start + length + 4  # a checksum follows


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_BLOCK)
    except zlib.error:
        return b""


def _webp_blocks(data: bytes) -> Iterator[Block]:
    position = 12
    for _ in range(_MAX_PARTS):
        kind = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        start = position + 8
        if start > len(data):
            break
        if kind == b"XMP " and length <= _MAX_BLOCK:
            yield "xmp", data[start : start + length]
        position = start + length + length % 2


def _tiff_blocks(data: bytes) -> Iterator[Block]:
    """Read the first directory, which describes the first picture of the file."""
    order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"

    def number(start: int, n_bytes: int) -> int:
        return int.from_bytes(data[start : start + n_bytes], order)

    first = number(4, 4) + 2
    end = min(first + 12 * number(first - 2, 2), len(data) - 11)
    for entry in range(first, end, 12):
        kind = _TIFF_BLOCKS.get(number(entry, 2))
        n_bytes = _TIFF_TYPE_BYTES.get(number(entry + 2, 2), 0) * number(entry + 4, 4)
        if kind and 4 < n_bytes <= _MAX_BLOCK:
            start = number(entry + 8, 4)
            yield kind, data[start : start + n_bytes]


def _photoshop_iptc(data: bytes) -> Iterator[bytes]:
    """Yield the IPTC blocks among Photoshop's image resources."""
    position = 0
    for _ in range(_MAX_PARTS):
        if data[position : position + 4] != b"8BIM" or position + 7 > len(data):
            break
        resource = int.from_bytes(data[position + 4 : position + 6])
        name_bytes = data[position + 6] + 1  # its length byte included
        start = position + 6 + name_bytes + name_bytes % 2
        length = int.from_bytes(data[start : start + 4])
        if resource == _IPTC_RESOURCE:
            yield data[start + 4 : start + 4 + length]
        position = start + 4 + length + length % 2


def _iptc_keywords(data: bytes) -> list[str]:
    """Return the texts of the data sets 2:25 of an IPTC-IIM block."""
    marked_utf8 = False
    keywords: list[bytes] = []
    position = 0
    while data[position : position + 1] == b"\x1c" and position + 5 <= len(data):
        dataset = (data[position + 1], data[position + 2])
        length = int.from_bytes(data[position + 3 : position + 5])
        end = position + 5 + length
        if length & 0x8000 or end > len(data):  # extended data sets hold pictures, not keywords
            break
        if dataset == (1, 90):
            marked_utf8 = data[position + 5 : end] == _IPTC_UTF8
        elif dataset == (2, 25):
            keywords.append(data[position + 5 : end].partition(b"\0")[0])
        position = end
    return [_iptc_text(keyword, marked_utf8) for keyword in keywords]


def _iptc_text(keyword: bytes, marked_utf8: bool) -> str:
    try:
        return keyword.decode("utf-8")
    except UnicodeDecodeError:
        # A data set ends after 64 bytes, be it in the middle of a character.
        return keyword.decode("utf-8", "ignore") if marked_utf8 else keyword.decode("latin-1")
