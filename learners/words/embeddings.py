"""Tags to vectors: the one way in which tags of any form become directions in word space."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.errors import InputError
from indexing.tags import clean_tag, tag_key
from indexing.words import WordTable, open_word_table
from learners.parameters import whole_number
from learners.words.lemmas import noun_lemma

__all__ = ["TagWords", "WordVectors", "open_word_vectors"]

# Weight of a word is a / (a + its share of running text); Arora et al. found 1e-4 to 1e-2 good.
_SMOOTHING = 1e-3
# Zipf-Mandelbrot: the share of the word of rank r is 1 / ((r + 2.7) H).
_RANK_OFFSET = 2.7

# Words that glued tags ("goldengatebridge") are cut into are frequent and not too short; one
# cut in a hundred thousand words or letters would make a word of anything.
_GLUED_RANK = 30_000
_SHORTEST_PART = 3
_JOINTS = frozenset({"of", "in", "on", "at", "by", "to", "my"})
_LONGEST_GLUED = 40

# Bounds the memory that cosines with a part of the table take.
_TAGS_AT_A_TIME = 64

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")


@dataclass(frozen=True)
class TagWords:
    """What a tag was taken for.

    Parameters
    ----------
    known : tuple of str
        Words of the vectors that make up the tag's, in its order.
    unknown : tuple of str
        Words of the tag that have no vector.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]


