"""Word vectors from the tags of a corpus, on top of given ones or from nothing."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.corpora import read_corpus
from indexing.errors import InputError
from indexing.extractors.cache import staged
from indexing.records import Corpus, printable_path
from indexing.words.table import WordTable, make_word_table, save_word_table
from learners.base import Progress
from learners.words import WordVectors
from learners.words.glove import GloveSettings, count_cooccurrences, fit_glove
from learners.words.texts import training_words

__all__ = ["FittedWords", "fit_words"]

# A tag of more words is a text: its words stand in an order, and not beside all other tags.
_LONGEST_TAG = 3


@dataclass(frozen=True, slots=True)
class FittedWords:
    """What a training of word vectors did.

    Parameters
    ----------
    folder : str
        Where the vectors lie; every option for word vectors takes it.
    n_pictures : int
        Pictures with tags, or labels in their place.
    n_words, n_new : int
        Words of the corpus that have vectors now, and those that the given vectors lack.
    n_all : int
        Words of all, with those of the given vectors that the corpus does not have.
    """

    folder: str
    n_pictures: int
    n_words: int
    n_new: int
    n_all: int


def fit_words(
    source: str | os.PathLike[str] | Corpus,
    folder: Path,
    given: WordVectors | None,
    settings: GloveSettings | None = None,
    on_progress: Progress | None = None,
) -> FittedWords:
    """Train GloVe on the tags of a corpus, and write the vectors into a new folder.

    The tags of a picture are each other's context; a tag of four words or more, such as a
    caption, is a text. Stop words are left out, and nouns stand in their dictionary form. Where
    there are no tags, labels take their place.

    Parameters
    ----------
    source : path or Corpus
        What :func:`indexing.corpora.read_corpus` reads.
    folder : Path
        Must not exist.
    given : WordVectors or None
        Vectors to start from and to stay near; words that the corpus does not have are kept as
        they are. None = start from nothing.
    settings : GloveSettings, optional
    on_progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    InputError
        No two words occur together, or the folder is there already.
    CorpusError
        The corpus cannot be read.

    References
    ----------
    "Image Tagging", section III.B.
    """
    if folder.exists():
        raise InputError(
            f"{printable_path(folder)} is there already; a new folder is accepted, so that nothing "
            "is written over; name another with --out"
        )
    settings = settings or GloveSettings()
    corpus = source if isinstance(source, Corpus) else read_corpus(source)
    tag_sets, texts = _words_of(corpus)
    found = count_cooccurrences(
        tag_sets, texts, window=settings.window, min_count=settings.min_count
    )
    vectors, is_given = None, np.zeros(len(found.words), bool)
    if given is not None:
        vectors, is_given = _raw(given, found.words)
    fitted = fit_glove(found, settings, vectors, is_given, on_progress)
    if on_progress is not None:
        on_progress("writing all words", 0, 0)
    table = _joined(found.words, fitted, None if given is None else given.table)
    with staged(folder) as fresh:
        save_word_table(table, fresh)
    return FittedWords(
        folder=printable_path(folder),
        n_pictures=sum(1 for one in corpus.records if one.tags or one.labels),
        n_words=len(found.words),
        n_new=int(np.count_nonzero(~is_given)),
        n_all=table.n_words,
    )


def _words_of(corpus: Corpus) -> tuple[list[list[str]], list[list[str]]]:
    """Return the words of each picture's tags, and of the tags that are texts."""
    tag_sets, texts = [], []
    for record in corpus.records:
        of_picture: list[str] = []
        for tag in record.tags or record.labels or ():
            words = training_words(tag)
            if len(words) > _LONGEST_TAG:
                texts.append(words)
            else:
                of_picture += words
        tag_sets.append(of_picture)
    return tag_sets, texts


def _raw(
    given: WordVectors, words: tuple[str, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors of words that stand in a table as they are written, of their length."""
    rows = np.array([given.table.find(word) for word in words], np.int64)
    is_given = rows >= 0
    vectors = np.zeros((len(words), given.n_dims), np.float32)
    vectors[is_given] = given.table.rows(rows[is_given])
    return vectors, is_given


def _joined(
    words: tuple[str, ...], fitted: NDArray[np.float32], given: WordTable | None
) -> WordTable:
    """Put fitted vectors in the place of the given ones, and new words behind them."""
    if given is None:
        return make_word_table(words, fitted, "trained on a corpus")
    vectors = np.concatenate([part for _, part in given.chunks(given.n_words)])
    rows = np.array([given.find(word) for word in words], np.int64)
    vectors[rows[rows >= 0]] = fitted[rows >= 0]
    new = np.flatnonzero(rows < 0)
    return make_word_table(
        [*(given.word(row) for row in range(given.n_words)), *(words[i] for i in new)],
        np.concatenate([vectors, fitted[new]]),
        f"{given.source}, trained on a corpus",
    )
