"""Sidecars: the small files beside a picture in which people keep its tags.

=====================  =================================================================
``.txt``               a tag a line, or separated by commas
``.json``              a list of texts; or an object with ``tags`` (else ``keywords``), a
                       list or a text separated by commas, and optionally ``owner``; an
                       object with neither key says nothing of tags and is no sidecar
``.xmp``               ``dc:subject``; a file without that element is no sidecar
=====================  =================================================================

Of each kind the file named after the whole picture (``a.jpg.txt``) wins over the one named
after its stem (``a.txt``), because ``a.jpg`` and ``a.png`` are two pictures; and ``a.txt``
belongs to no ``a.x.jpg``. The kinds present are merged. An empty sidecar means tagged with
nothing. Where there is a sidecar, it decides alone: the keywords inside the picture file
count only where there is none.
"""

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexing.corpora.fields import decode_text, kind_of, parse_json, tags_field, text_field
from indexing.errors import InputError
from indexing.keywords import xmp_subjects
from indexing.tags import merge_tags

__all__ = ["MAX_SIDECAR_BYTES", "Sidecar", "match_sidecars", "read_sidecar", "split_tags"]

MAX_SIDECAR_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What one sidecar says.

    Parameters
    ----------
    tags : tuple of str
        Merged; empty = tagged with nothing.
    owner : str or None
        Who made the picture.
    """

    tags: tuple[str, ...]
    owner: str | None = None


def match_sidecars(pictures: Sequence[str], others: Iterable[str]) -> dict[str, list[str]]:
    """Return the sidecar names of each picture that has any, in the order of the table above.

    Parameters
    ----------
    pictures : sequence of str
        File names of the pictures of one folder.
    others : iterable of str
        The other file names of that folder, sorted. Their extensions may be of either case.

    Examples
    --------
    >>> match_sidecars(["a.jpg", "a.png"], ["a.png.txt", "a.txt", "a.XMP"])
    {'a.jpg': ['a.txt', 'a.XMP'], 'a.png': ['a.png.txt', 'a.XMP']}
    """
    # kind -> name without the kind's extension -> file name
    named: dict[str, dict[str, str]] = {kind: {} for kind in _PARSERS}
    for other in others:
        subject, extension = os.path.splitext(other)  # noqa: PTH122
        kind = extension.lower()
        if kind in named:
            named[kind].setdefault(subject, other)
    known = set(pictures)
    matched: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        stem = picture.rpartition(".")[0]
        if stem in known:  # then a.jpg.txt, beside a.jpg.png, belongs to a.jpg
            stem = ""
        for files in named.values():
            if name := files.get(picture) or files.get(stem):
                matched[picture].append(name)
    return dict(matched)


def read_sidecar(path: Path) -> Sidecar | None:
    """Return what a sidecar says; None where it says nothing of tags.

    Raises
    ------
    InputError
        If it is no regular file, larger than 1 MiB, unreadable, or not of the form that its
        extension promises.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for its writer
            raise InputError("not a regular file; a file is accepted; remove it")
        if status.st_size > MAX_SIDECAR_BYTES:
            raise InputError(
                f"{status.st_size} bytes; at most {MAX_SIDECAR_BYTES} are accepted; shorten it"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror}); a readable file is accepted; repair or remove it"
        ) from None
    return _PARSERS[path.suffix.lower()](data)


def split_tags(text: str) -> list[str]:
    r"""Part a text at commas and line ends.

    Examples
    --------
    >>> split_tags("sea, sky\nNew York")
    ['sea', ' sky', 'New York']
    """
    return text.replace("\r", ",").replace("\n", ",").split(",")


def _text(data: bytes) -> str:
    try:
        return decode_text(data)
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 (byte {error.start + 1}: {error.reason}); "
            "UTF-8 is accepted, and UTF-16 with a byte order mark; save it as UTF-8"
        ) from None


def _parse_txt(data: bytes) -> Sidecar:
    return Sidecar(merge_tags(split_tags(_text(data))))


def _parse_json(data: bytes) -> Sidecar | None:
    value = parse_json(_text(data))
    if isinstance(value, list):
        value = {"tags": value}
    if not isinstance(value, dict):
        raise InputError(
            f"{kind_of(value)}; a list of texts, or an object with tags, is accepted; "
            "write it as one of them"
        )
    key = "tags" if value.get("tags") is not None else "keywords"
    tags = tags_field(key, value.get(key), split_tags)
    return None if tags is None else Sidecar(tags, text_field("owner", value.get("owner")))


def _parse_xmp(data: bytes) -> Sidecar | None:
    tags = xmp_subjects(data)
    return None if tags is None else Sidecar(tags)


_PARSERS: Final[dict[str, Callable[[bytes], Sidecar | None]]] = {
    ".txt": _parse_txt,
    ".json": _parse_json,
    ".xmp": _parse_xmp,
}