class WordVectors:
    r"""Vectors of tags, of unit length, over a table of word vectors.

    A tag becomes a vector in one way. Its key (:func:`indexing.tags.tag_key`) is looked up whole,
    with spaces as ``_``, if it has several words; else it is cut into words at all that
    is neither letter nor digit. Each word is looked up as its noun's dictionary form
    (:func:`learners.words.lemmas.noun_lemma`), then as it is, then without accents, each also
    in title and upper case, for vectors that tell case; a word that is not found is cut into
    frequent words ("goldengatebridge"). With :math:`v_i` the unit vectors of what was found
    and :math:`r_i` their ranks by frequency, the tag's is, brought to unit length,

    .. math:: v = \sum_i \frac{a}{a + p(r_i)} v_i , \qquad
              p(r) = \frac{1}{(r + 2.7) H} , \qquad a = 10^{-3} ,

    so that "cat of the house" is a cat and a house. :math:`H` makes the shares :math:`p` sum to
    1. A tag of which no word is known has no vector, and :meth:`missing` says so.

    Parameters
    ----------
    table : WordTable
        Most frequent word first.

    References
    ----------
    S. Arora, Y. Liang, T. Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings",
    ICLR 2017 (the weights, without the common component: tags are too few words for one).

    Examples
    --------
    >>> from indexing.words.table import make_word_table
    >>> table = make_word_table(["sky", "red", "tiger"], np.array([[2, 0], [0, 1], [3, 4]]), "")
    >>> words = WordVectors(table)
    >>> words.vector("Tigers")
    array([0.6, 0.8], dtype=float32)
    >>> words.missing(["tigers", "red sky", "zebra"])
    ('zebra',)
    >>> words.nearest("skies", 1)
    [('tiger', 0.6000000238418579)]
    """

    def __init__(self, table: WordTable) -> None:
        self.table = table
        ranks = np.arange(table.n_words, dtype=np.float64)
        self._harmonic = float(np.sum(1 / (ranks + 1 + _RANK_OFFSET)))
        self._rows_of: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}
        self._near: dict[tuple[str, int, int | None], list[tuple[str, float]]] = {}

    @property
    def n_dims(self) -> int:
        """Width of a vector."""
        return self.table.n_dims

    @property
    def source(self) -> str:
        """What the vectors were read from."""
        return self.table.source

    def words_of(self, tag: str) -> TagWords:
        """Return what words of the vectors a tag is taken for, and which of its own have none."""
        rows, unknown = self._resolved(tag)
        return TagWords(tuple(self.table.word(row) for row in rows), unknown)

    def vector(self, tag: str) -> NDArray[np.float32] | None:
        """Return the vector of a tag, float32 (n_dims,) of unit length, None if it has none."""
        rows, _ = self._resolved(tag)
        if not rows:
            return None
        vectors = _unit_rows(self.table.rows(rows))  # (n_known, n_dims)
        shares = 1 / ((np.array(rows) + 1 + _RANK_OFFSET) * self._harmonic)
        mean = (_SMOOTHING / (_SMOOTHING + shares)) @ vectors.astype(np.float64)
        norm = float(np.linalg.norm(mean))
        return None if norm < 1e-6 else (mean / norm).astype(np.float32)

    def matrix(self, tags: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vectors of tags, and which have one.

        Parameters
        ----------
        tags : sequence of str

        Returns
        -------
        vectors : ndarray of float32, shape (n_tags, n_dims)
            Of unit length; zeros where a tag has no vector.
        has_vector : ndarray of bool, shape (n_tags,)
        """
        vectors = np.zeros((len(tags), self.n_dims), dtype=np.float32)
        has_vector = np.zeros(len(tags), dtype=np.bool_)
        for row, tag in enumerate(tags):
            vector = self.vector(tag)
            if vector is not None:
                vectors[row], has_vector[row] = vector, True
        return vectors, has_vector

    def missing(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return the tags that have no vector, in their order."""
        return tuple(tag for tag in tags if self.vector(tag) is None)

    def nearest(
        self,
        query: str | NDArray[np.floating],
        n: int,
        among: Sequence[str] | None = None,
        n_frequent: int | None = None,
    ) -> list[tuple[str, float]]:
        """Return the words or tags that are nearest by cosine, nearest first.

        Parameters
        ----------
        query : str or ndarray of float, shape (n_dims,)
            A tag, or a vector of any length.
        n : int
            How many, at most.
        among : sequence of str, optional
            Tags to choose from; those without a vector are not chosen. None = every word of
            the table.
        n_frequent : int, optional
            How many of the table's words, from the most frequent on, are looked at; None = all.

        Returns
        -------
        list of (str, float)
            Words and cosines. A tag is not its own neighbour, nor is any other form of it
            ("tigers" for "tiger").

        Raises
        ------
        InputError
            If the tag has no vector, or the vector is of another width.
        """
        whole_number("n", n)
        if isinstance(query, str):
            if self.vector(query) is None:
                raise InputError(
                    f"{query!r} has no vector in {self.source}; a word of these vectors is "
                    "accepted; choose another word or other vectors"
                )
            return self.neighbors([query], n, among, n_frequent)[0]
        vector = np.asarray(query, dtype=np.float32)
        if vector.shape != (self.n_dims,):
            raise InputError(
                f"a vector of shape {vector.shape} for words of {self.n_dims} values; "
                f"({self.n_dims},) is accepted; take it from the same vectors"
            )
        candidates, cosines = self._candidates(_unit_rows(vector[None]), n, among, n_frequent)
        return list(zip(candidates[0][:n], cosines[0][:n].tolist(), strict=False))

    def neighbors(
        self,
        tags: Sequence[str],
        n: int,
        among: Sequence[str] | None = None,
        n_frequent: int | None = None,
    ) -> list[list[tuple[str, float]]]:
        """Return the nearest words of several tags, in one pass over the table.

        Parameters
        ----------
        tags : sequence of str
        n, among, n_frequent
            As :meth:`nearest`.

        Returns
        -------
        list of list of (str, float)
            One list a tag, empty where it has no vector.
        """
        whole_number("n", n)
        if among is not None:
            return self._neighbors(tags, n, among, n_frequent)
        # The table does not change, and people's tags come again and again.
        asked = [(tag, n, n_frequent) for tag in tags]
        new = list(dict.fromkeys(key for key in asked if key not in self._near))
        for start in range(0, len(new), _TAGS_AT_A_TIME):
            part = new[start : start + _TAGS_AT_A_TIME]
            found = self._neighbors([tag for tag, _, _ in part], n, None, n_frequent)
            self._near.update(zip(part, found, strict=True))
        return [list(self._near[key]) for key in asked]

    def _neighbors(
        self, tags: Sequence[str], n: int, among: Sequence[str] | None, n_frequent: int | None
    ) -> list[list[tuple[str, float]]]:
        vectors, has_vector = self.matrix(tags)
        own = [set(self._resolved(tag)[0]) for tag in tags]
        # Other forms of a tag are left out below; a word has a few of them.
        n_forms = 8 + 4 * max(map(len, own), default=0)
        candidates, cosines = self._candidates(vectors, n + n_forms, among, n_frequent)
        found = []
        for row in range(len(tags)):
            near = [
                (word, float(cosine))
                for word, cosine in zip(candidates[row], cosines[row], strict=True)
                if has_vector[row] and not set(self._resolved(word)[0]) <= own[row]
            ]
            found.append(near[:n])
        return found

    def _candidates(
        self,
        vectors: NDArray[np.float32],
        n: int,
        among: Sequence[str] | None,
        n_frequent: int | None,
    ) -> tuple[list[list[str]], list[NDArray[np.float32]]]:
        """Return for each vector (unit length) the `n` nearest words and their cosines."""
        if among is not None:
            tags, has_vector = self.matrix(among)
            rows = np.flatnonzero(has_vector)
            order, cosines = _greatest(vectors @ tags[rows].T, rows, n)
            return [[among[row] for row in line] for line in order.tolist()], list(cosines)
        order = np.empty((len(vectors), 0), dtype=np.int64)
        cosines = np.empty((len(vectors), 0), dtype=np.float32)
        for start, part in self.table.chunks(n_frequent or self.table.n_words):
            rows = np.arange(start, start + len(part))
            new_rows, new_cosines = _greatest(vectors @ _unit_rows(part).T, rows, n)
            order = np.hstack([order, new_rows])
            cosines = np.hstack([cosines, new_cosines])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :n]
        order = np.take_along_axis(order, best, axis=1)
        cosines = np.take_along_axis(cosines, best, axis=1)
        return [[self.table.word(row) for row in line] for line in order.tolist()], list(cosines)

    def _resolved(self, tag: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Return the rows of a tag's words, and its words that are not there."""
        if tag not in self._rows_of:
            self._rows_of[tag] = self._resolve(tag)
        return self._rows_of[tag]

    def _resolve(self, tag: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
        key = tag_key(tag)
        words = _WORD.findall(key)
        if len(words) > 1:
            typed = clean_tag(tag)
            row = self._find(key, key.replace(" ", "_"), typed, typed.replace(" ", "_"))
            if row >= 0:
                return (row,), ()
        rows: list[int] = []
        unknown: list[str] = []
        for word in words:
            found = self._rows_of_word(word)
            rows.extend(found)
            if not found:
                unknown.append(word)
        return tuple(rows), tuple(unknown or ([] if words else [key]))

    def _rows_of_word(self, word: str) -> tuple[int, ...]:
        plain = _without_accents(word)
        for form in dict.fromkeys((noun_lemma(word), word, noun_lemma(plain), plain)):
            row = self._find(form, form.title(), form.upper())
            if row >= 0:
                return (row,)
        return self._unglued(plain)

    def _find(self, *forms: str) -> int:
        """Return the row of the first form that is there, else -1."""
        for form in forms:
            row = self.table.find(form)
            if row >= 0:
                return row
        return -1

    def _unglued(self, word: str) -> tuple[int, ...]:
        """Cut a word into frequent ones, as few and as frequent as can be; () if it cannot be."""
        if not 2 * _SHORTEST_PART <= len(word) <= _LONGEST_GLUED or not word.isalpha():
            return ()
        # Best way to the first characters: (its cost, rows).
        best: list[tuple[float, tuple[int, ...]] | None] = [(0.0, ())]
        for end in range(1, len(word) + 1):
            ways = []
            for start in range(end):
                before, part = best[start], word[start:end]
                if before is None or (len(part) < _SHORTEST_PART and part not in _JOINTS):
                    continue
                row = self.table.find(part)
                if 0 <= row < _GLUED_RANK:
                    # Minus the logarithm of the part's share of running text.
                    cost = np.log((row + 1 + _RANK_OFFSET) * self._harmonic)
                    ways.append((before[0] + cost, (*before[1], row)))
            best.append(min(ways, default=None))
        return best[-1][1] if best[-1] else ()


def open_word_vectors(source: str | Path | None = None) -> WordVectors:
    """Open word vectors; see :func:`indexing.words.open_word_table` for what is accepted.

    Parameters
    ----------
    source : str or Path, optional
        None = those that come with the installation.

    Raises
    ------
    ArtifactError, InputError, MissingDependencyError
        As :func:`indexing.words.open_word_table`.
    """
    return WordVectors(open_word_table(source))


def _without_accents(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return unicodedata.normalize("NFC", plain)


def _greatest(
    cosines: NDArray[np.float32], rows: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the rows of the greatest cosines, greatest first, and these: both (n_vectors, n)."""
    n = min(n, cosines.shape[1])
    if n < cosines.shape[1]:
        few = np.sort(np.argpartition(-cosines, n, axis=1)[:, :n], axis=1)
    else:
        few = np.broadcast_to(np.arange(n), cosines.shape)
    values = np.take_along_axis(cosines, few, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return rows[np.take_along_axis(few, order, axis=1)], np.take_along_axis(values, order, axis=1)


def _unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(norms, 1e-12)
    return unit
