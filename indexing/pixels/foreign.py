"""What a file is that is none of the pictures read, as well as its first bytes tell."""

from indexing.errors import PictureError, RefusalReason

__all__ = ["foreign"]

_READ = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC are read"

_OTHER_PICTURES = {
    b"8BPS": "a Photoshop document",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\1\0": "an icon",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"gimp xcf": "a GIMP document",
    b"v/1\x01": "OpenEXR",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"IIRO": "a camera's raw file",
}
_OTHER_FILES = {
    b"%PDF": "a PDF document",
    b"PK\3\4": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"\x1a\x45\xdf\xa3": "a film (Matroska, WebM)",
    b"RIFF": "a film or sound (RIFF)",
    b"ID3": "sound (MP3)",
    b"OggS": "sound (Ogg)",
    b"fLaC": "sound (FLAC)",
    b"SQLite format 3": "a database",
}


def foreign(data: bytes) -> PictureError:
    """Return the error for bytes that begin like no picture that is read.

    Examples
    --------
    >>> foreign(b"<!DOCTYPE html><title>404</title>")
    PictureError('not a picture: HTML')
    """
    for sign, name in _OTHER_PICTURES.items():
        if data.startswith(sign):
            return PictureError(RefusalReason.UNREADABLE, f"{name}; {_READ}")
    for sign, name in _OTHER_FILES.items():
        if data.startswith(sign):
            return PictureError(RefusalReason.NOT_A_PICTURE, name)
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in start:
        return PictureError(RefusalReason.UNREADABLE, f"SVG; {_READ}")
    if start.startswith((b"<!doctype html", b"<html")):
        return PictureError(RefusalReason.NOT_A_PICTURE, "HTML")
    if not data.strip(b"\0"):
        return PictureError(RefusalReason.NOT_A_PICTURE, f"{len(data)} zeros")
    if _is_text(data[:1024]):
        return PictureError(RefusalReason.NOT_A_PICTURE, "text")
    return PictureError(
        RefusalReason.NOT_A_PICTURE, f"unknown data that begins with {data[:8].hex(' ')}"
    )


def _is_text(start: bytes) -> bool:
    # A character may be cut at the end of the excerpt, hence "ignore" there and the comparison.
    text = start.decode("utf-8", "ignore")
    return len(text.encode()) > len(start) - 4 and all(
        character.isprintable() or character.isspace() for character in text
    )
