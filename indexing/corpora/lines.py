"""Text files that hold an item a line, or a row of zeros and ones a line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from indexing.corpora.fields import read_text
from indexing.errors import CorpusError
from indexing.records import printable_path
from indexing.tags import clean_tag, tag_key

__all__ = ["flag_lines", "flag_rows", "line_fault", "read_lines", "read_words"]

_BLANKS: Final = b" \t\r\n"
_FLAGS: Final = b"01"


def line_fault(path: Path, line: int, message: str) -> CorpusError:
    """Return the error of one line of a file, which the message need not name."""
    return CorpusError(f"{printable_path(path)}:{line}: {message}")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines that are not blank, stripped, each with its number.

    Raises
    ------
    CorpusError
        If the file cannot be read or is no text.
    """
    # Not splitlines(): a tag may hold other line ends of Unicode as they are.
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(line, text.strip()) for line, text in lines if not text.isspace() and text]


def read_words(path: Path) -> tuple[str, ...]:
    """Return the words of a vocabulary file, one a line, ``_`` read as a space.

    Raises
    ------
    CorpusError
        If it cannot be read or holds no word, or, with ``path:line``, a word twice.
    """
    words: dict[str, tuple[int, str]] = {}
    for line, text in read_lines(path):
        word = clean_tag(text.replace("_", " "))
        first, _ = words.setdefault(tag_key(word), (line, word))
        if first != line:
            raise line_fault(
                path,
                line,
                f"the word {word!r} is already on line {first}; a word is accepted once; remove "
                "one of the two lines",
            )
    if not words:
        raise CorpusError(
            f"{printable_path(path)}: no word; a word a line is accepted; unpack the file again"
        )
    return tuple(word for _, word in words.values())


def flag_rows(path: Path, n_columns: int) -> Iterator[list[int]]:
    r"""Yield for each line the columns where it has a one.

    Parameters
    ----------
    path : Path
        Each line holds ``n_columns`` zeros and ones, with or without white space between.
    n_columns : int
        How many.

    Raises
    ------
    CorpusError
        If the file cannot be read, or, with ``path:line``, for the first line that is no such row.
    """
    try:
        with path.open("rb") as file:  # the largest such file has half a gigabyte
            for line, data in enumerate(file, start=1):
                flags = data.translate(None, _BLANKS)
                if not flags:
                    continue
                if rest := flags.translate(None, _FLAGS):
                    found = f"{rest[:20].decode('utf-8', 'backslashreplace')!r} in a row of flags"
                elif len(flags) != n_columns:
                    found = f"{len(flags)} flags"
                else:
                    yield _ones(flags)
                    continue
                raise line_fault(
                    path,
                    line,
                    f"{found}; {n_columns} zeros and ones are accepted; unpack the file again",
                )
    except OSError as error:
        raise _unreadable(path, error) from None


def flag_lines(path: Path, n_lines: int) -> list[int]:
    """Return, counted from 0, the lines that are ``1``; every other one must be ``0``.

    Raises
    ------
    CorpusError
        If the file cannot be read or has another number of lines, or, with ``path:line``, for the
        first line that is neither.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    flags = data.translate(None, _BLANKS)
    if flags.translate(None, _FLAGS):
        _raise_first_wrong(path, data.split(b"\n"))
    if len(flags) != n_lines:
        raise CorpusError(
            f"{printable_path(path)}: {len(flags)} flags; {n_lines} are accepted, one a picture; "
            "unpack the file again"
        )
    return _ones(flags)


def _raise_first_wrong(path: Path, lines: Iterable[bytes]) -> None:
    for line, data in enumerate(lines, start=1):
        if data.translate(None, _BLANKS).translate(None, _FLAGS):
            found = data.strip()[:20].decode("utf-8", "backslashreplace")
            raise line_fault(
                path, line, f"{found!r} is no flag; 0 or 1 is accepted; unpack the file again"
            )


def _ones(flags: bytes) -> list[int]:
    """Return where the ones are; ``find`` skips the zeros at the speed of C."""
    found = []
    at = flags.find(b"1")
    while at >= 0:
        found.append(at)
        at = flags.find(b"1", at + 1)
    return found


def _unreadable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{printable_path(path)}: cannot be read ({error.strerror}); a readable file is accepted; "
        "check that it is there and that you may read it"
    )
