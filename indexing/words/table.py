"""Word vectors as they lie on disk: mapped, so that opening reads next to nothing.

A folder holds ``words.json``, which says what it is, and four arrays: ``vectors.npy``, the
vectors, most frequent word first; ``text.npy`` and ``ends.npy``, the words in UTF-8 one behind
the other and where each ends; ``order.npy``, the words sorted by their bytes, in which one is
found by halving.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.errors import ArtifactError, InputError
from indexing.records import printable_path

__all__ = ["WordTable", "load_word_table", "make_word_table", "save_word_table"]

_FORMAT = "tag-engine words"
_VERSION = 1
_MANIFEST = "words.json"
_ARRAYS = ("vectors", "text", "ends", "order")

_LARGEST_HALF = 60_000.0
_CHUNK_VALUES = 1 << 21  # 8 MB as float32


@dataclass(frozen=True, eq=False)
class WordTable:
    """Words and their vectors, most frequent word first.

    Parameters
    ----------
    vectors : ndarray of float16 or float32, shape (n_words, n_dims)
        As the source gave them.
    text : ndarray of uint8, shape (n_bytes,)
        The words in UTF-8, one behind the other.
    ends : ndarray of int64, shape (n_words,)
        Where each word ends in `text`.
    order : ndarray of int64, shape (n_words,)
        The words by ascending bytes.
    source : str
        What the vectors were read from, as people are told.

    Examples
    --------
    >>> table = make_word_table(["the", "tiger"], np.array([[1, 0], [3, 4]]), "a test")
    >>> table.find("tiger"), table.find("lion"), table.word(0)
    (1, -1, 'the')
    >>> table.rows([1])
    array([[3., 4.]], dtype=float32)
    """

    vectors: NDArray[np.floating]
    text: NDArray[np.uint8]
    ends: NDArray[np.int64]
    order: NDArray[np.int64]
    source: str

    @property
    def n_words(self) -> int:
        """Number of words."""
        return len(self.ends)

    @property
    def n_dims(self) -> int:
        """Width of a vector."""
        return int(self.vectors.shape[1])

    def word(self, row: int) -> str:
        """Return the word of a row; rows ascend as frequency falls."""
        return self._bytes(row).decode("utf-8")

    def find(self, word: str) -> int:
        """Return the row of a word as it is written, -1 where there is none."""
        wanted = word.encode("utf-8", "surrogateescape")
        low, high = 0, self.n_words
        while low < high:
            middle = (low + high) // 2
            found = self._bytes(int(self.order[middle]))
            if found == wanted:
                return int(self.order[middle])
            if found < wanted:
                low = middle + 1
            else:
                high = middle
        return -1

    def rows(self, rows: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return vectors, float32 (len(rows), n_dims)."""
        return self.vectors[np.asarray(rows, dtype=np.int64)].astype(np.float32)

    def chunks(self, n_words: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the vectors of the most frequent words, some at a time, with their first row.

        Parameters
        ----------
        n_words : int
            How many words, at most.

        Notes
        -----
        A mapped file is read and not touched, so that a process that looks at all words of a
        large one keeps no page of it.
        """
        n_words = min(n_words, self.n_words)
        step = max(1, _CHUNK_VALUES // self.n_dims)
        mapped = self.vectors if isinstance(self.vectors, np.memmap) else None
        if mapped is None or mapped.filename is None:
            for start in range(0, n_words, step):
                yield start, self.vectors[start : min(start + step, n_words)].astype(np.float32)
            return
        with Path(mapped.filename).open("rb") as file:
            file.seek(mapped.offset)
            for start in range(0, n_words, step):
                size = min(step, n_words - start) * self.n_dims
                part = np.fromfile(file, dtype=mapped.dtype, count=size)
                yield start, part.astype(np.float32).reshape(-1, self.n_dims)

    def _bytes(self, row: int) -> bytes:
        start = int(self.ends[row - 1]) if row else 0
        return self.text[start : int(self.ends[row])].tobytes()


def make_word_table(
    words: Sequence[str], vectors: NDArray[np.floating] | NDArray[np.integer], source: str
) -> WordTable:
    """Put a table together.

    Parameters
    ----------
    words : sequence of str
        Each once, most frequent first.
    vectors : ndarray, shape (n_words, n_dims)
        Kept in half precision, unless a value is too large for it.
    source : str
        What the vectors were read from.

    Raises
    ------
    InputError
        If there are none, they do not match, a word occurs twice or a value is not finite.
    """
    if vectors.ndim != 2 or len(words) != len(vectors) or not vectors.size:
        raise InputError(
            f"{len(words)} words and vectors of shape {vectors.shape} in {source}; one vector a "
            "word is accepted, and one word at least; look at the source"
        )
    if not np.isfinite(vectors).all():
        raise InputError(
            f"vectors with values that are not finite in {source}; finite numbers are accepted; "
            "take such words out"
        )
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    order = np.array(sorted(range(len(encoded)), key=encoded.__getitem__), dtype=np.int64)
    for earlier, later in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if encoded[earlier] == encoded[later]:
            raise InputError(
                f"the word {words[later]!r} occurs twice in {source}; each word once is "
                "accepted; take one away"
            )
    dtype = np.float16 if np.abs(vectors).max() < _LARGEST_HALF else np.float32
    return WordTable(
        vectors=np.ascontiguousarray(vectors, dtype=dtype),
        text=np.frombuffer(b"".join(encoded), dtype=np.uint8),
        ends=np.fromiter(accumulate(map(len, encoded)), dtype=np.int64, count=len(encoded)),
        order=order,
        source=source,
    )


def save_word_table(table: WordTable, folder: Path) -> None:
    """Write a table into an empty folder; the manifest comes last."""
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(table, name), allow_pickle=False)
    manifest = {
        "format": _FORMAT,
        "version": _VERSION,
        "source": table.source,
        "n_words": table.n_words,
        "n_dims": table.n_dims,
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def load_word_table(folder: Path) -> WordTable:
    """Open a folder that `save_word_table` filled; its arrays are mapped, not read.

    Raises
    ------
    ArtifactError
        If the folder is missing, foreign, damaged or of another version.
    """
    place = printable_path(folder)
    advice = "read the vectors again from their source"
    try:
        manifest: Any = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in _ARRAYS
        }
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{place} holds no word vectors that can be read ({error}); a folder that this "
            f"program wrote is accepted; {advice}"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ArtifactError(
            f"{place}/{_MANIFEST} is of another program; the format {_FORMAT!r} is accepted; "
            "check the path"
        )
    if manifest.get("version") != _VERSION:
        raise ArtifactError(
            f"{place} has version {manifest.get('version')!r}; version {_VERSION} is accepted; "
            f"{advice}"
        )
    table = WordTable(**arrays, source=str(manifest.get("source")))
    shape = manifest.get("n_words"), manifest.get("n_dims")
    fits = (
        table.vectors.shape == shape
        and table.vectors.dtype in (np.float16, np.float32)
        and table.vectors.flags.c_contiguous
        and table.ends.shape == table.order.shape == shape[:1]
        and table.text.shape == (int(table.ends[-1]),)
    )
    if not fits:
        raise ArtifactError(
            f"{place} holds arrays that do not fit together; those of one table are accepted; "
            f"{advice}"
        )
    return table
