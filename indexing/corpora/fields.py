"""What a text file, and a field in it, may hold: the same rules for every reader and sidecar."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from indexing.errors import CorpusError, InputError
from indexing.records import printable_path
from indexing.tags import merge_tags

__all__ = [
    "decode_text",
    "kind_of",
    "parse_json",
    "read_text",
    "tags_field",
    "text_field",
    "valid_text",
]

_BYTE_ORDER_MARKS: Final = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_KINDS: Final[dict[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def decode_text(data: bytes) -> str:
    r"""Return the text of a file: UTF-8, or UTF-16 with a byte order mark.

    Raises
    ------
    UnicodeDecodeError
        If the bytes are neither, or hold a NUL (as UTF-16 without a mark does).

    Examples
    --------
    >>> decode_text(b"\xef\xbb\xbfsea")
    'sea'
    """
    encoding = next(
        (name for mark, name in _BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8"
    )
    text = data.decode(encoding)
    if "\0" in text:
        start = len(text[: text.index("\0")].encode(encoding))
        raise UnicodeDecodeError(encoding, data, start, start + 1, "a NUL is no text")
    return text


def read_text(path: Path) -> str:
    """Return the text of a file of a corpus.

    Raises
    ------
    CorpusError
        If it cannot be read, or, with ``path:line``, is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{printable_path(path)}: cannot be read ({error.strerror}); a readable file is "
            "accepted; check that it is there and that you may read it"
        ) from None
    try:
        return decode_text(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{printable_path(path)}:{line}: not UTF-8 ({error.reason}); UTF-8 is accepted, and "
            "UTF-16 with a byte order mark; save the file as UTF-8"
        ) from None


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    InputError
        If it is no JSON, or more deeply nested than the parser bears.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        found = f"{error.msg} at character {error.pos + 1}"
    except ValueError:
        found = "a number with too many digits"
    except RecursionError:
        found = "nested too deeply"
    raise InputError(f"not JSON ({found}); valid JSON is accepted; correct it")


def kind_of(value: object) -> str:
    """Return what people call a value of JSON.

    Examples
    --------
    >>> kind_of(["sea"]), kind_of(3.5)
    ('a list', 'a number')
    """
    return _KINDS.get(type(value), f"a value of type {type(value).__name__}")


def text_field(name: str, value: object) -> str | None:
    """Return the text of a field, stripped; None where it is absent, null or blank.

    A whole number counts as text, for owners are often known by one.

    Raises
    ------
    InputError
        If it is of another type, or no valid Unicode.

    Examples
    --------
    >>> text_field("owner", 51035), text_field("owner", " ")
    ('51035', None)
    """
    if type(value) is int:
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InputError(f"{name} is {kind_of(value)}; a text is accepted; write it as a text")
    return valid_text(name, value).strip() or None


def tags_field(
    name: str, value: object, split: Callable[[str], list[str]]
) -> tuple[str, ...] | None:
    """Return the merged tags of a field; None where it is absent or null.

    Parameters
    ----------
    name : str
        What the field is called, for messages.
    value : object
        A list of texts, or one text.
    split : callable
        Parts one text into tags.

    Raises
    ------
    InputError
        If it is of another type, or holds what is no valid Unicode.

    Examples
    --------
    >>> tags_field("tags", "Sea,sea, sky", lambda text: text.split(","))
    ('Sea', 'sky')
    """
    if value is None:
        return None
    if isinstance(value, str):
        return merge_tags(split(valid_text(name, value)))
    if not isinstance(value, list):
        raise InputError(
            f"{name} is {kind_of(value)}; a list of texts or one text is accepted; write it as one"
        )
    for item in value:
        if not isinstance(item, str):
            raise InputError(
                f"{name} holds {kind_of(item)}; a list of texts is accepted; write it as a text"
            )
    return merge_tags(valid_text(name, item) for item in value)


def valid_text(name: str, text: str) -> str:
    """Return the text of a field as it is.

    Raises
    ------
    InputError
        If it holds a NUL or half a surrogate pair: JSON can spell both, no store takes them.
    """
    if "\0" in text or not _is_unicode(text):
        raise InputError(
            f"{name} holds a NUL or half a surrogate pair; valid Unicode is accepted; "
            "write the character whole"
        )
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
